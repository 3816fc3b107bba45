"""Painted pictures: no file needed, exact targets, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator

from aistudio.scene import Scene, paint_scene


class Synthetic:
    """Rotated rectangles and ellipses on smooth backgrounds; the colour tells the class."""

    description = "painted pictures"

    def __init__(self, batch_size: int = 4):
        self.batch_size = batch_size
        self.warnings: list[str] = []

    def scenes(self, labels: Sequence[Sequence[int]], size: int, generator: Generator) -> list[Scene]:
        """One scene of ``size`` x ``size`` pixels for each list of labels."""
        return [paint_scene(size, size, one, generator) for one in labels]
