"""A check of the loss alone: the right outputs, written down from the targets, must cost next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aistudio.checks.edges import is_mask
from aistudio.checks.outcome import Outcome, failed, passed, skipped
from aistudio.checks.subject import Subject

_CERTAIN = (1.0, 2.0, 4.0, 8.0, 16.0)  # logits of the right class; smoothed labels like none too large
_Link = Callable[[Tensor], Tensor]
_SCALES = (0.0, 0.5, *_CERTAIN[:3], 3.0, 6.0, _CERTAIN[-1])  # 0: outputs that say nothing
_TURNS = 1.05  # times the least loss, that of the most certain outputs where labels are smoothed
_SURELY = 0.95  # of the least loss at those scales, between which there may be a lower one
_NO_MORE = 0.01  # of the way from right to unsure: outputs in wrong places cost more, or places do not count
_ALIKE = 0.1  # of the largest output
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
        right = _right_outputs(output, targets)
        if right is None:
            return skipped("the loss of this task is the model's own, or takes targets of another kind")
        try:
            outcomes = [self._judged(subject, output, right, link) for link in links(output, targets)]
        except Exception as error:
            return skipped(f"the loss does not take an output alone ({type(error).__name__}: {error})")
        if outcomes[0].status == "failed" and _is_values(targets) and not isinstance(output, dict):
            outcomes += [self._fitted(subject, output, right)]
        return next((outcome for outcome in outcomes if outcome.status == "passed"), outcomes[0])

    def _fitted(self, subject: Subject, output: Tensor, targets: Tensor) -> Outcome:
        """Whether outputs fitted to the loss go up with the targets, which it may standardise or take logarithms of."""
        constant = torch.zeros_like(targets[:1]).requires_grad_()
        free = torch.zeros_like(targets).requires_grad_()
        floor, least = (_fit(partial(_loss, subject, output), one, len(targets)) for one in (constant, free))
        ordered = free.detach().gather(0, targets.argsort(0))
        seen, expected = f"fitted outputs {least:.3g}, the best constant {floor:.3g}", "outputs that follow the targets"
        if bool((ordered.diff(dim=0) > 0).all()) and 0 <= least <= self.left * floor:
            return passed(f"{seen}: the loss takes other values than the targets, in their order", expected)
        return failed(seen, expected, "")

    def _judged(self, subject: Subject, output: Any, right: Tensor, link: _Link) -> Outcome:
        """Whether losses go up from right to wrong, for outputs behind a link."""

        def loss(scale: float) -> float:
            said = link(shifted(right, scale, subject.batch().targets))
            with torch.no_grad():
                return float(_loss(subject, output, said))

        right_ones = [loss(scale) for scale in _CERTAIN]
        best, unsure, wrong, far = min(right_ones), loss(0.0), loss(-_CERTAIN[1]), loss(FAR)
        shares = _is_shares(subject.batch().targets)
        smoothed = shares or right_ones[-1] > _TURNS * best  # too certain is wrong again
        seen = f"right {best:.3g}, unsure {unsure:.3g}, wrong {wrong:.3g}"
        expected = f"right at most {self.left:g} of unsure, and wrong above it"
        if not all(map(isfinite, (best, unsure, wrong))):
            return failed(
                seen,
                expected,
                "a logarithm or a division that is not safe for certain outputs: take log_softmax, add an eps",
            )
        if isfinite(far) and far < min(best, 0.0) - 10:
            cause = "a term without a lower bound: a logarithm, a square or a clamp is missing"
            return failed(f"{far:.3g} for outputs of {FAR:g}", "a loss that stays above a floor", cause)
        if best >= unsure or wrong <= best:
            cause = "the sign of the loss, the order of its arguments (output first), or other classes in it"
            return failed(seen, expected, cause)
        if best > (self.left_smoothed if smoothed else self.left) * unsure:
            cause = (
                "an activation before a loss that takes logits (remove it), arguments swapped, shapes that broadcast"
            )
            return failed(seen, expected, cause)
        said = link(shifted(right, _CERTAIN[right_ones.index(best)], subject.batch().targets))
        for words, other in misplaced(said):
            with torch.no_grad():
                cost = float(_loss(subject, output, other))
            if cost <= best + _NO_MORE * (unsure - best):
                cause = "the loss sorts, averages or sums before it compares: look for sort(), mean() and sum() in it"
                return failed(f"right {best:.3g}, unsure {unsure:.3g}, {words} {cost:.3g}", expected, cause)
        return passed(seen, expected)


def misplaced(said: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Outputs beside other images and in another order, in words, where that makes a difference."""
    for words, dim in (("those of the next image", 0), ("those of the next column", 1)):
        other = said.roll(1, dim) if said.dim() > dim else said
        if (other - said).abs().max() > _ALIKE * said.abs().max():
            yield words, other


def floor_of_smoothed(subject: Subject) -> float:
    """The least loss where labels are smoothed, so that too certain outputs cost more again; else 0."""
    output, targets = subject.training.first.output, subject.batch().targets
    right = _right_outputs(output, targets)
    if right is None or _is_values(targets):
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


def shifted(right: Tensor, scale: float, targets: Tensor) -> Tensor:
    """Right outputs, less right: logits smaller or turned around, values further away."""
    return right + (scale - _CERTAIN[-1]) / _CERTAIN[-1] if _is_values(targets) else right * scale


def links(output: Any, targets: Tensor) -> list[_Link]:
    """What may stand at the end of the model: nothing, what makes 0 and 1, or probabilities where it gave such."""
    one = next(tensors(output))
    found: list[_Link] = [lambda logits: logits]
    if _is_values(targets):
        return found
    found.append(lambda logits: (logits + 1) / 2)  # a squared error, against 0 and 1
    if bool(((one.exp().sum(1) - 1).abs() < 1e-3).all()):
        found.append(lambda logits: logits.log_softmax(1))
    if bool(((one >= 0) & (one <= 1)).all()):
        found.append(lambda logits: logits.softmax(1) if one.shape[1] > 1 else logits.sigmoid())
    return found


def _right_outputs(output: Any, targets: Any) -> Tensor | None:
    """What a model should give for these targets, shaped as ``output``: ±1 for logits, or the values."""
    shapes = {tuple(one.shape) for one in tensors(output)}
    if len(shapes) != 1 or not isinstance(targets, Tensor):
        return None
    shape = shapes.pop()
    if targets.dtype == torch.int64 and targets.dim() == 1 and len(shape) == 2 and shape[1] > 1:
        return one_hot(targets, shape[1])
    if is_mask(targets) and len(shape) == 4 and shape[2:] == targets.shape[1:]:
        return one_hot(targets.where(targets < shape[1], 0), shape[1]).permute(0, 3, 1, 2)
    if targets.is_floating_point() and targets.shape == shape and _is_shares(targets):
        return targets.clamp(min=1e-4).log()
    if targets.is_floating_point() and targets.shape == shape:
        return targets if _is_values(targets) else 2 * targets - 1  # of 0 and 1
    return None


def _is_shares(targets: Any) -> bool:
    """Whether targets say how much of each class there is, (N, C): smoothed or mixed labels."""
    if not isinstance(targets, Tensor) or not targets.is_floating_point() or targets.dim() != 2 or targets.shape[1] < 2:
        return False
    one = bool((targets >= 0).all()) and bool(((targets.sum(1) - 1).abs() < 1e-3).all())
    return one and not bool(((targets == 0) | (targets == 1)).all())


def _is_values(targets: Any) -> bool:
    """Whether targets are measured values, not 0 and 1, nor shares."""
    return (
        isinstance(targets, Tensor)
        and targets.is_floating_point()
        and not bool(((targets == 0) | (targets == 1)).all())
        and not _is_shares(targets)
    )


def one_hot(classes: Tensor, count: int) -> Tensor:
    """(…) int64 → (…, count): 1 at the class, -1 elsewhere."""
    return 2.0 * F.one_hot(classes.clamp(0, count - 1), count) - 1


def tensors(output: Any) -> Iterator[Tensor]:
    """The tensors of an output that is one or a dict of them."""
    for value in output.values() if isinstance(output, dict) else [output]:
        if isinstance(value, Tensor):
            yield value
