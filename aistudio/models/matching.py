"""Which boxes a detector can learn from: those that its own matcher gives an anchor or a point.

What a matcher decides of a box among all anchors is decided by those near its centre, so thousands of boxes cost
a second. Anchors, thresholds and numbers are the detector's own, in float32 as there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.ops import box_iou

from aistudio.models.anchor_places import anchor_grids, nearest, overlap, places_within
from aistudio.models.dry_run import dry_run

AT_ONCE = 1024  # boxes, or shapes of anchors around boxes


@dataclass(frozen=True)
class Match:
    """``levels`` (B,) int64: the level of the pyramid that learns each box, -1 where none does.

    ``near`` (B,) bool: boxes with an anchor that the matcher does not call background by itself, matched ones included.
    """

    levels: Tensor
    near: Tensor


@dataclass(frozen=True)
class Matching:
    """What every rule knows: the (height, width) of each level's map and its stride in pixels."""

    sizes: list[tuple[int, int]]
    strides: list[float]

    @property
    def words(self) -> str:
        """The rule."""
        return "has a point inside it, near its centre, on the level for its size"

    @property
    def rescues(self) -> bool:
        """Whether a box that no anchor is matched to gets the one that overlaps it most."""
        return False

    def match(self, boxes: Tensor, counts: Sequence[int] | None = None) -> Match:
        """Match ``boxes`` (B, 4) x1, y1, x2, y2, or (B, 5) cx, cy, w, h, degrees, in pixels of the network's input.

        ``counts`` is how many of them are in each image, in order: the smaller, or the one that overlaps more, takes
        an anchor from another. None: each is alone in an image.
        """
        boxes = boxes.detach().cpu().float()
        if not len(boxes):
            return Match(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool))
        parts = [self.alone(some) for some in boxes.split(AT_ONCE)]
        levels, near = torch.cat([one.levels for one in parts]), torch.cat([one.near for one in parts])
        if counts is not None:
            wins = self.wins(boxes, counts)
            levels = torch.where(wins, levels, -1)
            near = near if self.rescues else wins
        return Match(levels, near)

    def alone(self, boxes: Tensor) -> Match:
        """The boxes each by itself."""
        raise NotImplementedError

    def wins(self, boxes: Tensor, counts: Sequence[int]) -> Tensor:
        """(B,) bool: whether a box keeps an anchor or a point in its image."""
        raise NotImplementedError


@dataclass(frozen=True)
class AnchorMatching(Matching):
    """Faster and Mask R-CNN's proposals, RetinaNet: anchors (H, W, N, 4) of each level, matched by their IoU.

    From ``high`` on an anchor is an object, below ``low`` background, and left out between.
    """

    anchors: list[Tensor]
    high: float
    low: float
    low_quality: bool

    @property
    def words(self) -> str:
        """The rule."""
        return f"overlaps an anchor with IoU >= {self.high:g}"

    @property
    def rescues(self) -> bool:
        """As its matcher is set."""
        return self.low_quality

    def alone(self, boxes: Tensor) -> Match:
        """Of anchors of one shape the nearest overlaps most; those on both sides of the centre are tried."""
        best, level = torch.stack([best_of_shapes(boxes, one).amax(1) for one in self.anchors], 1).max(1)
        return Match(torch.where(best >= self.high, level, -1), best >= self.low)

    def wins(self, boxes: Tensor, counts: Sequence[int]) -> Tensor:
        """An anchor goes to the box of its image that it overlaps most."""
        image = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts, dtype=torch.int64))
        found = [pair for level in self.anchors for pair in candidates(boxes, level, self.high)]
        owners, anchors = torch.cat([owner for owner, _ in found]), torch.cat([anchor for _, anchor in found])
        wins, first = torch.zeros(len(boxes), dtype=torch.bool), 0
        order = image[owners].argsort(stable=True)
        tallies = torch.bincount(image[owners], minlength=len(counts)).tolist()
        for count, some in zip(counts, anchors[order].split(tallies), strict=True):
            if len(some):
                best, winner = box_iou(boxes[first : first + count], some).max(0)
                wins[first + winner[best >= self.high]] = True
            first += count
        return wins


def best_of_shapes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """(B, N): the largest IoU of each box with an anchor of each shape of one level."""
    return overlap(boxes[:, None, None], nearest(boxes, anchors)).amax(2)


def candidates(boxes: Tensor, anchors: Tensor, high: float) -> list[tuple[Tensor, Tensor]]:
    """Boxes (P,) and anchors (P, 4) of one level that overlap with an IoU of ``high`` or more, all of them."""
    best = torch.cat([best_of_shapes(some, anchors) for some in boxes.split(AT_ONCE)])
    pairs = (best >= high).nonzero()
    found = []
    for shape in pairs[:, 1].unique().tolist():
        of_shape = anchors[:, :, shape : shape + 1]
        longest = float((of_shape[0, 0, 0, 2:] - of_shape[0, 0, 0, :2]).max())
        beyond = places_within(longest * max(1 - high, (1 / high - 1) / 2), of_shape)
        for owner in pairs[pairs[:, 1] == shape, 0].split(AT_ONCE):
            around = nearest(boxes[owner], of_shape, beyond)[:, 0]
            row, place = (overlap(boxes[owner, None], around) >= high).nonzero(as_tuple=True)
            found.append((owner[row], around[row, place]))
    return found or [(torch.zeros(0, dtype=torch.int64), torch.zeros((0, 4)))]


@dataclass(frozen=True)
class PointMatching(Matching):
    """FCOS: points, the middles of anchors (H, W, 1, 4), matched as ``FCOS.compute_loss`` does."""

    anchors: list[Tensor]
    radius: float  # sizes of an anchor

    def alone(self, boxes: Tensor) -> Match:
        """Whether a point near the centre learns the box, and of which level it is."""
        learns = torch.stack([self.of_level(boxes, level)[1].any(1) for level in range(len(self.anchors))], 1)
        return Match(torch.where(learns.any(1), learns.int().argmax(1), -1), learns.any(1))

    def of_level(self, boxes: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """The points (B, K, 2) of a level near each box, and whether they learn it (B, K)."""
        anchors = self.anchors[level]
        size = float(anchors[0, 0, 0, 2] - anchors[0, 0, 0, 0])
        near = nearest(boxes, anchors, places_within(self.radius * size, anchors))[:, 0]
        points = (near[..., :2] + near[..., 2:]) / 2
        return points, self.learns(points, boxes[:, None], level)

    def learns(self, points: Tensor, boxes: Tensor, level: int) -> Tensor:
        """Whether points (..., 2) of a level learn boxes (..., 4), one to one."""
        size = self.anchors[level][0, 0, 0, 2] - self.anchors[level][0, 0, 0, 0]
        lower = 0 if level == 0 else size * 4
        upper = math.inf if level == len(self.anchors) - 1 else size * 8
        centre = (boxes[..., :2] + boxes[..., 2:]) / 2
        sides = torch.cat((points - boxes[..., :2], boxes[..., 2:] - points), -1)
        farthest = sides.amax(-1)
        inside = ((points - centre).abs().amax(-1) < self.radius * size) & (sides.amin(-1) > 0)
        return inside & (farthest > lower) & (farthest < upper)

    def wins(self, boxes: Tensor, counts: Sequence[int]) -> Tensor:
        """A point goes to the smallest of the boxes that it could learn."""
        return torch.cat([self.wins_in_image(some) for some in boxes.split([*counts])])

    def wins_in_image(self, boxes: Tensor) -> Tensor:
        """(K,) bool: the boxes of one image that a point is left for."""
        wins = torch.zeros(len(boxes), dtype=torch.bool)
        smaller = 1e8 - (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # as it is written there, in float32
        for level in range(len(self.anchors)) if len(boxes) else ():
            points, learns = self.of_level(boxes, level)
            points = points[learns]
            score, winner = (self.learns(points[:, None], boxes, level).float() * smaller).max(1)
            wins[winner[score >= 1e-5]] = True
        return wins


@dataclass(frozen=True)
class OwnMatching(Matching):
    """A detector that tells by itself: ``levels_of(boxes, sizes, alone)``, such as the oriented one."""

    detector: Any

    def alone(self, boxes: Tensor) -> Match:
        """Ask it."""
        levels = self.detector.levels_of(boxes, self.sizes, alone=True)
        return Match(levels, levels >= 0)

    def wins(self, boxes: Tensor, counts: Sequence[int]) -> Tensor:
        """Ask it for every image."""
        levels = [self.detector.levels_of(some, self.sizes, alone=False) for some in boxes.split([*counts])]
        return torch.cat(levels) >= 0


def matching(detector: nn.Module, side: int) -> Matching | None:
    """The rule of a detector for square images of ``side`` pixels; None for a detector whose rule is not known.

    Known are torchvision's, and those with ``levels_of`` and ``strides`` as `aistudio.oriented.RotatedFCOS` has them.
    """
    model: Any = detector
    stage = getattr(model, "rpn", model)
    generator, matcher = getattr(stage, "anchor_generator", None), getattr(stage, "proposal_matcher", None)
    tells = callable(getattr(detector, "levels_of", None))
    if not tells and (generator is None or (matcher is None and not isinstance(detector, FCOS))):
        return None
    multiple = int(getattr(getattr(model, "transform", None), "size_divisible", 32))
    padded = math.ceil(side / multiple) * multiple
    maps: Any = dry_run(model.backbone, padded, padded)[1]
    sizes = [(one.shape[-2], one.shape[-1]) for one in (maps.values() if isinstance(maps, dict) else [maps])]
    if tells:
        return OwnMatching(sizes, [*map(float, model.strides)], model)
    anchors = anchor_grids(generator, sizes, padded, side)
    strides = [float(padded // height) for height, _ in sizes]
    if isinstance(detector, FCOS):
        return PointMatching(sizes, strides, anchors, float(model.center_sampling_radius))
    assert matcher is not None  # else it would be FCOS, as above
    limits = float(matcher.high_threshold), float(matcher.low_threshold)
    return AnchorMatching(sizes, strides, anchors, *limits, bool(matcher.allow_low_quality_matches))
