"""The plots at the end of a sweep: what accuracy costs in time, what models take in memory, how large they are.

Drawn from the rows of a summary, by matplotlib, which is an extra and imported only here. Nothing needs a display, and
the same rows give the same bytes.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistudio.files import write_whole
from aistudio.report.figures import COLOURS, GREY, as_png, bars, caption, distinct_names, empty
from aistudio.report.forecast_plots import largest_batches, memory_and_accuracy
from aistudio.report.ranking import why_no_front
from aistudio.report.summary import Row
from aistudio.safety.outlet import said

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = 60  # points in a panel; with more, those of the front alone are named


def draw(rows: Iterable[Row], folder: Path) -> list[Path]:
    """Draw ``accuracy.png``, ``memory.png`` and ``parameters.png`` into a folder, of the rows that passed.

    Each is whole or not there; where fewer than two rows have its numbers it is not drawn. Raises ImportError where
    matplotlib is not installed, OSError where the folder cannot be written.
    """
    rows = [*rows]
    forecasts = typical(row for row in rows if row.level == "forecast" and row.forecast_memory)  # fitting or not
    with matplotlibs_defaults():
        return drawn(typical(row for row in rows if row.outcome == "passed"), forecasts, folder)


@contextmanager
def matplotlibs_defaults() -> Iterator[None]:
    """Within it plots are drawn as matplotlib ships, whatever a ``matplotlibrc`` says: it could start LaTeX.

    The one of the current folder is read when matplotlib is imported, before any other, and may be a pipe.
    """
    found, here = find_spec("matplotlib"), os.getcwd()
    if found is None:
        raise ImportError("matplotlib is not installed")
    if "matplotlib" not in sys.modules:
        os.chdir(Path(str(found.origin)).parent)
    try:
        import matplotlib
    finally:
        os.chdir(here)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["text.parse_math"] = False  # a dollar in a name begins no formula
        yield


def drawn(shown: Sequence[Row], forecasts: Sequence[Row], folder: Path) -> list[Path]:
    """Draw and write the plots of these rows."""
    plots = {
        "accuracy.png": accuracy(shown),
        "memory.png": memory(shown),
        "parameters.png": bars(shown, "parameters", "", "Parameters"),
        "forecast.png": memory_and_accuracy(forecasts),
        "largest_batch.png": largest_batches(forecasts),
    }
    for name, figure in plots.items():
        if figure is not None:
            write_whole(folder / name, as_png(figure))
    return [folder / name for name, figure in plots.items() if figure is not None]


def memory(rows: Sequence[Row]) -> Figure | None:
    """The model's own memory, as long as that of a row is known; else the peak of the process."""
    if any(row.tensor_memory is not None for row in rows):
        return bars(rows, "tensor_memory", "bytes", "Tensors at the peak of a pass")
    return bars(rows, "peak_memory", "bytes", "Peak memory of the process in a pass")


def typical(rows: Iterable[Row]) -> list[Row]:
    """One row for runs that differ in their seed alone: the one with the median time."""
    alike: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row.task, row.architecture, row.backbone, row.image_size, row.batch_size, row.device)
        alike.setdefault(key, []).append(row)
    return [_median(group) for group in alike.values()]


def _median(rows: Sequence[Row]) -> Row:
    return sorted(rows, key=lambda row: row.forward or math.inf)[(len(rows) - 1) // 2]


def accuracy(rows: Sequence[Row]) -> Figure | None:
    """Throughput against published ImageNet accuracy, a panel a task; None with fewer than two points."""
    known = [row for row in rows if row.top1 is not None and row.images_per_second]
    if len(known) < 2:
        return None
    tasks = sorted({row.task for row in known})
    columns = min(len(tasks), 2)
    lines = math.ceil(len(tasks) / columns)
    figure = empty((9.0 if columns == 1 else 15.0, 0.6 + 5.8 * lines))
    panels = [figure.add_subplot(lines, columns, index + 1) for index in range(len(tasks))]
    for task, axes, colour in zip(tasks, panels, itertools.cycle(COLOURS), strict=False):
        scatter(axes, [row for row in known if row.task == task], colour)
        axes.set_title(f"{said(task.replace('_', ' '))}: throughput and published accuracy", loc="left", fontsize=11)
    left_out = len(rows) - len(known)
    notes = [f"{left_out} left out: no accuracy published for their task at their size"] if left_out else []
    notes += filter(None, [why_no_front(known)])
    note = ", ".join(notes)
    caption(figure, known, note)
    figure.canvas.draw()  # the layout is settled now; labels are placed in what it leaves
    figure.set_layout_engine("none")
    if nameless := sum(
        beside(axes, [row for row in known if row.task == task]) for task, axes in zip(tasks, panels, strict=True)
    ):
        caption(figure, known, ", ".join(filter(None, (note, f"{nameless} names left out for want of room"))))
    return figure


def scatter(axes: Axes, rows: Sequence[Row], colour: str) -> None:
    """The points of a panel with their spreads, the Pareto front in colour."""
    speeds, tops = [speed(row) for row in rows], [top1(row) for row in rows]
    if max(speeds) > 4 * min(speeds):
        axes.set_xscale("log")
        ticks = [factor * 10**power for power in range(-3, 7) for factor in (1, 2, 5)]
        axes.set_xticks([tick for tick in ticks if min(speeds) / 1.6 <= tick <= max(speeds) * 1.6])
        axes.minorticks_off()
        axes.set_xlim(min(speeds) / 1.5, max(speeds) * 1.5)
    else:
        axes.set_xlim(min(speeds) * 0.8, max(speeds) * 1.2)
    axes.xaxis.set_major_formatter("{x:g}")
    margin = max(0.15 * (max(tops) - min(tops)), 0.5)
    axes.set_ylim(min(tops) - margin, max(tops) + margin)
    best = front(rows)
    axes.step([speed(row) for row in best], [top1(row) for row in best], where="pre", c=colour, alpha=0.5)
    axes.hlines(tops, *zip(*map(spread, rows), strict=True), color=GREY, linewidth=1, zorder=2)
    faces = [colour if row in best else "white" for row in rows]
    axes.scatter(speeds, tops, s=49, c=faces, edgecolors=colour, zorder=3)
    axes.set_xlabel("images per second, forward (bar: fastest and slowest pass)")
    axes.set_ylabel("published ImageNet top-1, %")
    axes.grid(alpha=0.25)


def spread(row: Row) -> tuple[float, float]:
    """Images per second in the slowest and the fastest pass."""
    return row.images_per_second_low or speed(row), row.images_per_second_high or speed(row)


def speed(row: Row) -> float:
    """Images per second of a row that has them."""
    return row.images_per_second or 0.0


def top1(row: Row) -> float:
    """The published accuracy of a row that has one."""
    return row.top1 or 0.0


def front(rows: Sequence[Row]) -> list[Row]:
    """The rows that no other beats in both throughput and accuracy, from slow to fast; none of a busy machine's."""
    best: list[Row] = []
    if why_no_front(rows):
        return best
    for row in sorted(rows, key=lambda row: (-speed(row), -top1(row))):
        if not best or top1(row) > top1(best[-1]):
            best.append(row)
    return best[::-1]


def beside(axes: Axes, rows: Sequence[Row]) -> int:
    """Write the names of the points, of too many those of the front alone; how many are missing."""
    from aistudio.report.point_labels import label

    best = front(rows)
    points = [(speed(row), top1(row)) for row in rows]
    lines = [((low, top1(row)), (high, top1(row))) for row, (low, high) in zip(rows, map(spread, rows), strict=True)]
    for slow, fast in itertools.pairwise(best):
        corner = (speed(slow), top1(fast))
        lines += [((speed(slow), top1(slow)), corner), (corner, (speed(fast), top1(fast)))]
    named = zip(distinct_names(rows), points, rows, strict=True)
    wanted = [(name, point) for name, point, row in named if len(rows) <= LABELS or row in best]
    return len(rows) - len(wanted) + label(axes, wanted, points, lines)
