"""One model trained on one fixed batch, and what was seen while it did. Several checks read the same steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

import torch
from torch import Tensor, nn

from aistudio.models.nested import map_tensors
from aistudio.tasks.base import Task
from aistudio.tasks.batch import Batch


@dataclass(frozen=True)
class FirstStep:
    """What the first training step did, or one soon after it.

    ``gradients`` maps every trainable parameter to the largest absolute value of its gradient, None where it has none.
    ``moved`` names the parameters and buffers whose values differ from those before the step. ``output`` is what the
    model gave in train mode when the loss first called it, ``inputs`` what it was given then, ``parts`` the named
    parts of the loss.
    """

    output: Any
    parts: dict[str, float]
    gradients: dict[str, float | None]
    moved: frozenset[str]
    inputs: Any = None


class WatchedTraining:
    """Trains ``model`` step by step on one batch and remembers the losses; ``before`` is the same model untouched.

    Every step draws the same random numbers, so that a loss can only fall because the weights changed. The first step
    runs in float32 even where the run does not, for a gradient that underflows would look like one that is cut.
    ``scale`` multiplies the loss before the backward pass and is divided out of the gradients again (float16).
    """

    def __init__(
        self,
        model: nn.Module,
        before: nn.Module,
        task: Task,
        batch: Batch,
        optimizer: torch.optim.Optimizer,
        seed: int,
        autocast: Callable[[], AbstractContextManager],
        scale: float = 1.0,
    ):
        self.model, self.before, self.task, self.batch = model, before, task, batch
        self.optimizer, self.seed, self.autocast, self.scale = optimizer, seed, autocast, scale
        self.start_rate = max((group.get("lr", 0.0) for group in optimizer.param_groups), default=0.0)
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self._first: FirstStep | None = None
        self._pending: Tensor | None = None  # the last loss, until the step that follows from it

    @property
    def first(self) -> FirstStep:
        """The record of step 1, which is made now if nobody asked before."""
        if self._first is None:
            self._first = self._watched_step()
        return self._first

    def watched_steps(self, count: int) -> list[FirstStep]:
        """The records of ``count`` steps, all in float32; what moved is told against the untouched model.

        Each draws other random numbers: a block that is skipped at random is not skipped in all of them.
        """
        return [self._watched_step(self.seed + index) for index in range(count)]

    def advance(self, steps: int, enough: Callable[[float, float], bool]) -> list[float]:
        """Train for at most ``steps`` steps in all, until ``enough(first loss, loss)`` holds.

        Returns the losses: index 0 before any step, index i after i steps. Stops where a loss is not finite.
        """
        self.first  # noqa: B018  makes the record before the weights go further
        for index in range(1, steps + 1):
            if len(self.losses) <= index:
                self._step()
            if enough(self.losses[0], self.losses[index]) or not isfinite(self.losses[index]):
                break
        self._pending = None  # lets go of the activations
        return self.losses[: index + 1]

    def _watched_step(self, seed: int | None = None) -> FirstStep:
        calls: list[tuple[Any, Any]] = []  # what the model was given, and what it gave
        hook = self.model.register_forward_hook(lambda module, args, output: calls.append((args[:1], output)))
        parts = self._forward(nullcontext(), seed)
        hook.remove()
        self._descend()
        gradients = _largest_gradients(self.model)
        self.optimizer.step()
        values = {name: float(part.detach()) for name, part in parts.items()}
        given, output = map_tensors(Tensor.detach, calls[0]) if calls else ((), None)
        return FirstStep(output, values, gradients, self._moved(), given[0] if given else None)

    def _step(self) -> None:
        """Finish the step whose loss is known, if any, and find the next loss."""
        started = time.perf_counter()
        if len(self.losses) > 1:
            if self._pending is None:
                self._forward(self.autocast())
                self.losses.pop()
            self._descend()
            self.optimizer.step()
        self._forward(self.autocast())
        self.seconds.append(time.perf_counter() - started)

    def _forward(self, precision: AbstractContextManager, seed: int | None = None) -> dict[str, Tensor]:
        torch.manual_seed(self.seed if seed is None else seed)
        self.model.train()
        with precision:
            parts = self.task.loss(self.model, self.batch.inputs, self.batch.targets)
        self._pending = cast(Tensor, sum(parts.values()))
        self.losses.append(float(self._pending.detach()))
        return parts

    def _descend(self) -> None:
        total, self._pending = self._pending, None
        self.optimizer.zero_grad(set_to_none=True)
        if (
            total is None or not total.requires_grad
        ):  # a loss cut off from the model: no gradient anywhere, and a check will say so
            return
        (total * self.scale).backward()
        for parameter in self.model.parameters() if self.scale != 1.0 else ():
            if parameter.grad is not None:
                parameter.grad /= self.scale

    def last_gradients(self) -> dict[str, float | None]:
        """The largest gradients of the last step that was taken."""
        return _largest_gradients(self.model)

    def _moved(self) -> frozenset[str]:
        before = dict(_named_tensors(self.before))
        return frozenset(name for name, now in _named_tensors(self.model) if not torch.equal(now, before[name]))


def _largest_gradients(model: nn.Module) -> dict[str, float | None]:
    """The largest absolute gradient of every trainable parameter, None where there is no gradient."""
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    present = {name: p.grad for name, p in trainable.items() if p.grad is not None}
    peaks = torch._foreach_norm(list(present.values()), float("inf")) if present else []
    values = torch.stack(list(peaks)).tolist() if present else []
    found: dict[str, float | None] = dict(zip(present, values, strict=True))
    return {name: found.get(name) for name in trainable}


def _named_tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]
