"""Names beside the points of a plot: none covers a point, another name or, where there is room, a line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from matplotlib.transforms import Bbox

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    Point = tuple[float, float]
    Line = tuple[Point, Point]

GREY = "#777777"
_NEAR = 12  # points; a name farther from its point than this gets a line to it
_DISTANCES = (6, 12, 20, 30, 42, 56, 72, 90, 110, 135)  # points
ANGLES = (90, 270, 0, 180, 45, 135, 315, 225)  # degrees, the best place of a name first
_MARKER = 7  # points


def label(axes: Axes, named: Sequence[tuple[str, Point]], points: Sequence[Point], lines: Sequence[Line]) -> int:
    """Write each name beside its point; how many found no room.

    Everything is in data coordinates; ``points`` are all that are drawn, ``lines`` are level or upright. The layout of
    the figure must be settled, for places are looked for in pixels.
    """
    dpi, renderer = axes.figure.dpi, cast("FigureCanvasAgg", axes.figure.canvas).get_renderer()
    inside = axes.get_window_extent(renderer)
    to_pixels: Any = axes.transData.transform
    to_data: Any = axes.transData.inverted().transform
    taken = [around(x, y, _MARKER * dpi / 144, _MARKER * dpi / 144) for x, y in map(to_pixels, points)]
    drawn = [around(*sum(ends) / 2, *abs(ends[1] - ends[0]) / 2 + 2) for ends in map(to_pixels, lines)]
    missing = 0
    for name, point in named:
        text = axes.text(0, 0, name, fontsize=8, ha="center", va="center", zorder=4)
        extent = text.get_window_extent(renderer)
        places = list(candidates(to_pixels(point), extent.width / 2 + 2, extent.height / 2 + 2, dpi / 72, inside))
        found = _first_free(places, taken + drawn) or _first_free(places, taken)
        if found is None:
            text.remove()
            missing += 1
            continue
        distance, box = found
        taken.append(box)
        x, y = to_data(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
        text.set(position=(x, y), gid="label", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
        if distance > _NEAR:
            axes.plot([point[0], x], [point[1], y], color=GREY, linewidth=0.6, alpha=0.7, zorder=1)
    return missing


def candidates(
    point: Point, half_width: float, half_height: float, scale: float, inside: Bbox
) -> Iterator[tuple[float, Bbox]]:
    """The boxes of a size near a point that are inside, the nearest first, with their distance in points."""
    for distance, angle in itertools.product(_DISTANCES, ANGLES):
        cosine, sine = round(math.cos(math.radians(angle)), 6), round(math.sin(math.radians(angle)), 6)
        x = point[0] + cosine * (distance * scale + half_width)
        y = point[1] + sine * (distance * scale + half_height)
        box = around(x, y, half_width, half_height)
        if inside.x0 < box.x0 and box.x1 < inside.x1 and inside.y0 < box.y0 and box.y1 < inside.y1:
            yield distance, box


def _first_free(places: Sequence[tuple[float, Bbox]], taken: Sequence[Bbox]) -> tuple[float, Bbox] | None:
    """The first place whose box overlaps nothing; None where there is none."""
    return next((place for place in places if not place[1].count_overlaps(taken)), None)


def around(x: float, y: float, half_width: float, half_height: float) -> Bbox:
    """The box around a point, in pixels."""
    return Bbox.from_extents(x - half_width, y - half_height, x + half_width, y + half_height)
