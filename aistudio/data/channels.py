"""Images with other channels than red, green and blue, of what a source gives as RGB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from aistudio.data.sample import Painter, Sample, Source


def with_channels(image: Tensor, channels: int) -> Tensor:
    """An image (C, H, W) with ``channels`` of them: as it is where it has so many, else by what it says as RGB.

    Fewer than three channels are each the mean of red, green and blue; more are these three, then their mean. A first
    convolution is adapted alike (`aistudio.models.surgery`).
    """
    if image.shape[0] == channels:
        return image
    colours = as_rgb(image)
    mean = colours.mean(0, keepdim=True)
    if channels < 3:
        return mean.expand(channels, -1, -1).clone()
    return torch.cat([colours, mean.expand(channels - 3, -1, -1)])


def as_rgb(image: Tensor) -> Tensor:
    """An image (C, H, W) for people: its first three channels, or its first one as grey."""
    return image[:3] if image.shape[0] >= 3 else image[:1].expand(3, -1, -1)


class WithChannels:
    """A source whose images have another number of channels; the rest of its samples, and of it, stays."""

    def __init__(self, source: Source, channels: int):
        self.source, self.channels = source, channels
        if hasattr(source, "paint"):  # only what paints is a `Painter`
            self.paint = self._paint

    def __getattr__(self, name: str) -> Any:
        if name == "source":  # it is being copied
            raise AttributeError(name)
        return getattr(self.source, name)

    def samples(self, count: int, size: int, generator: Generator) -> list[Sample]:
        """Those of the source."""
        return self._changed(self.source.samples(count, size, generator))

    def _paint(self, labels: Sequence[Sequence[int]], size: int, generator: Generator) -> list[Sample]:
        painter: Any = self.source
        return self._changed(painter.paint(labels, size, generator))

    def _changed(self, samples: list[Sample]) -> list[Sample]:
        return [replace(sample, image=with_channels(sample.image, self.channels)) for sample in samples]


def same_channels(painter: Painter, source: Source) -> Any:
    """A painter whose images have as many channels as those of a source beside which it paints."""
    channels = getattr(source, "channels", 3)
    return painter if channels == 3 else WithChannels(painter, channels)
