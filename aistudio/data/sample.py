"""An image with what is known of it, and where samples come from.

A sample knows where its objects lie, so one sample serves all seven tasks: a class, a value, boxes, a mask.
Pixels: x right, y down, origin in the top left corner of the image. Boxes: centre x, centre y, w, h in pixels and
an angle in degrees, counter-clockwise on the screen (torchvision's CXCYWHR). Box (50, 50, 40, 10, 30) has the
middle of its right edge at (67.3, 40). Objects with an even label are rectangles, with an odd one ellipses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

SMALLEST_CELL = 12  # pixels an object's own cell needs so that its mask cannot be empty


@dataclass(frozen=True)
class Scene:
    """``image`` (3, H, W) float32 in [0, 1]; ``boxes`` (K, 5) float32; ``labels`` (K,) int64 from 0."""

    image: Tensor
    boxes: Tensor
    labels: Tensor
    mask: Tensor | None = None  # (H, W) int64 class ids, where people drew them
    values: Tensor | None = None  # (V,) float32, where people measured them

    def masks(self) -> Tensor:
        """(K, H, W) bool: the pixels of each object. Objects do not overlap, and none is empty."""
        height, width = self.image.shape[-2:]
        y = torch.arange(height).view(1, -1, 1) + 0.5
        x = torch.arange(width).view(1, 1, -1) + 0.5
        cx, cy, w, h, degrees = self.boxes.view(-1, 5, 1, 1).unbind(1)
        cos, sin = degrees.deg2rad().cos(), degrees.deg2rad().sin()
        along = ((x - cx) * cos - (y - cy) * sin) / (w / 2)  # -1 … 1 inside, along the side w
        across = ((x - cx) * sin + (y - cy) * cos) / (h / 2)
        rectangle = (along.abs() <= 1) & (across.abs() <= 1)
        ellipse = along**2 + across**2 <= 1
        return torch.where(is_ellipse(self.labels).view(-1, 1, 1), ellipse, rectangle)

    def extents(self) -> Tensor:
        """(K, 4) float32: each object's tight upright box x1, y1, x2, y2, inside the picture."""
        half = half_extents(self.boxes, is_ellipse(self.labels))
        height, width = self.image.shape[-2:]
        corners = torch.cat((self.boxes[:, :2] - half, self.boxes[:, :2] + half), 1)
        return corners.clamp(min=0).minimum(torch.tensor([width, height, width, height]))  # rounding errors only


def is_ellipse(labels: Tensor) -> Tensor:
    """``labels`` (K,) → (K,) bool."""
    return labels % 2 == 1


def half_extents(boxes: Tensor, ellipse: Tensor) -> Tensor:
    """Half the width and height of what stands in ``boxes`` (K, 5): (K, 2) pixels."""
    w, h, degrees = boxes[:, 2] / 2, boxes[:, 3] / 2, boxes[:, 4]
    cos, sin = degrees.deg2rad().cos().abs(), degrees.deg2rad().sin().abs()
    rectangle = torch.stack((w * cos + h * sin, w * sin + h * cos), 1)
    inscribed = torch.stack(((w * cos).hypot(h * sin), (w * sin).hypot(h * cos)), 1)
    return torch.where(ellipse[:, None], inscribed, rectangle)


def place_scene(image: Tensor, labels: Sequence[int], generator: Generator) -> Scene:
    """``image`` (3, H, W) float32 in [0, 1] as it is, with objects *assumed* in it: photographs carry no labels.

    Every object gets a cell of a grid to itself, so that objects never overlap. ValueError: no room for so many.
    """
    height, width = image.shape[-2:]
    grid = math.ceil(math.sqrt(max(len(labels), 1)))
    if min(height, width) < grid * SMALLEST_CELL:
        raise ValueError(
            f"{len(labels)} objects need at least {grid * SMALLEST_CELL} x {grid * SMALLEST_CELL} "
            f"pixels; the picture has {height} x {width}"
        )
    classes = torch.tensor(labels, dtype=torch.int64)
    cells = torch.randperm(grid * grid, generator=generator)[: len(labels)]
    corners = torch.stack((cells % grid, cells // grid), 1)
    boxes = _boxes_in_cells(corners, torch.tensor([width / grid, height / grid]), is_ellipse(classes), generator)
    return Scene(image, boxes, classes)


def _boxes_in_cells(corners: Tensor, cell: Tensor, ellipse: Tensor, generator: Generator) -> Tensor:
    """One random box (w > h, -90 <= angle < 90) inside each cell: ``corners`` (K, 2) in cells, ``cell`` (2,) pixels."""
    count = len(corners)
    uniform = torch.rand((5, count), generator=generator)
    w = (0.5 + 0.45 * uniform[0]) * cell.min()
    h = (0.4 + 0.4 * uniform[1]) * w
    boxes = torch.stack((w * 0, w * 0, w, h, -90 + 179.9 * uniform[2]), 1)
    half = half_extents(boxes, ellipse)
    fit = (0.48 * cell / half).amin(1, keepdim=True).clamp(max=1)  # long slanted ones must shrink into their cell
    boxes[:, 2:4] *= fit
    half = half * fit
    boxes[:, :2] = corners * cell + half + uniform[3:].T * (cell - 2 * half)
    return boxes


class Source(Protocol):
    """Where pictures come from.

    ``description`` says so in words; ``warnings`` grows as files turn out to be unreadable.
    """

    description: str
    warnings: list[str]
    batch_size: int

    def scenes(self, labels: Sequence[Sequence[int]], size: int, generator: Generator) -> list[Scene]:
        """One scene of ``size`` x ``size`` pixels for each list of labels; an empty one is a picture without object."""
