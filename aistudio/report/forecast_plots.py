"""The plots of a sweep of forecasts: memory against published accuracy with the card's line, and batch sizes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aistudio.report.figures import COLOURS, GREY, bars, caption, empty
from aistudio.report.summary import Row
from aistudio.safety.outlet import said

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GIB = 2**30


def memory_and_accuracy(rows: Sequence[Row]) -> Figure | None:
    """What a training step needs against published ImageNet accuracy; None with fewer than two points."""
    known = [row for row in rows if row.top1 is not None and row.forecast_memory]
    if len(known) < 2:
        return None
    figure = empty((9.0, 6.0))
    axes = figure.add_subplot()
    for task, colour in zip(sorted({row.task for row in known}), itertools.cycle(COLOURS), strict=False):
        of_task = [row for row in known if row.task == task]
        needs = [(row.forecast_memory or 0) / GIB for row in of_task]
        tops = [row.top1 or 0.0 for row in of_task]
        axes.scatter(needs, tops, color=colour, s=26, label=said(task.replace("_", " ")))
        for row, *point in zip(of_task, needs, tops, strict=True):
            axes.annotate(said(row.backbone), (point[0], point[1]), (5, 3), textcoords="offset points", fontsize=8)
    for card, room in sorted({(row.card, row.card_memory) for row in known if row.card and row.card_memory}):
        axes.axvline(room / GIB, color=GREY, linestyle=":", linewidth=1)
        axes.text(room / GIB, axes.get_ylim()[0], f" {said(card)}", fontsize=8, color=GREY, rotation=90, va="bottom")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("GiB of tensors at the peak of a training step, forecast")
    axes.set_ylabel("published ImageNet top-1, %")
    axes.set_title("What a training step needs, and published accuracy", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    if len({row.task for row in known}) > 1:
        axes.legend(fontsize=8, frameon=False)
    caption(figure, known, "a lower bound: kernels' workspaces left out")
    return figure


def largest_batches(rows: Sequence[Row]) -> Figure | None:
    """The largest batches on the card, as bars."""
    cards = {row.card for row in rows if row.card}
    title = f"Largest batch of a training step on {said(cards.pop())}" if len(cards) == 1 else "Largest batch"
    return bars(rows, "largest_batch", "", title)
