"""Painted images: no file needed, exact targets, the same for the same seed."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Generator, Tensor

from aistudio.data.objects import place_objects
from aistudio.data.sample import Sample

KINDS = 3  # of objects, where nobody says which
COARSE = 3  # points a side between which a background changes
GOLDEN = 0.618034  # of a turn of the hue circle: neighbouring labels get colours far apart


class Synthetic:
    """Rotated rectangles and ellipses on smooth backgrounds; the colour tells the class."""

    description = "painted images"

    def __init__(self, batch_size: int = 4):
        self.batch_size = batch_size
        self.warnings: list[str] = []

    def samples(self, count: int, size: int, generator: Generator) -> list[Sample]:
        """``count`` samples of ``size`` x ``size`` pixels, each with one object of a random class of three."""
        labels = torch.randint(KINDS, (count, 1), generator=generator).tolist()
        return self.paint(labels, size, generator)

    def paint(self, labels: Sequence[Sequence[int]], size: int, generator: Generator) -> list[Sample]:
        """One sample of ``size`` x ``size`` pixels for each list of labels."""
        return [paint_sample(size, size, one, generator) for one in labels]


def paint_sample(height: int, width: int, labels: Sequence[int], generator: Generator) -> Sample:
    """A smooth background with one rotated object for every label, its colour tied to the label.

    ``labels=()`` is an image without an object. The same generator state gives the same sample.
    """
    again = partial(_paint_again, generator.get_state(), labels)
    sample = place_objects(_smooth_background(height, width, generator), labels, generator)
    image = sample.image
    for label, mask in zip(labels, sample.known("masks"), strict=True):
        shade = 1 - 0.25 * torch.rand((), generator=generator)
        image = torch.where(mask, class_colour(label).view(3, 1, 1) * shade, image)
    grain = 0.02 * torch.randn(image.shape, generator=generator)
    return replace(sample, image=(image + grain).clamp(0, 1), at=again)


def _paint_again(state: Tensor, labels: Sequence[int], size: int) -> Sample:
    generator = Generator()
    generator.set_state(state)
    return paint_sample(size, size, labels, generator)


def _smooth_background(height: int, width: int, generator: Generator) -> Tensor:
    """(3, H, W) float32 in [0.25, 0.75]: slow, muted changes of colour, different in every image."""
    coarse = 0.25 + 0.5 * torch.rand((3, COARSE, COARSE), generator=generator)
    muted = 0.7 * coarse.mean(0, keepdim=True) + 0.3 * coarse
    return _stretch(_stretch(muted, width, -1), height, -2)


def _stretch(values: Tensor, length: int, along: int) -> Tensor:
    """As many values along a dimension, linearly; `F.interpolate` rounds otherwise with another number of threads."""
    places = torch.arange(length) * ((values.shape[along] - 1) / max(length - 1, 1))
    left = places.long().clamp(max=values.shape[along] - 2)
    part = (places - left).view(-1, *[1] * (-along - 1))
    return values.index_select(along, left) * (1 - part) + values.index_select(along, left + 1) * part


def class_colour(label: int) -> Tensor:
    """(3,) float32 RGB in [0, 1]: the colour that objects of this label are painted in."""
    return torch.tensor(colorsys.hsv_to_rgb((label * GOLDEN) % 1, 0.9, 0.95))
