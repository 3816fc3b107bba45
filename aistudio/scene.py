"""One picture with labelled, rotated objects: what every task's target is made from.

A scene knows where its objects lie, so one scene serves all seven tasks: a class, a value, boxes, a mask.
Pixels: x right, y down, origin in the top left corner of the picture. Boxes: centre x, centre y, w, h in pixels and
an angle in degrees, counter-clockwise on the screen (torchvision's CXCYWHR). Box (50, 50, 40, 10, 30) has the
middle of its right edge at (67.3, 40). Objects with an even label are rectangles, with an odd one ellipses.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

SMALLEST_CELL = 12  # pixels an object's own cell needs so that its mask cannot be empty
GOLDEN = 0.618034  # of a turn of the hue circle: neighbouring labels get colours far apart


@dataclass(frozen=True)
class Scene:
    """``image`` (3, H, W) float32 in [0, 1]; ``boxes`` (K, 5) float32; ``labels`` (K,) int64 from 0."""

    image: Tensor
    boxes: Tensor
    labels: Tensor

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


def paint_scene(height: int, width: int, labels: Sequence[int], generator: Generator) -> Scene:
    """A smooth background with one rotated object for every label, its colour tied to the label.

    ``labels=()`` is a picture without an object. The same generator state gives the same scene.
    """
    scene = place_scene(smooth_background(height, width, generator), labels, generator)
    image = scene.image
    for label, mask in zip(labels, scene.masks(), strict=True):
        shade = 1 - 0.25 * torch.rand((), generator=generator)
        image = torch.where(mask, class_colour(label).view(3, 1, 1) * shade, image)
    grain = 0.02 * torch.randn(image.shape, generator=generator)
    return Scene((image + grain).clamp(0, 1), scene.boxes, scene.labels)


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


def smooth_background(height: int, width: int, generator: Generator) -> Tensor:
    """(3, H, W) float32 in [0.25, 0.75]: slow, muted changes of colour, different in every picture."""
    coarse = 0.25 + 0.5 * torch.rand((1, 3, 3, 3), generator=generator)
    muted = 0.7 * coarse.mean(1, keepdim=True) + 0.3 * coarse
    return F.interpolate(muted, (height, width), mode="bilinear", align_corners=True)[0]


def class_colour(label: int) -> Tensor:
    """(3,) float32 RGB in [0, 1]: the colour that objects of this label are painted in."""
    return torch.tensor(colorsys.hsv_to_rgb((label * GOLDEN) % 1, 0.9, 0.95))
