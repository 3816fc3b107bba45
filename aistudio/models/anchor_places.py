"""The anchors of a torchvision detector as grids, and those of them that stand near boxes."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList


def anchor_grids(generator: Any, sizes: list[tuple[int, int]], padded: int, side: int) -> list[Tensor]:
    """The generator's own anchors, (H, W, N, 4) of each level, for one image in a batch of ``padded`` pixels."""
    images = ImageList(torch.zeros(1).expand(1, 3, padded, padded), [(side, side)])
    maps = [torch.zeros(1).expand(1, 1, *size) for size in sizes]
    everything = copy.deepcopy(generator)(images, maps)[0]
    counts = [h * w * many for (h, w), many in zip(sizes, generator.num_anchors_per_location(), strict=True)]
    return [part.view(*size, -1, 4) for part, size in zip(everything.split(counts), sizes, strict=True)]


def nearest(boxes: Tensor, anchors: Tensor, beyond: int = 0) -> Tensor:
    """(B, N, K, 4): of each shape of anchor (H, W, N, 4) those in the places around each box's centre, and ``beyond``
    so many more on every side. At the rim of the grid some are there more than once."""
    height, width, many = anchors.shape[:3]
    centre = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    origin = (anchors[0, 0, :, :2] + anchors[0, 0, :, 2:]) / 2
    place = ((centre - origin) / steps(anchors)).floor().long()  # (B, N, 2): column, row
    around = torch.arange(-beyond, beyond + 2)
    columns = (place[..., 0, None] + around).clamp(0, width - 1)[..., None, :]
    rows = (place[..., 1, None] + around).clamp(0, height - 1)[..., :, None]
    return anchors[rows, columns, torch.arange(many)[None, :, None, None]].flatten(2, 3)


def steps(anchors: Tensor) -> Tensor:
    """(2,): pixels from one place of a level to the next, along x and y; endless where there is no other."""
    height, width = anchors.shape[:2]
    x = anchors[0, 1, 0, 0] - anchors[0, 0, 0, 0] if width > 1 else torch.tensor(math.inf)
    y = anchors[1, 0, 0, 1] - anchors[0, 0, 0, 1] if height > 1 else torch.tensor(math.inf)
    return torch.stack((x, y))


def places_within(distance: float, anchors: Tensor) -> int:
    """How many places a distance in pixels reaches, at most, along either side."""
    return math.ceil(distance / float(steps(anchors).min()))


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """The IoU of boxes (..., 4) with others, one to one, in the numbers of ``torchvision.ops.box_iou``."""
    size = torch.minimum(boxes[..., 2:], others[..., 2:]) - torch.maximum(boxes[..., :2], others[..., :2])
    shared = size.clamp(min=0).prod(-1)
    area, other = ((one[..., 2] - one[..., 0]) * (one[..., 3] - one[..., 1]) for one in (boxes, others))
    return shared / (area + other - shared)
