"""``labels.png``: how the labels of a data set are distributed, drawn by matplotlib, which is an extra.

``found`` has the fields of `aistudio.audit.distribution.Distribution`; nothing is drawn of what it does not hold.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistudio.files import write_whole
from aistudio.report.figures import COLOURS, GREY, as_png
from aistudio.report.plots import matplotlibs_defaults
from aistudio.safety.outlet import said

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASSES = 24  # bars; the rarest and the most frequent ones where there are more
LONGEST = 20  # characters of a name
DPI = 110
WIDE, HIGH, HEAD = 4.6, 3.2, 0.4  # inches of a panel, and of the title above all
LEFT, RIGHT, ABOVE, BELOW = 1.4, 0.25, 0.35, 0.55  # inches around a panel's axes
_POINTS = 20_000  # in a cloud: every so manieth of more
VALUES = 6  # panels


def draw_labels(found: Any, path: Path, title: str) -> bool:
    """Draw and write; whether there was anything to draw. Raises ImportError where matplotlib is not installed."""
    panels = [*panels_of(found)]
    if not panels:
        return False
    with matplotlibs_defaults():
        write_whole(path, as_png(sheet(panels, title)))
    return True


def sheet(panels: Sequence[Callable[[Axes], None]], title: str) -> Figure:
    """The panels two in a row; their places are given, for matplotlib takes longer to find them than to draw them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    width, height = WIDE * columns, HIGH * rows + HEAD
    figure = Figure((width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    figure.text(0.15 / width, 1 - 0.3 / height, said(title), fontsize=10)
    for index, panel in enumerate(panels):
        left, top = WIDE * (index % columns) + LEFT, HEAD + HIGH * (index // columns) + ABOVE
        size = (WIDE - LEFT - RIGHT) / width, (HIGH - ABOVE - BELOW) / height
        axes = figure.add_axes((left / width, 1 - (top + HIGH - ABOVE - BELOW) / height, *size))
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        panel(axes)
    return figure


def panels_of(found: Any) -> list[Callable[[Axes], None]]:
    """What draws each panel."""
    panels: list[Callable[[Axes], None]] = []
    if any(any(counts) for counts in found.classes.values()):
        panels.append(partial(classes, found.classes, found.splits, found.counted))
    if len(found.sizes) > 1:
        panels.append(partial(sizes, found.sizes))
    if len(found.places) > 1:
        panels.append(partial(places, found.places))
    if len(found.angles) > 1:
        panels.append(partial(histogram, found.angles, "angle, degrees", "objects", (-90, 90)))
    if sum(found.objects) and len(found.objects) > 1:
        panels.append(partial(_per_image, found.objects))
    some = [(name, values) for name, values in found.values.items() if len(values) > 1][:VALUES]
    return panels + [partial(histogram, values, name, "images", None) for name, values in some]


def classes(found: Mapping[str, Sequence[int]], splits: Sequence[str], counted: str, axes: Axes) -> None:
    """A bar a class, in its splits."""
    names = sorted(found, key=lambda name: -sum(found[name]))
    left_out = len(names) - CLASSES
    if left_out > 0:
        names = [*names[: CLASSES // 2], *names[-CLASSES // 2 :]]
    start = [0] * len(names)
    for split, index, colour in zip(splits, range(len(splits)), itertools.cycle(COLOURS), strict=False):
        counts = [found[name][index] for name in names]
        axes.barh(range(len(names)), counts, left=start, color=colour, label=said(split))
        start = [one + more for one, more in zip(start, counts, strict=True)]
    for place, total in enumerate(start):
        axes.text(total, place, f" {total:,}", va="center", fontsize=7)
    axes.set_yticks(range(len(names)), [shortened(said(name)) for name in names], fontsize=8 if len(names) < 16 else 6)
    axes.set_xlim(0, 1.15 * max(start))
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.invert_yaxis()
    more = f" ({left_out} classes between left out)" if left_out > 0 else ""
    axes.set_title(f"{counted} of each class{more}", loc="left", fontsize=9)
    if len(splits) > 1:
        axes.legend(fontsize=7, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=len(splits))


def sizes(found: Sequence[tuple[float, float]], axes: Axes) -> None:
    """Width against height in pixels; COCO's borders of small and medium are lines."""
    shown = found[:: math.ceil(len(found) / _POINTS)]
    alpha = max(0.05, min(0.6, 200 / len(shown)))
    axes.scatter(
        [width for width, _ in shown], [height for _, height in shown], s=8, alpha=alpha, color=COLOURS[0], linewidths=0
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    limits = [(min(values) / 1.3, max(values) * 1.3) for values in zip(*found, strict=True)]
    low, high = limits[0]
    widths = [low * (high / low) ** (step / 50) for step in range(51)]
    for side in (32, 96):
        line = [side * side / width for width in widths]
        inside = [(x, y) for x, y in zip(widths, line, strict=True) if limits[1][0] < y < limits[1][1]]
        if inside:
            axes.plot(*zip(*inside, strict=True), color=GREY, linewidth=0.8, linestyle=":")
            axes.annotate(f"{side} x {side}", inside[-1], fontsize=7, color=GREY, ha="right", va="bottom")
    for axis, (least, most) in zip((axes.xaxis, axes.yaxis), limits, strict=True):
        steps = (1, 2, 5) if most > 8 * least else (1, 1.5, 2, 3, 4, 5, 6, 8)
        ticks = [step * 10**power for power in range(-3, 6) for step in steps]
        axis.set_ticks([tick for tick in ticks if least <= tick <= most])
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])
    axes.set_xlabel("width, px", fontsize=8)
    axes.set_ylabel("height, px", fontsize=8)
    axes.set_title(f"size of {len(found):,} objects", loc="left", fontsize=9)


def places(found: Sequence[tuple[float, float]], axes: Axes) -> None:
    """Where in the image the centres of objects lie."""
    bins = 8 if len(found) < 500 else 16 if len(found) < 5000 else 32
    xs, ys = [x for x, _ in found], [y for _, y in found]
    counts, *_ = axes.hist2d(xs, ys, bins=bins, range=[(0, 1), (0, 1)], cmap="Blues", cmin=1)
    most = int(max(count for row in counts for count in row if count == count))
    axes.invert_yaxis()
    axes.set_xlabel("x, share of the width", fontsize=8)
    axes.set_ylabel("y, share of the height", fontsize=8)
    axes.set_title(f"centres of objects; darkest: {most:,}", loc="left", fontsize=9)


def _per_image(found: Sequence[int], axes: Axes) -> None:
    """How many images have how many objects."""
    most = max(found)
    histogram(found, "objects in an image", "images", (-0.5, most + 0.5), axes, bins=min(40, most + 1))
    axes.set_xticks(range(0, most + 1, max(1, math.ceil(most / 8))))


def histogram(
    values: Sequence[float],
    name: str,
    counted: str,
    limits: tuple[float, float] | None,
    axes: Axes,
    bins: int | None = None,
) -> None:
    """How often which value occurs."""
    axes.hist(values, bins=bins or max(8, min(60, math.ceil(2 * len(values) ** 0.5))), range=limits, color=COLOURS[0])
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(counted, fontsize=8)
    axes.set_title(f"{shortened(said(name))}, {len(values):,} {counted}", loc="left", fontsize=9)


def shortened(name: str) -> str:
    """A name that fits beside a panel."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 :]}"
