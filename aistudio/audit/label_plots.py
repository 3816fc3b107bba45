"""How the labels of a data set are distributed, as plots; nothing is drawn of what a distribution does not hold."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aistudio.audit.distribution import Distribution
from aistudio.drawing import PAPER, Plot, Tile, colour, contact_sheet
from aistudio.drawing.colours import DIM

if TYPE_CHECKING:
    from PIL import Image

CLASSES = 24  # bars; the most frequent and the rarest ones where there are more
LONGEST = 20  # characters of a name
_POINTS = 2_000  # dots; more are counted in cells
CELLS = 48  # a side
VALUES = 6  # panels
COCO_SIZES = (32, 96)  # COCO calls objects small, medium and large


def label_plots(found: Distribution, title: str) -> Image.Image | None:
    """The plots of a distribution below a title; None where there is nothing to draw."""
    tiles = [Tile(image) for image in panels(found)]
    return contact_sheet(tiles, "Labels", [title]) if tiles else None


def panels(found: Distribution) -> Iterator[Image.Image]:
    """A plot of everything that is known."""
    if any(any(counts) for counts in found.classes.values()):
        yield class_bars(found.classes, found.splits, found.counted)
    if len(found.sizes) > 1:
        yield sizes(found.sizes)
    if len(found.places) > 1:
        yield places(found.places)
    if len(found.angles) > 1:
        yield histogram(found.angles, f"angles of {len(found.angles):,} objects", "degrees", "objects", (-90, 90))
    if sum(found.objects) and len(found.objects) > 1:
        most = max(found.objects)
        bins = min(40, most + 1)
        title = f"objects in each of {len(found.objects):,} images"
        yield histogram(found.objects, title, "objects", "images", (-0.5, most + 0.5), bins)
    for name, values in [(name, values) for name, values in found.values.items() if len(values) > 1][:VALUES]:
        short = shortened(name)
        yield histogram(values, f"{short}, {len(values):,} images", short, "images", (min(values), max(values)))


def class_bars(found: Mapping[str, Sequence[int]], splits: Sequence[str], counted: str) -> Image.Image:
    """A bar a class, in its splits."""
    names = sorted(found, key=lambda name: -sum(found[name]))
    left_out = len(names) - CLASSES
    if left_out > 0:
        names = [*names[: CLASSES // 2], *names[-CLASSES // 2 :]]
    more = f" ({left_out:,} between left out)" if left_out > 0 else ""
    most = max(sum(found[name]) for name in names)
    plot = Plot(f"{counted} of each class{more}", (0, 1.18 * most), (len(names), 0), left=270)
    plot.grid()
    for row, name in enumerate(names):
        start = 0
        for index, count in enumerate(found[name]):
            plot.field((start, start + count), (row + 0.12, row + 0.88), colour(index))
            start += count
        if len(names) <= CLASSES // 2:
            plot.words(start + 0.01 * most, row + 0.5, f"{start:,}", shade=DIM)
    plot.rows([*map(shortened, names)])
    plot.axis_across(counted)
    if len(splits) > 1:  # the shortest bars leave room below
        plot.legend([(split or "no split", colour(index)) for index, split in enumerate(splits)], lower=True)
    return plot.image


def sizes(found: Sequence[tuple[float, float]]) -> Image.Image:
    """Width against height in pixels; COCO's borders of small and medium are lines."""
    across, up = ((min(values) / 1.3, max(values) * 1.3) for values in zip(*found, strict=True))
    plot = Plot(f"size of {len(found):,} objects", across, up, log=True)
    if len(found) > _POINTS:
        steps = [[low * (high / low) ** (step / CELLS) for step in range(CELLS + 1)] for low, high in (across, up)]
        _cells(plot, Counter((bisect(steps[0], w) - 1, bisect(steps[1], h) - 1) for w, h in found), *steps)
    else:
        plot.dots(found, colour(0), max(0.3, min(0.8, 200 / len(found))))
    widths = [across[0] * (across[1] / across[0]) ** (step / 50) for step in range(51)]
    for side in COCO_SIZES:
        line = [(width, side * side / width) for width in widths]
        inside = [(x, y) for x, y in line if up[0] <= y <= up[1]]
        plot.line(inside, DIM, 2)
        if inside:
            plot.words(*inside[-1], f"{side} x {side} ", "rb", DIM)
    plot.axes("width, pixels", "height, pixels")
    return plot.image


def _cells(plot: Plot, counts: Counter[tuple[int, int]], across: Sequence[float], up: Sequence[float]) -> None:
    """A field for every cell that holds any, the darker the more; ``across`` and ``up`` are the edges of the cells."""
    most = max(counts.values(), default=1)
    for (column, row), count in counts.items():
        share = 0.15 + 0.85 * count / most
        red, green, blue = (round(paper + (ink - paper) * share) for paper, ink in zip(PAPER, colour(0), strict=True))
        plot.field((across[column], across[column + 1]), (up[row], up[row + 1]), (red, green, blue))


def places(found: Sequence[tuple[float, float]]) -> Image.Image:
    """Where in the image the centres of objects lie."""
    bins = 8 if len(found) < 500 else 16 if len(found) < 5000 else 32
    inside = [(x, y) for x, y in found if 0 <= x <= 1 and 0 <= y <= 1]
    counts = Counter((min(bins - 1, int(x * bins)), min(bins - 1, int(y * bins))) for x, y in inside)
    plot = Plot(f"centres of objects; darkest: {max(counts.values(), default=0):,}", (0, 1), (1, 0))
    edges = [index / bins for index in range(bins + 1)]
    _cells(plot, counts, edges, edges)
    plot.axes("x, share of the width", "y, share of the height")
    return plot.image


def histogram(
    values: Sequence[float],
    title: str,
    across: str,
    counted: str,
    limits: tuple[float, float],
    bins: int | None = None,
) -> Image.Image:
    """How often which value occurs."""
    low, high = limits if limits[0] < limits[1] else (limits[0] - 0.5, limits[1] + 0.5)
    bins = bins or max(8, min(60, math.ceil(2 * len(values) ** 0.5)))
    step = (high - low) / bins
    counts = Counter(max(0, min(bins - 1, int((value - low) / step))) for value in values)
    plot = Plot(title, (low, high), (0, 1.05 * max(counts.values())))
    for index, count in counts.items():
        plot.field((low + index * step, low + (index + 1) * step), (0, count), colour(0))
    plot.axes(across, counted, whole=True)
    return plot.image


def shortened(name: str) -> str:
    """A name that fits beside a plot or above it."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 :]}"
