"""A real training step on the CPU and what the allocator saw of it: what a forecast is proved by, or replaced with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from aistudio.costs.allocator import AllocatorPeak, allocator_peak, bytes_of

Loss = Callable[[nn.Module, Any, Any], Mapping[str, Tensor]]
_FAINT = 1e-12  # a gradient: of zeros some optimisers take the norm, and divide by it
SLACK = 1.5  # times what two small steps promise of a large one: the need is no straight line


def real_peak(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    batch: tuple[Any, Any],
    autocast: Callable[[], AbstractContextManager],
) -> AllocatorPeak:
    """The peak of a training step on the CPU whose optimiser has its state; it is the only step that is taken."""
    inputs, targets = batch

    def step() -> None:
        with autocast():
            total = cast(Tensor, sum(loss(model, inputs, targets).values()))
        total.backward()
        optimizer.step()

    model.train()
    if not optimizer.state:
        _give_state(optimizer)
    optimizer.zero_grad(set_to_none=True)
    seen = allocator_peak(step)
    held = _held(model, optimizer, batch)
    optimizer.zero_grad(set_to_none=True)
    return AllocatorPeak(held + seen.tensors, held + seen.all)


def _give_state(optimizer: torch.optim.Optimizer) -> None:
    """The state that a step would leave, at the price of none: weights stay, gradients are next to nothing."""
    rates = [group.get("lr") for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.full_like(parameter, _FAINT)
    optimizer.step()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
        if rate is None:  # an optimiser without one
            del group["lr"]


def step_if_there_is_room(step: Callable[[int], AllocatorPeak], count: int, least: int = 1) -> AllocatorPeak | None:
    """The peak of ``step(count)``; None if two small steps say that this machine's memory would not do."""
    small, larger = step(least), step(least + 1)
    slope = larger.all - small.all
    if small.all + SLACK * slope * (count - least) > available():
        return None
    return step(count)


def available() -> int:
    """The bytes of memory that this machine can give without paging; 0 where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)


def _held(model: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Any, Any]) -> int:
    """The bytes that are alive before a step, told after it: a parameter that it gave no gradient has no state."""
    state = [list(values.values()) for parameter, values in optimizer.state.items() if parameter.grad is not None]
    return bytes_of([list(model.parameters()), list(model.buffers()), state, batch])
