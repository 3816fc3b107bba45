"""A check of the optimiser alone, on a known problem of a few numbers, which costs next to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.checks.outcome import Outcome, failed, passed, skipped
from aistudio.checks.subject import MakeOptimizer, Subject

STEPS = 12
WARM_UP = 3  # steps that may do nothing: a schedule may start at 0
SHAPES = ((8,), (4, 3), (1,), (2, 1, 3, 3))  # a bias, a matrix, a scale, a kernel
_FORGETS = 0.999  # momentum
_STILL = 1.1  # times the rate of the step before
_GROWN = 10.0  # times the learning rate that was configured, in a dozen steps
SLOPE = 0.1  # of the problem: every number starts at START and should go up
START = 0.01  # small, so that a weight decay which belongs to the gradient does not outweigh it
MOST_UPHILL = 0.5  # of what goes downhill: averaging with earlier weights (Lookahead) takes a part of it back


@dataclass
class Trial:
    """What an optimiser did with parameters whose gradient is -`SLOPE` everywhere, step by step."""

    given: int = 0
    held: int = 0
    steps: list[float] = field(default_factory=list)  # the mean change of a number, towards lower loss above 0
    largest: list[float] = field(default_factory=list)  # the largest change of any number
    still: list[int] = field(default_factory=list)  # tensors that did not move
    scatter: float = 0.0  # of the numbers of one tensor, which all have one gradient, against how far they moved
    left: float = 0.0  # the largest gradient that zero_grad leaves
    kept: float = 1.0  # of the gradient's norm, after the step
    rates: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)  # of the first group


@dataclass(frozen=True)
class Optimizer:
    """The optimiser as configured goes downhill in every step, with everything that it was given.

    ``shrink`` is the largest share that one step may take off a weight without gradient, ``fade`` the least that a
    step may have of the first one's size after a dozen, ``least`` the least change of a weight that counts.
    """

    why: str
    shrink: float = 0.05
    fade: float = 0.05
    least: float = 1e-7

    def __call__(self, subject: Subject) -> Outcome:
        """A dozen steps on four tensors of equal numbers whose gradients are all the same."""
        try:
            trial = on_a_slope(subject.optimizer)
            decay = shrinkage(subject.optimizer)
        except Exception as error:  # made for the names or shapes of one model
            return skipped(f"the optimiser does not take other parameters ({type(error).__name__}: {error})")
        expected = f"{STEPS} steps downhill with every parameter, from fresh gradients"
        seen, cause = self._problem(trial, decay)
        seen, cause = (seen, cause) if cause else forgetful(trial.settings)
        if cause:
            return failed(seen, expected, cause)
        return passed(f"{len(trial.steps)} steps of {trial.largest[-1]:.2g} downhill", expected)

    def _problem(self, trial: Trial, decay: float) -> tuple[str, str]:
        """What was seen and the cause, or two empty sentences."""
        late = trial.largest[WARM_UP:]
        if trial.held < trial.given:
            return (
                f"it holds {trial.held} of {trial.given} tensors",
                "parameters are left out of its groups, or copied: give it list(parameters) whole",
            )
        if trial.left > 0:
            return (
                "zero_grad leaves gradients",
                "every step takes the sum of all gradients so far: call torch's own zero_grad()",
            )
        if trial.kept < 1e-3:
            return (
                f"{trial.kept:.2g} of the gradients is left in a step",
                "they are clipped to nothing: a norm of 1 is usual",
            )
        if trial.still:
            return (
                f"{len(trial.still)} of {trial.given} tensors never move",
                "a group has a learning rate of 0, or is put back: print the groups of param_groups with their lr",
            )
        if max(late) < self.least and not warming_up(trial.rates, trial.settings):
            return f"no weight moves by more than {max(late):.2g}", tiny_because(trial)
        if trial.rates[-1] < self.fade * max(trial.rates):
            seen = f"the learning rate falls from {max(trial.rates):.2g} to {trial.rates[-1]:.2g} in {STEPS} steps"
            return seen, "a scheduler meant for epochs is stepped with every batch: step it once an epoch"
        if late[-1] < self.fade * max(late):
            quiet = sum(size < self.fade * max(late) for size in late)
            return (
                f"{quiet} of the last {len(late)} steps change nothing",
                "steps are skipped, or only the first are taken: look for counters in step()",
            )
        return self._wrong_way(trial, decay)

    def _wrong_way(self, trial: Trial, decay: float) -> tuple[str, str]:
        if decay > self.shrink:
            return (
                f"a weight without gradient loses {100 * decay:.0f} % in a step",
                "the weight decay is far too large: 0.01 is usual",
            )
        if sum(trial.steps) <= 0:
            cause = (
                "it climbs: look for maximize and the sign of the update; or the weight decay outweighs the gradient"
            )
            return f"{STEPS} steps go {-sum(trial.steps):.2g} uphill", cause
        if max(trial.largest) > 1e3:
            cause = "the learning rate is far too high: try a thousandth of it"
            return f"a step of {max(trial.largest):.2g} on a slope of {SLOPE}", cause
        if trial.scatter > 1:
            return "weights with one gradient go different ways", "noise is added to weights: look at step()"
        uphill = -sum(step for step in trial.steps if step < 0)
        if uphill > MOST_UPHILL * (sum(trial.steps) + uphill):
            cause = "updates have the wrong sign now and then: look at step()"
            return "many steps go uphill on a straight slope", cause
        if trial.largest[-1] > 10 * max(trial.largest[:WARM_UP]) and trial.rates[-1] <= 2 * trial.rates[0]:
            seen = f"steps grow from {trial.largest[0]:.2g} to {trial.largest[-1]:.2g}"
            return seen, "a momentum of 1 or more never forgets (0.9 is usual), or gradients are summed over steps"
        grown = trial.rates[-1] / max(trial.rates[0], float(trial.settings.get("initial_lr", 0.0)), 1e-30)
        still_growing = trial.rates[-1] > _STILL * trial.rates[-2]  # a linear warm-up grows by less and less
        if grown > _GROWN and still_growing and "max_lr" not in trial.settings:
            seen = f"the learning rate grows to {grown:.2g} times what was configured, in {STEPS} steps"
            return seen, "a schedule with a factor above 1, which has no end: gamma is below 1"
        return "", ""


def forgetful(settings: dict[str, Any]) -> tuple[str, str]:
    """Settings that a dozen steps are too few to show: what was seen and the cause, or two empty sentences."""
    momentum, dampening = settings.get("momentum", 0), settings.get("dampening", 0)
    if isinstance(momentum, float | int) and momentum >= _FORGETS:
        return f"momentum={momentum:g}", "a gradient of a thousand steps ago still counts: a momentum of 0.9 is usual"
    betas = settings.get("betas")
    if isinstance(betas, tuple | list) and len(betas) == 2 and isinstance(betas[0], float) and betas[0] >= _FORGETS:
        return (
            f"betas={tuple(betas)}",
            "a gradient of a thousand steps ago still counts: (0.9, 0.999) is the usual order",
        )
    if momentum and isinstance(dampening, float | int) and dampening >= 0.99:
        return f"dampening={dampening:g}", "every gradient but the first is thrown away: 0 is usual"
    return "", ""


def warming_up(rates: Sequence[float], settings: Mapping[str, Any]) -> bool:
    """Whether the learning rate goes up with every step towards the one that a scheduler was given."""
    return rates[-1] > rates[0] and rates[-1] < 0.5 * float(settings.get("initial_lr", 0))


def tiny_because(trial: Trial) -> str:
    """Why no weight moves."""
    if max(trial.rates) < 1e-7:
        return f"the learning rate is {max(trial.rates):.2g}: 1e-3 is usual for Adam, 0.1 for SGD"
    return "steps are damped away: look at eps, dampening and clipping"


def on_a_slope(make: MakeOptimizer) -> Trial:
    """Descend with gradients of -`SLOPE`, as a training loop does: zero_grad, backward, step."""
    parameters = [nn.Parameter(torch.full(shape, START)) for shape in SHAPES]
    optimizer = make(list(parameters))
    trial = Trial(given=len(parameters), held=held_of(optimizer, parameters))
    trial.settings = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
    start = values(parameters)
    for _ in range(STEPS):
        before = values(parameters)
        optimizer.zero_grad()
        trial.left = max([trial.left, *(float(p.grad.abs().max()) for p in parameters if p.grad is not None)])
        (-SLOPE * torch.stack([p.sum() for p in parameters]).sum()).backward()
        optimizer.step()
        norm = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None] or [torch.zeros(1)]).norm()
        trial.kept = min(trial.kept, float(norm) / (SLOPE * before.numel() ** 0.5))
        change = values(parameters) - before
        trial.steps.append(float(change.mean()))
        trial.largest.append(float(change.abs().max()))
        trial.rates.append(max(float(group.get("lr", 1.0)) for group in optimizer.param_groups))
    moved = (values(parameters) - start).split([p.numel() for p in parameters])
    trial.still = [index for index, change in enumerate(moved) if not change.any()]
    trial.scatter = max(float((change.max() - change.min()) / change.abs().mean().clamp(min=1e-30)) for change in moved)
    return trial


def shrinkage(make: MakeOptimizer) -> float:
    """The share that one step takes off a weight of 1 whose gradient is 0."""
    parameter = nn.Parameter(torch.ones(1, 1))
    optimizer = make([parameter])
    parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return float(1 - parameter.detach())


def held_of(optimizer: Any, parameters: Sequence[Tensor]) -> int:
    """How many of these very tensors an optimiser holds."""
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return sum(id(p) in held for p in parameters)


def values(parameters: Sequence[Tensor]) -> Tensor:
    """All numbers as one vector, a copy."""
    return torch.cat([p.detach().flatten() for p in parameters]).clone()
