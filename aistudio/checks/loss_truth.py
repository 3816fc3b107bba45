"""A check of the loss alone: the right outputs, written down from the targets, must cost next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isfinite, isnan
from typing import Any, cast

import torch
from torch import Tensor, nn

from aistudio.checks.outcome import Outcome, failed, passed, skipped
from aistudio.checks.right_outputs import (
    CERTAIN,
    Link,
    is_shares,
    is_values,
    links,
    misplaced,
    right_outputs,
    shifted,
    zero_to_one,
)
from aistudio.checks.subject import Subject

_SCALES = (0.0, 0.5, *CERTAIN[:3], 3.0, 6.0, CERTAIN[-1])  # 0: outputs that say nothing
_TURNS = 1.05  # times the least loss, that of the most certain outputs where labels are smoothed
_SURELY = 0.95  # of the least loss at those scales, between which there may be a lower one
_NO_MORE = 0.01  # of the way from right to unsure: outputs in wrong places cost more, or places do not count
_NOTHING = 1e-9  # that rounding makes of a loss of zero
_FORGIVEN = 0.9  # of the loss of knowing nothing: what is wrong costs more
_FLAT = 0.1  # of the loss of knowing nothing, that certain outputs of any size leave: something bounds them
_SPIKE = 200.0  # logits; half of them come up in a training now and then
_NEARBY = 1e-3  # of the way from right to unsure, that the loss may fall beside right values
_NEAR = 0.05  # by how much values are moved to see whether right ones cost least
FAR = 1000.0  # logits at which a loss without a lower bound is far below zero


class Says(nn.Module):
    """A model that gives the same output to everything."""

    def __init__(self, output: Any):
        super().__init__()
        self.output = output

    def forward(self, *args: Any) -> Any:
        """``output``."""
        return self.output


@dataclass(frozen=True)
class LossRewardsTruth:
    """Outputs that are right have a small loss, and outputs that are wrong a larger one than none at all.

    ``left`` is how much of the loss of knowing nothing right outputs may have; ``left_smoothed`` the same
    for smoothed labels, which too certain outputs cost more.
    """

    why: str
    left: float = 0.4
    left_smoothed: float = 0.8

    def __call__(self, subject: Subject) -> Outcome:
        """Losses of outputs that are written down, not computed: right, unsure, wrong. No model is run."""
        output, targets = subject.training.first.output, subject.batch().targets
        right = right_outputs(output, targets)
        if right is None:
            return skipped("the loss of this task is the model's own, or takes targets of another kind")
        try:
            outcomes = [self._judged(subject, output, right, link) for link in links(output, targets)]
        except Exception as error:
            return skipped(f"the loss does not take an output alone ({type(error).__name__}: {error})")
        if outcomes[0].status == "failed" and is_values(targets) and not isinstance(output, dict):
            outcomes += [self._fitted(subject, output, right)]
        return next((outcome for outcome in outcomes if outcome.status == "passed"), outcomes[0])

    def _fitted(self, subject: Subject, output: Tensor, targets: Tensor) -> Outcome:
        """Whether outputs fitted to the loss go up with the targets, which it may standardise or take logarithms of."""
        constant = torch.zeros_like(targets[:1]).requires_grad_()
        free = torch.zeros_like(targets).requires_grad_()
        loss = partial(_loss, subject, output)
        floor, least = (_fit(loss, one, len(targets)) for one in (constant, free))
        said, order = free.detach(), targets.argsort(0)
        rises, due = said.gather(0, order).diff(dim=0), targets.gather(0, order).diff(dim=0)
        seen, expected = f"fitted outputs {least:.3g}, the best constant {floor:.3g}", "outputs that follow the targets"
        if bool((rises < 1e-3 * due).any()) or not 0 <= least <= self.left * floor:
            return failed(seen, expected, "the loss rounds, clips or casts the targets: print what it compares")
        for words, other in (("more by one", said + 1), ("twice as large", 2 * said)):
            with torch.no_grad():
                cost = float(loss(other))
            if cost <= least + _NO_MORE * (floor - least):
                cause = "the loss forgets the offset or the scale of values: look for differences and cosines in it"
                return failed(f"{seen}, {words} {cost:.3g}", expected, cause)
        return passed(f"{seen}: the loss takes other values than the targets, in their order", expected)

    def _judged(self, subject: Subject, output: Any, right: Tensor, link: Link) -> Outcome:
        """Whether losses go up from right to wrong, for outputs behind a link."""
        targets = subject.batch().targets

        def loss(scale: float) -> float:
            said = link(shifted(right, scale, targets))
            with torch.no_grad():
                return float(_loss(subject, output, said))

        right_ones = [loss(scale) for scale in CERTAIN]
        best, unsure, wrong, far = min(right_ones), loss(0.0), loss(-CERTAIN[1]), loss(FAR)
        shares = is_shares(targets)
        smoothed = shares or (link is not zero_to_one and right_ones[-1] > _TURNS * best)  # too certain is wrong again
        seen = f"right {best:.3g}, unsure {unsure:.3g}, wrong {wrong:.3g}"
        expected = f"right at most {self.left:g} of unsure, and wrong above it"
        spikes = () if is_values(targets) else (loss(-_SPIKE), loss(_SPIKE))
        if not all(map(isfinite, (best, unsure, wrong))) or any(map(isnan, spikes)):
            cause = "a logarithm or a division that is not safe for certain outputs: take log_softmax, add an eps"
            return failed(seen, expected, cause)
        if isfinite(far) and far < min(best, 0.0) - 10:
            cause = "a term without a lower bound: a logarithm, a square or a clamp is missing"
            return failed(f"{far:.3g} for outputs of {FAR:g}", "a loss that stays above a floor", cause)
        if best >= unsure - _NOTHING or wrong <= best + _NOTHING:
            cause = "the sign of the loss, the order of its arguments (output first), or other classes in it"
            return failed(seen, expected, cause)
        if wrong < _FORGIVEN * unsure:
            cause = "a weight that is small where outputs are wrong: a focal loss weighs by (1 - p) ** gamma, not by p"
            return failed(seen, expected, cause)
        if best > (self.left_smoothed if smoothed else self.left) * unsure:
            cause = (
                "an activation before a loss that takes logits (remove it), arguments swapped, shapes that broadcast"
            )
            return failed(seen, expected, cause)
        if not smoothed and right_ones[-3] - best <= 1e-6 * unsure and best > _FLAT * unsure:
            cause = "outputs are bounded before the loss (clamp, tanh): remove it, or multiply what is bounded"
            return failed(f"right {best:.3g}, however certain, unsure {unsure:.3g}", expected, cause)
        said = shifted(right, CERTAIN[right_ones.index(best)], targets)
        return self._placed(subject, output, said, link, unsure) or passed(seen, expected)

    def _placed(self, subject: Subject, output: Any, said: Tensor, link: Link, unsure: float) -> Outcome | None:
        """What is found of the best outputs that were written down: others that cost no more, or even less."""
        targets, loss = subject.batch().targets, partial(_loss, subject, output)
        with torch.no_grad():
            best = float(loss(link(said)))
            costs = [(words, float(loss(link(other))), cause) for words, other, cause in misplaced(said, targets)]
        for words, cost, cause in costs:
            if cost <= best + _NO_MORE * (unsure - best):
                seen = f"right {best:.3g}, unsure {unsure:.3g}, {words} {cost:.3g}"
                return failed(seen, "right outputs cost least", cause)
        if is_values(targets) and best - _least_nearby(loss, said) > _NEARBY * (unsure - best):
            return self._fitted(subject, output, said)
        return None


def floor_of_smoothed(subject: Subject) -> float:
    """The least loss where labels are smoothed, so that too certain outputs cost more again; else 0."""
    output, targets = subject.training.first.output, subject.batch().targets
    right = right_outputs(output, targets)
    if right is None or is_values(targets):
        return 0.0
    with torch.no_grad():
        found = [float(_loss(subject, output, right * scale)) for scale in _SCALES]
    best = min(found)
    return _SURELY * best if found[-1] > _TURNS * best and best < found[0] else 0.0


def _loss(subject: Subject, output: Any, values: Tensor) -> Tensor:
    """The task's loss where the model gives ``values`` in the place of every tensor of ``output``."""
    said = dict.fromkeys(output, values) if isinstance(output, dict) else values
    torch.manual_seed(subject.seed)
    batch = subject.batch()
    return cast(Tensor, sum(subject.task.loss(Says(said), batch.inputs, batch.targets).values()))


def _least_nearby(loss: Callable[[Tensor], Tensor], said: Tensor) -> float:
    """The loss a little way downhill from outputs, each of which is moved by as much."""
    start = said.detach().clone().requires_grad_()
    total = loss(start)
    slope = torch.autograd.grad(total, start, allow_unused=True)[0] if total.requires_grad else None
    if slope is None:
        return float(total)
    with torch.no_grad():
        return float(loss(start - _NEAR * slope.sign()))


def _fit(loss: Callable[[Tensor], Tensor], start: Tensor, count: int) -> float:
    """The least loss that is found by going downhill from ``start``, in place, repeated for ``count`` images."""
    optimizer = torch.optim.LBFGS([start], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        total = loss(start.expand(count, *start.shape[1:]))
        total.backward()
        return total

    optimizer.step(closure)
    return float(closure().detach())
