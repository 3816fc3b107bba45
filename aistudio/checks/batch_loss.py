"""Checks of the loss as a number, the same for a batch twice or turned around, and of the classes in targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from aistudio.checks.check_mode import NothingDropped
from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import Subject

_DRAWS = 8  # of random numbers, to see how far they alone move a loss
_VALUES, _SEVERAL = 65, 0.9  # values that are tried, and the share of them whose targets are to differ
_MOST_CLASSES = 12  # that are painted, the first ones and the last ones


@dataclass(frozen=True)
class LossIsMean:
    """A batch twice over has the loss of the batch, and so has the batch in another order.

    ``relative`` is how far they may be apart; detectors, which draw regions by chance, may be ``drawn`` apart.
    """

    why: str
    relative: float = 1e-3
    drawn: float = 0.4

    def __call__(self, subject: Subject) -> Outcome:
        """Losses of two images, of the same two in reverse order, and of both twice; batch norms fixed, dropout off."""
        model, batch = subject.own_code, subject.batch()
        listed = isinstance(batch.inputs, list)
        if subject.batch_size < 2 or not isinstance(batch.targets, Tensor | list):
            return skipped("the targets of this task cannot be put in another order")

        def loss(order: Sequence[int], draw: int = 0) -> float:
            torch.manual_seed(subject.seed + draw)
            with torch.no_grad(), NothingDropped():
                picked = subject.task.loss(model, pick(batch.inputs, order), pick(batch.targets, order))
            return float(sum(picked.values()))

        once, turned, twice = loss((0, 1)), loss((1, 0)), loss((0, 1, 0, 1))
        limit = self.drawn if listed else self.relative
        seen = f"two images {once:.4g}, in reverse order {turned:.4g}, both twice {twice:.4g}"
        expected = f"the same three times, within {limit:g}"
        if not isfinite(once + turned + twice):
            return skipped(f"a loss is not finite: {seen}")
        scale, apart = limit * max(abs(once), 1e-6), max(abs(twice - once), abs(turned - once))
        if apart > scale and apart < 2 * (noise := max(abs(loss((0, 1), draw) - once) for draw in range(1, _DRAWS))):
            return skipped(f"the loss draws random numbers of its own: with others it differs by {noise:.2g}")
        if abs(twice - once) > scale:
            return failed(seen, expected, _size_because(twice / once if once else 0.0, limit))
        if abs(turned - once) > scale:
            cause = "the order of the batch counts: collate() or the loss sorts, shuffles or moves targets"
            return failed(seen, expected, cause)
        return passed(seen, expected)


def _size_because(ratio: float, limit: float) -> str:
    """Why the loss of a batch twice over is another one, from the ratio of the two."""
    if abs(ratio - 2) <= limit:
        return "the loss is summed over images (reduction='sum'): the learning rate then depends on the batch size"
    if abs(ratio - 0.5) <= limit / 4:
        return "the loss is divided by the batch size twice: the learning rate then depends on the batch size"
    return "a softmax or a statistic over the batch in the loss, or targets beside other images: check dim"


def pick(values: Tensor | list, order: Sequence[int]) -> Tensor | list:
    """Images or targets in an order."""
    return [values[index] for index in order] if isinstance(values, list) else values[list(order)]


@dataclass(frozen=True)
class TargetsDiffer:
    """Samples of different classes have different targets, and their class ids go up with the classes."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """The targets of painted images with one object each: the same object in every class."""
        if not subject.paints:
            return self._of_values(subject)
        classes = subject.task.sample_labels
        expected = "another target for every class, in the order of the classes"
        chosen = list(range(classes))
        if classes > _MOST_CLASSES:
            chosen = [*chosen[: _MOST_CLASSES // 2], *chosen[-_MOST_CLASSES // 2 :]]
        batch = subject.batch(labels=[[label] for label in chosen])
        found = [_class_of(one, classes) for one in batch.targets]
        numbers = [number for number in found if number is not None]
        if classes < 2 or len(numbers) < len(found):
            return self._of_values(subject)
        seen = ", ".join(f"{label} → {number:g}" for label, number in zip(chosen, numbers, strict=True))
        merged = len(chosen) - len(set(numbers))
        if merged:
            cause = "target() merges classes: look for a comparison, a clamp, a division, a table that lacks some"
            return failed(f"{merged} of {len(chosen)} classes have the target of another: {seen}", expected, cause)
        if sorted(numbers) != numbers:
            cause = "target() moves or reverses the classes: look for a modulo, a subtraction, a sorted table"
            return failed(f"classes in another order: {seen}", expected, cause)
        return passed(seen if len(chosen) < 5 else f"{len(chosen)} classes, {len(chosen)} targets", expected)

    def _of_values(self, subject: Subject) -> Outcome:
        """Targets that hold no class: those of the shared batch must not all be the same."""
        targets = subject.batch().targets
        if not isinstance(targets, Tensor) or len(targets) < 2 or not targets.is_floating_point():
            return skipped("the targets of this task tell no classes apart")
        if bool((targets == targets[:1]).all()):
            return failed(
                f"every target is {some(map(str, targets[0].tolist()))}",
                "targets that differ",
                "target() gives a constant",
            )
        merged = _merged_values(subject) if subject.paints else 0
        if merged:
            seen = f"{_VALUES} different values have {merged} targets"
            cause = "target() rounds, clips, casts or drops the sign of values: print it for two that are close"
            return failed(seen, "another target for every value", cause)
        return passed(f"{len(targets)} targets that differ", "targets that differ")


def _merged_values(subject: Subject) -> int:
    """How many targets a sample has whose first value takes many, where that is far fewer; 0 where it is not."""
    sample, target = subject.batch().samples[0], subject.task.target
    given = torch.as_tensor(target(sample)).flatten()
    most = float(torch.cat([torch.as_tensor(target(one)).flatten() for one in subject.batch().samples]).abs().max())
    values = given.float().repeat(_VALUES, 1)
    values[:, 0] = torch.linspace(-most, most, _VALUES)
    try:
        found = torch.stack([torch.as_tensor(target(replace(sample, values=one))).flatten() for one in values])
    except Exception:  # it takes no values of that kind
        return 0
    count = len(found.unique(dim=0))
    return count if 1 < count < _SEVERAL * _VALUES else 0  # 1: it does not look at values


def _class_of(target: Any, classes: int) -> float | None:
    """The class that a target names: a number, the one value of a mask, a label; None where it names none."""
    if isinstance(target, dict):
        labels = target.get("labels")
        return float(labels[0]) if isinstance(labels, Tensor) and len(labels) else None
    if not isinstance(target, Tensor):
        return None
    if target.numel() == 1 and (not target.is_floating_point() or classes == 2):
        return float(target)
    if target.dim() == 2 and target.dtype == torch.int64:
        inside = target[(target != 0) & (target != 255)]
        return float(inside.flatten().mode()[0]) if len(inside) else 0.0
    return None
