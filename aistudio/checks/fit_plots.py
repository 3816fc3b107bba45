"""``fit.png``: whether the data fits the model, and the size to set where it does not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PIL import Image

from aistudio.checks.fit_of_boxes import DetectorFit, percent
from aistudio.checks.fit_of_classes import HALF, ClassFit
from aistudio.checks.fit_of_crops import CropFit
from aistudio.drawing import BAD, GOOD, NEUTRAL, Plot, Tile, colour, contact_sheet, save_sheet

Fit = DetectorFit | ClassFit | CropFit
BINS = 20
_ROWS = 24  # classes that are shown, the thinnest first
_MOST = 5000  # boxes that are shown
_BLUE = colour(0)


def save_fit(fit: Fit, folder: Path) -> None:
    """Write the picture of a fit."""
    if isinstance(fit, DetectorFit):
        tiles, heading = [size_curve(fit), box_sizes(fit), levels(fit)], "Does the detector reach your boxes?"
        notes = [fit.in_words(), fit.advice()]
    elif isinstance(fit, ClassFit):
        tiles, heading = [class_shares(fit)], "Are your classes wide enough for the output?"
        notes = [f"at {fit.size} px and an output stride of {fit.stride}", fit.advice]
    else:
        tiles, heading = [cuts(fit)], "What does the centre crop leave out?"
        notes = [fit.in_words()]
    shown = [Tile(tile) for tile in tiles if tile is not None]
    save_sheet(folder / "fit.png", contact_sheet(shown, heading, [note for note in notes if note]))


def size_curve(fit: DetectorFit) -> Image.Image | None:
    """The share of boxes that are matched at each size that was tried; None where none was but the one of today."""
    if len(fit.curve) < 2:
        return None
    points = sorted(fit.curve.items())
    low, high = points[0][0], points[-1][0]
    room = 0.04 * (high - low)
    plot = Plot("boxes that are matched, by image size", (low - room, high + room), (0, 1.08))
    marked = [("now", fit.size, NEUTRAL), *([("better", fit.suggested, GOOD)] if fit.advice() else [])]
    for _, size, shade in marked:
        plot.line([(size, 0), (size, max(0.03, fit.curve[size]))], shade, 7)
    plot.line(points, _BLUE, 5)
    plot.dots(points, _BLUE, 1.0, 7)
    plot.axes("image size, pixels", "share of the boxes")
    words = [(f"{word} {size} px: {percent(fit.curve[size])}", shade) for word, size, shade in marked]
    plot.legend(words, lower=points[-1][1] > 0.5)
    return plot.image


def box_sizes(fit: DetectorFit) -> Image.Image:
    """Width against height of the boxes as they arrive: those that are matched, and those that are not."""
    sides = fit.sides.clamp(min=0.1)
    limits = [(float(values.min()) / 1.3, float(values.max()) * 1.3) for values in sides.T]
    plot = Plot(f"sizes of {len(sides):,} boxes at {fit.size} px", limits[0], limits[1], log=True)
    step = -(-len(sides) // _MOST)
    strength = max(0.25, min(0.8, 400 / len(sides)))
    shades = {True: _BLUE, False: BAD}
    for learnt, shade in shades.items():
        some = [(w, h) for (w, h), own in zip(sides.tolist(), fit.learnt.tolist(), strict=True) if own == learnt]
        plot.dots(some[::step], shade, strength, 5)
    plot.axes("width, pixels", "height, pixels")
    words = "matched", "too few anchors" if fit.rescues else "not matched"
    plot.legend([(word, shade) for word, shade in zip(words, shades.values(), strict=True)])
    return plot.image


def levels(fit: DetectorFit) -> Image.Image:
    """How many boxes each level learns."""
    boxes = len(fit.sides)
    rows = [(f"stride {stride:g}", count / boxes, _BLUE) for stride, count in fit.strides.items()]
    rows.append(("a forced anchor" if fit.rescues else "no level", 1 - fit.matched, BAD))
    return _bars("which level of the pyramid learns the boxes", rows, "share of the boxes")


def class_shares(fit: ClassFit) -> Image.Image:
    """The share of each class's pixels that the output's cells keep, the thinnest first; a line where half is lost."""
    thinnest = sorted(fit.kept.items(), key=lambda pair: pair[1])
    rows = [(fit.names[number], share, _BLUE if share >= HALF else BAD) for number, share in thinnest[:_ROWS]]
    left_out = f" ({len(thinnest) - _ROWS} wider ones left out)" if len(thinnest) > _ROWS else ""
    return _bars(f"pixels that the cells keep{left_out}", rows, "share of the class's pixels", HALF)


def _bars(
    title: str, rows: list[tuple[str, float, tuple[int, int, int]]], across: str, mark: float | None = None
) -> Image.Image:
    """A bar for each name, from nothing to all, with its share in words."""
    plot = Plot(title, (0, 1.15), (len(rows), 0), left=270)
    plot.grid()
    for row, (_, share, shade) in enumerate(rows):
        plot.field((0, share), (row + 0.15, row + 0.85), shade)
        plot.words(share + 0.01, row + 0.5, percent(share))
    if mark is not None:
        plot.line([(mark, 0), (mark, len(rows))], NEUTRAL, 2)
    plot.rows([name for name, *_ in rows])
    plot.axis_across(across)
    return plot.image


def cuts(fit: CropFit) -> Image.Image:
    """How many images lose how much of their area."""
    counts = Counter(min(BINS - 1, int(share * BINS)) for share in fit.cut)
    plot = Plot(f"what {len(fit.cut):,} images lose at {fit.size} px", (0, 1), (0, 1.05 * max(counts.values())))
    for index, count in counts.items():
        shade = BAD if index >= BINS // 2 else _BLUE
        plot.field((index / BINS, (index + 1) / BINS), (0, count), shade)
    plot.axes("share of the image that is cut off", "images", whole=True)
    return plot.image
