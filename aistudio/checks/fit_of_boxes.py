"""Which of the data's boxes a detector can learn from, at the size at which they arrive and at others."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from aistudio.data.arrival import Arrival
from aistudio.models.matching import matching

SIZES = (256, 320, 384, 448, 512, 640, 768, 800, 896, 1024, 1280, 1536)  # pixels that are tried
_ALMOST = 0.95  # of what the best of them reaches


@dataclass(frozen=True)
class DetectorFit:
    """Shares of boxes: ``matched`` by the rule, ``reached`` by an anchor that is no background; ``best`` at any size.

    ``suggested`` is the smallest size that matches almost as many as the best; ``strides`` counts the matched by level.
    ``sides`` (B, 2) are width and height as boxes arrive, ``learnt`` (B,) bool says which are matched.
    """

    arrived: Arrival
    size: int
    rule: str
    rescues: bool
    matched: float
    reached: float
    strides: dict[float, int]
    median: tuple[float, float]
    curve: dict[int, float]
    suggested: int
    size_key: str
    detections: int | None
    detections_key: str
    most: int
    overfull: int
    sides: Tensor
    learnt: Tensor

    @property
    def best(self) -> float:
        """The largest share at any size."""
        return max(self.curve.values(), default=self.matched)

    def in_words(self) -> str:
        """What was seen."""
        images, boxes = len(self.arrived.sizes), len(self.arrived.boxes)
        many = f"{images:,}" if images == self.arrived.of else f"{images:,} of {self.arrived.of:,}"
        levels = ", ".join(f"{_share_of(count, boxes)} at stride {stride:g}" for stride, count in self.strides.items())
        parts = [
            f"{percent(self.matched)} of {boxes:,} boxes in {many} images are matched at {self.size} px"
            + (f" ({levels})" if levels else ""),
            f"they arrive with {self.median[0]:.0f} x {self.median[1]:.0f} px at the median",
            f"{percent(padding(self.arrived))} of the pixels are padding",
        ]
        if self.rescues and self.matched < 1:
            parts.insert(1, f"the others get the one anchor that overlaps most, {percent(self.reached)} a near one")
        return "; ".join([*parts, *([self.overfull_in_words()] if self.overfull else [])])

    def overfull_in_words(self) -> str:
        """Images with more objects than the detector may answer with."""
        return f"{self.overfull} images have more than {self.detections} objects, one has {self.most}"

    def advice(self) -> str:
        """The size to set, or "" where none of those that were tried is better."""
        if self.best <= self.matched or self.suggested == self.size:
            return ""
        kind = "small" if self.suggested > self.size else "large"
        now = f"the objects are too {kind} at {self.size} px, where {percent(self.matched)} are matched"
        return f"{now}: {self.size_key}={self.suggested} would match {percent(self.curve[self.suggested])}"


def fit_of_boxes(detector: nn.Module, arrived: Arrival, size: int, worth: float) -> DetectorFit | None:
    """How boxes fit a detector whose images arrive as squares of ``size`` pixels; None where its rule is not known.

    Other sizes are tried only where ``worth`` more could be gained.
    """
    side = _side_inside(detector, size)
    rule = matching(detector, side)
    if rule is None:
        return None
    match = rule.match(arrived.boxes_at(side), arrived.counts)
    levels = match.levels[match.levels >= 0]
    matched = len(levels) / len(match.levels)
    curve = {side: matched}
    if matched <= 1 - worth:
        curve |= {other: _share_at(detector, arrived, other) for other in SIZES if other != side}
    enough = _ALMOST * max(curve.values())
    counted = Counter(rule.strides[level] for level in levels.tolist())
    limit, key = _detections_of(detector)
    return DetectorFit(
        arrived,
        side,
        rule.words,
        rule.rescues,
        matched,
        float(match.near.float().mean()),
        dict(sorted(counted.items())),
        _median_of(_sides_of(arrived.boxes_at(side))),
        curve,
        min(one for one, share in curve.items() if share >= enough),
        "task.image_size" if side == size else "architecture.model.min_size",
        limit,
        key,
        max(arrived.counts),
        sum(count > limit for count in arrived.counts) if limit is not None else 0,
        _sides_of(arrived.boxes_at(side)),
        match.levels >= 0,
    )


def _side_inside(detector: nn.Module, size: int) -> int:
    """The side to which the detector's own transform brings a square image of ``size`` pixels."""
    transform: Any = getattr(detector, "transform", None)
    if not hasattr(transform, "min_size") or not hasattr(transform, "max_size"):
        return size
    return math.floor(size * min(transform.min_size[-1] / size, transform.max_size / size) + 1e-6)


def _share_at(detector: nn.Module, arrived: Arrival, side: int) -> float:
    """The share of boxes that are matched in images of another size."""
    rule = matching(detector, side)
    return float((rule.match(arrived.boxes_at(side), arrived.counts).levels >= 0).float().mean()) if rule else 0.0


def _detections_of(detector: nn.Module) -> tuple[int | None, str]:
    """How many objects it answers with at most, and the key that says so."""
    heads = getattr(detector, "roi_heads", None)
    name = "detections_per_img" if heads is None else "box_detections_per_img"
    return getattr(heads or detector, "detections_per_img", None), f"+architecture.model.{name}"


def _sides_of(boxes: Tensor) -> Tensor:
    """Width and height (B, 2) of upright or rotated boxes."""
    return boxes[:, 2:4] if boxes.shape[1] == 5 else boxes[:, 2:] - boxes[:, :2]


def _median_of(sides: Tensor) -> tuple[float, float]:
    """The median width and height."""
    width, height = sides.median(0).values.tolist()
    return width, height


def padding(arrived: Arrival) -> float:
    """The share of the squares that the images leave empty."""
    short, long = arrived.sizes.amin(1), arrived.sizes.amax(1)
    return float(1 - (short / long).mean())


def percent(share: float) -> str:
    """A share in percent, never rounded to all or to nothing."""
    if 0 < share < 0.01:
        return "under 1 %"
    return f"{min(share, 0.99) if share < 1 else share:.0%}".replace("%", " %")


def _share_of(count: int, boxes: int) -> str:
    """A count as a share."""
    return percent(count / boxes)
