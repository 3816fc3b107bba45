"""An image with what is known of it, and where such samples come from.

A sample knows where its objects lie, so one sample serves all seven tasks: a class, a value, boxes, a mask.
Pixels: x right, y down, origin in the top left corner of the image. Boxes: centre x, centre y, w, h in pixels and
an angle in degrees, counter-clockwise on the screen (torchvision's CXCYWHR). Box (50, 50, 40, 10, 30) has the
middle of its right edge at (67.3, 40).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Generator, Tensor

from aistudio.errors import Problem, Refusal


@dataclass(frozen=True)
class Sample:
    """One image with K objects: ``image`` (3, H, W) float32 in [0, 1], and what its source knows; None is unknown.

    ``boxes`` (K, 5) float32; ``labels`` (K,) int64 from 0, where K is 1 if the image as a whole has a class;
    ``extents`` (K, 4) float32, tight upright boxes x1, y1, x2, y2 inside the image; ``masks`` (K, H, W) bool;
    ``class_mask`` (H, W) int64 class ids; ``values`` (V,) float32, standardised; ``name`` of its file, or "";
    ``at`` gives the same sample at another size, to be drawn sharply.
    """

    image: Tensor
    boxes: Tensor | None = None
    labels: Tensor | None = None
    extents: Tensor | None = None
    masks: Tensor | None = None
    class_mask: Tensor | None = None
    values: Tensor | None = None
    name: str = ""
    at: Callable[[int], Sample] | None = None

    def known(self, field: str) -> Tensor:
        """What is known as ``field``. Raises `Refusal` where the source does not know it."""
        found = getattr(self, field)
        if found is None:
            what = f"{self.name or 'a sample'} has no {field.replace('_', ' ')}, which the task learns from"
            why = "the source of the data does not know them"
            raise Refusal([Problem(what, why, "data", "data=synthetic, or a source whose samples have them")])
        return found


class Source(Protocol):
    """Where samples come from.

    ``description`` says so in words; ``warnings`` grows as files turn out to be unreadable; ``batch_size`` is how many
    samples make a batch.
    """

    description: str
    warnings: list[str]
    batch_size: int

    def samples(self, count: int, size: int, generator: Generator) -> list[Sample]:
        """``count`` samples of ``size`` x ``size`` pixels; the same state of the generator gives the same ones."""


def invents_targets(source: Source) -> bool:
    """Whether what a source paints to order is not in its images: such targets are made up."""
    return bool(getattr(source, "invents_targets", False))


class Painter(Source, Protocol):
    """A source that makes images to order, so that checks can ask it for certain labels."""

    def paint(self, labels: Sequence[Sequence[int]], size: int, generator: Generator) -> list[Sample]:
        """A sample of ``size`` x ``size`` pixels for each list of labels; an empty one is an image without object."""
