"""Ways in which targets get apart from their images, one by one: what is true of a sample, moved or renamed.

A model that was trained on targets which are mirrored against their images gives outputs that are mirrored against the
truth: they fit the mirrored truth better than the true one. So the truth that fits best names the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from aistudio.data.sample import Sample
from aistudio.oriented import canonical_boxes
from aistudio.tasks.oriented_object_detection import OrientedObjectDetection
from aistudio.tasks.regression import Regression, true_values

_Truth = Callable[[Sample], Sample]  # the image stays, what is known of it changes


@dataclass(frozen=True)
class Motion:
    """x and y exchanged, if so; then each scaled by a factor and shifted by a share of the image's side."""

    x: tuple[float, float] = (1.0, 0.0)
    y: tuple[float, float] = (1.0, 0.0)
    swap: bool = False

    def __call__(self, sample: Sample) -> Sample:
        """The sample with all that lies in its image moved."""
        height, width = sample.image.shape[-2:]
        moves = {"extents": self._extents, "boxes": self._boxes, "masks": self._mask, "class_mask": self._mask}
        known = {name: getattr(sample, name) for name in moves}
        moved: dict[str, Any] = {
            name: moves[name](value, height, width) for name, value in known.items() if value is not None
        }
        return replace(sample, **moved)

    def _extents(self, boxes: Tensor, height: int, width: int) -> Tensor:
        x, y = boxes[:, 0::2], boxes[:, 1::2]
        x, y = (y, x) if self.swap else (x, y)
        x, y = self.x[0] * x + self.x[1] * width, self.y[0] * y + self.y[1] * height
        return torch.stack((x.amin(1), y.amin(1), x.amax(1), y.amax(1)), 1)

    def _boxes(self, boxes: Tensor, height: int, width: int) -> Tensor:
        cx, cy, w, h, angle = boxes.unbind(1)
        cx, cy, angle = (cy, cx, -90 - angle) if self.swap else (cx, cy, angle)
        cx, cy = self.x[0] * cx + self.x[1] * width, self.y[0] * cy + self.y[1] * height
        scale = abs(self.x[0] * self.y[0]) ** 0.5
        angle = angle if self.x[0] * self.y[0] > 0 else -angle
        return canonical_boxes(torch.stack((cx, cy, w * scale, h * scale, angle), 1))

    def _mask(self, mask: Tensor, height: int, width: int) -> Tensor:
        mask = mask.transpose(-1, -2) if self.swap else mask
        rows, columns = _sources(height, *self.y), _sources(width, *self.x)
        moved = mask[..., rows.clamp(0, height - 1), :][..., columns.clamp(0, width - 1)]
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        return moved.where(inside, torch.zeros_like(moved))


def _sources(side: int, factor: float, shift: float) -> Tensor:
    """Which pixel of before comes to lie at each pixel of a side."""
    return ((torch.arange(side) + 0.5 - shift * side) / factor).floor().long()


def about_centre(factor: float) -> Motion:
    """A zoom that leaves the middle of the image where it is."""
    return Motion((factor, (1 - factor) / 2), (factor, (1 - factor) / 2))


STEP = 0.125  # of the side: how far a shift is tried
MOTIONS: dict[str, Motion] = {
    "mirrored left-right": Motion(x=(-1.0, 1.0)),
    "mirrored top-bottom": Motion(y=(-1.0, 1.0)),
    "turned by 180 degrees": Motion(x=(-1.0, 1.0), y=(-1.0, 1.0)),
    "transposed (x and y swapped)": Motion(swap=True),
    "turned by 90 degrees": Motion(x=(-1.0, 1.0), swap=True),
    "turned by -90 degrees": Motion(y=(-1.0, 1.0), swap=True),
    "at half the scale": Motion((0.5, 0.0), (0.5, 0.0)),
    "at twice the scale": Motion((2.0, 0.0), (2.0, 0.0)),
    "shrunk about the centre": about_centre(0.67),
    "enlarged about the centre": about_centre(1.5),
    **{
        f"shifted {where} by {int(1 / share)}th of the image": Motion(x=(1.0, dx * share), y=(1.0, dy * share))
        for share in (STEP, 2 * STEP)
        for where, dx, dy in (("right", 1, 0), ("left", -1, 0), ("down", 0, 1), ("up", 0, -1), ("down and right", 1, 1))
    },
}


def turned(change: Callable[[Tensor], Tensor]) -> _Truth:
    """Another angle in degrees for every rotated box."""

    def truth(sample: Sample) -> Sample:
        boxes = sample.known("boxes")
        return replace(sample, boxes=canonical_boxes(torch.cat((boxes[:, :4], change(boxes[:, 4:])), 1)))

    return truth


ANGLES: dict[str, _Truth] = {
    "with angles of the other direction (clockwise)": turned(torch.neg),
    "with sides swapped (angles off by 90 degrees)": turned(lambda angle: angle + 90),
    "with angles in radians": turned(torch.deg2rad),
    "with angles in radians, clockwise": turned(lambda angle: -angle.deg2rad()),
    "with angles of 0": turned(torch.zeros_like),
    "with angles twice as large": turned(lambda angle: 2 * angle),
    "with angles half as large": turned(lambda angle: angle / 2),
}


def _labelled(change: Callable[[Tensor], Tensor], sample: Sample) -> Sample:
    return replace(sample, labels=change(sample.known("labels")))


def _valued(change: Callable[[Tensor], Tensor], count: int, sample: Sample) -> Sample:
    return replace(sample, values=change(true_values(sample, count)))


def _other_labels(classes: int) -> Iterator[tuple[str, _Truth]]:
    """Labels 0 … ``classes`` - 1 moved on, or in the other order."""
    if classes > 1:
        yield "with labels one too high", partial(_labelled, lambda labels: (labels + 1) % classes)
    if classes > 2:
        yield "with labels one too low", partial(_labelled, lambda labels: (labels - 1) % classes)
        yield "with labels in the other order", partial(_labelled, lambda labels: classes - 1 - labels)


def merged_labels(classes: int) -> dict[str, _Truth]:
    """Labels 0 … ``classes`` - 1 of which two are one, or all. A model that has learnt nothing may fit the latter."""
    found: dict[str, _Truth] = {}
    for one in range(classes) if classes > 1 else ():
        found[f"with class {one} everywhere"] = partial(_labelled, partial(_merge, list(range(classes)), one))
        for other in range(classes) if classes > 2 else ():
            if other != one:
                found[f"with class {other} taken for class {one}"] = partial(_labelled, partial(_merge, [other], one))
    return found


def _merge(these: list[int], one: int, labels: Tensor) -> Tensor:
    return labels.where(~torch.isin(labels, torch.tensor(these)), one)


def _other_values(count: int) -> Iterator[tuple[str, _Truth]]:
    """Values of the other sign, of another scale, off by one, their columns in another order."""
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "with values of the other sign (a mirrored image keeps its value?)": torch.neg,
        "with values half as large": lambda values: values / 2,
        "with values twice as large": lambda values: 2 * values,
        "with values too high by one deviation": lambda values: values + 1,
        "with values too low by one deviation": lambda values: values - 1,
    }
    if count > 1:
        changes["with columns of values in another order"] = lambda values: values.roll(1)
        changes["with the first two values swapped"] = lambda values: values[[1, 0, *range(2, count)]]
        changes["with the first value of the other sign"] = lambda values: torch.cat((-values[:1], values[1:]))
        changes["with the second value of the other sign"] = lambda values: torch.cat(
            (values[:1], -values[1:2], values[2:])
        )
    for words, change in changes.items():
        yield words, partial(_valued, change, count)


def other_truths(task: Any, classes: int) -> dict[str, _Truth]:
    """Other truths that a task's metrics can tell from the true one, by the words that name them; merged labels aside.

    None of them is one that a model which has learnt nothing fits well.
    """
    if isinstance(task, Regression):
        return dict(MOTIONS) | dict(_other_values(task.num_outputs))
    found: dict[str, _Truth] = dict(_other_labels(classes))
    if task.max_objects > 1:
        found |= MOTIONS
    return found | ANGLES if isinstance(task, OrientedObjectDetection) else found
