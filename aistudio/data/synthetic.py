"""Painted pictures: no file needed, exact targets, the same for the same seed."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from aistudio.data.sample import Scene, place_scene


class Synthetic:
    """Rotated rectangles and ellipses on smooth backgrounds; the colour tells the class."""

    description = "painted pictures"

    def __init__(self, batch_size: int = 4):
        self.batch_size = batch_size
        self.warnings: list[str] = []

    def scenes(self, labels: Sequence[Sequence[int]], size: int, generator: Generator) -> list[Scene]:
        """One scene of ``size`` x ``size`` pixels for each list of labels."""
        return [paint_scene(size, size, one, generator) for one in labels]


GOLDEN = 0.618034  # of a turn of the hue circle: neighbouring labels get colours far apart


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


def smooth_background(height: int, width: int, generator: Generator) -> Tensor:
    """(3, H, W) float32 in [0.25, 0.75]: slow, muted changes of colour, different in every picture."""
    coarse = 0.25 + 0.5 * torch.rand((1, 3, 3, 3), generator=generator)
    muted = 0.7 * coarse.mean(1, keepdim=True) + 0.3 * coarse
    return F.interpolate(muted, (height, width), mode="bilinear", align_corners=True)[0]


def class_colour(label: int) -> Tensor:
    """(3,) float32 RGB in [0, 1]: the colour that objects of this label are painted in."""
    return torch.tensor(colorsys.hsv_to_rgb((label * GOLDEN) % 1, 0.9, 0.95))
