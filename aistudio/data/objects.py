"""Objects at random places of an image: their rotated boxes, tight upright boxes and masks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from aistudio.data.sample import Sample

_SMALLEST_CELL = 12  # pixels an object's own cell needs so that its mask cannot be empty


def place_objects(image: Tensor, labels: Sequence[int], generator: Generator) -> Sample:
    """``image`` (3, H, W) float32 in [0, 1] as it is, with objects *assumed* in it: photographs carry no labels.

    Every object gets a cell of a grid to itself, so that objects never overlap; none is empty. Those with an even label
    are rectangles, those with an odd one ellipses. ValueError: no room for so many.
    """
    height, width = image.shape[-2:]
    grid = math.ceil(math.sqrt(max(len(labels), 1)))
    if min(height, width) < grid * _SMALLEST_CELL:
        raise ValueError(
            f"{len(labels)} objects need at least {grid * _SMALLEST_CELL} x {grid * _SMALLEST_CELL} "
            f"pixels; the image has {height} x {width}"
        )
    classes = torch.tensor(labels, dtype=torch.int64)
    ellipse = classes % 2 == 1
    cells = torch.randperm(grid * grid, generator=generator)[: len(labels)]
    corners = torch.stack((cells % grid, cells // grid), 1)
    boxes = _boxes_in_cells(corners, torch.tensor([width / grid, height / grid]), ellipse, generator)
    extents, masks = _extents(boxes, ellipse, height, width), object_masks(boxes, ellipse, height, width)
    return Sample(image, boxes, classes, extents, masks)


def object_masks(boxes: Tensor, ellipse: Tensor, height: int, width: int) -> Tensor:
    """(K, H, W) bool: the pixels of what stands in ``boxes`` (K, 5), a rectangle or, where ``ellipse`` (K,), that."""
    y = torch.arange(height).view(1, -1, 1) + 0.5
    x = torch.arange(width).view(1, 1, -1) + 0.5
    cx, cy, w, h, degrees = boxes.view(-1, 5, 1, 1).unbind(1)
    cos, sin = degrees.deg2rad().cos(), degrees.deg2rad().sin()
    along = ((x - cx) * cos - (y - cy) * sin) / (w / 2)  # -1 … 1 inside, along the side w
    across = ((x - cx) * sin + (y - cy) * cos) / (h / 2)
    rectangle = (along.abs() <= 1) & (across.abs() <= 1)
    return torch.where(ellipse.view(-1, 1, 1), along**2 + across**2 <= 1, rectangle)


def _extents(boxes: Tensor, ellipse: Tensor, height: int, width: int) -> Tensor:
    half = _half_extents(boxes, ellipse)
    corners = torch.cat((boxes[:, :2] - half, boxes[:, :2] + half), 1)
    return corners.clamp(min=0).minimum(torch.tensor([width, height, width, height]))  # rounding errors only


def _half_extents(boxes: Tensor, ellipse: Tensor) -> Tensor:
    """Half the width and height of what stands in ``boxes`` (K, 5): (K, 2) pixels."""
    w, h, degrees = boxes[:, 2] / 2, boxes[:, 3] / 2, boxes[:, 4]
    cos, sin = degrees.deg2rad().cos().abs(), degrees.deg2rad().sin().abs()
    rectangle = torch.stack((w * cos + h * sin, w * sin + h * cos), 1)
    inscribed = torch.stack(((w * cos).hypot(h * sin), (w * sin).hypot(h * cos)), 1)
    return torch.where(ellipse[:, None], inscribed, rectangle)


def _boxes_in_cells(corners: Tensor, cell: Tensor, ellipse: Tensor, generator: Generator) -> Tensor:
    """One random box (w > h, -90 <= angle < 90) inside each cell: ``corners`` (K, 2) in cells, ``cell`` (2,) pixels."""
    count = len(corners)
    uniform = torch.rand((5, count), generator=generator)
    w = (0.5 + 0.45 * uniform[0]) * cell.min()
    h = (0.4 + 0.4 * uniform[1]) * w
    boxes = torch.stack((w * 0, w * 0, w, h, -90 + 179.9 * uniform[2]), 1)
    half = _half_extents(boxes, ellipse)
    fit = (0.48 * cell / half).amin(1, keepdim=True).clamp(max=1)  # long slanted ones must shrink into their cell
    boxes[:, 2:4] *= fit
    half = half * fit
    boxes[:, :2] = corners * cell + half + uniform[3:].T * (cell - 2 * half)
    return boxes
