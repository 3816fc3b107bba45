"""A real training step on the CPU, and what the allocator saw of it: what forecasts are compared with."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from aistudio.costs.allocator import AllocatorPeak
from aistudio.costs.memory import Workload
from aistudio.costs.real_step import real_peak


def cross_entropy(model: nn.Module, inputs: Any, targets: Any) -> dict[str, torch.Tensor]:
    return {"classification": nn.functional.cross_entropy(model(inputs), targets)}


def classification(build: Callable[[], nn.Module], size: int, **changes: Any) -> Workload:
    """Images of ``size`` pixels with a class each, trained with Adam on a CPU."""

    def batch(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.rand(count, 3, size, size), torch.zeros(count, dtype=torch.int64)

    given = {"build": build, "loss": cross_entropy, "optimizer": torch.optim.Adam, "backend": "cpu"}
    return Workload(**{**given, "one": batch(1), "two": batch(2), **changes})


def measured(workload: Workload, inputs: Any, targets: Any) -> AllocatorPeak:
    """The second step of the workload with real numbers; the first one makes the optimiser's state."""
    model = workload.build().train()
    optimizer = workload.optimizer([p for p in model.parameters() if p.requires_grad])
    half = workload.precision != torch.float32
    autocast = partial(torch.autocast, "cpu", workload.precision if half else torch.bfloat16, enabled=half)
    return real_peak(model, optimizer, workload.loss, (inputs, targets), autocast)
