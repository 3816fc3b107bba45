"""What all plots of a summary share: an empty figure, bars, names that tell rows apart, a caption, bytes."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aistudio.report.figures_in_words import quantity
from aistudio.report.summary import Row
from aistudio.safety.outlet import said

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito's
GREY = "#777777"
DPI = 150
_BARS = 60  # in one plot at most
LONGEST = 60  # characters of a name


def bars(rows: Sequence[Row], field: str, unit: str, title: str) -> Figure | None:
    """A bar a row, the smallest on top, in the colour of its task; None with fewer than two."""
    known = sorted((row for row in rows if getattr(row, field) is not None), key=lambda row: getattr(row, field))
    if len(known) < 2:
        return None
    shown = known[:_BARS]
    tasks = sorted({row.task for row in known})
    colours = dict(zip(tasks, itertools.cycle(COLOURS), strict=False))
    figure = empty((9.0, 1.4 + 0.28 * len(shown)))
    axes = figure.add_subplot()
    places = range(len(shown))
    drawn = axes.barh(places, [getattr(row, field) for row in shown], color=[colours[row.task] for row in shown])
    axes.bar_label(drawn, [quantity(getattr(row, field), unit) for row in shown], padding=3, fontsize=8)
    axes.set_yticks(places, distinct_names(shown), fontsize=8)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.set_xlim(0, 1.15 * getattr(shown[-1], field))
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11)
    if len(tasks) > 1:
        from matplotlib.patches import Patch

        handles = [Patch(color=colours[task], label=said(task.replace("_", " "))) for task in tasks]
        figure.legend(handles=handles, fontsize=8, frameon=False, ncols=4, loc="outside upper center")
    caption(figure, known, f"the smallest {_BARS} of {len(known)}" if len(known) > _BARS else "")
    return figure


def distinct_names(rows: Sequence[Row]) -> list[str]:
    """What tells each row apart from the others of its task: the backbone, and what else they differ in."""
    forms = {
        "backbone": "{}",
        "architecture": "{}",
        "image_size": "{} px",
        "batch_size": "batch {}",
        "device": "{}",
    }
    values: dict[tuple[str, str], set[Any]] = {(row.task, field): set() for row in rows for field in forms}
    for row, field in itertools.product(rows, forms):
        values[row.task, field].add(getattr(row, field))
    names = []
    for row in rows:
        telling = [field for field in forms if field == "backbone" or len(values[row.task, field]) > 1]
        text = " · ".join(forms[field].format(getattr(row, field)) for field in telling)
        half = LONGEST // 2
        text = said(text)  # before it is cut: half of a secret is one, too
        names.append(text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}")
    return names


def caption(figure: Figure, rows: Sequence[Row], note: str) -> None:
    """Below a plot: where and how its numbers were taken."""
    size = {row.image_size for row in rows}
    batch, levels, devices = ({getattr(row, name) for row in rows} for name in ("batch_size", "level", "device"))
    parts = [
        " / ".join(sorted(filter(None, devices))),
        f"sanity={' / '.join(sorted(levels))}",
        f"{size.pop()} px" if len(size) == 1 else "several image sizes",
        f"batch {batch.pop()}" if len(batch) == 1 else "several batch sizes",
        note,
    ]
    figure.supxlabel(said(" · ".join(filter(None, parts))), fontsize=8, color=GREY)


def empty(inches: tuple[float, float]) -> Figure:
    """A figure that no window belongs to."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(inches, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: Figure) -> bytes:
    """The bytes of a plot, without the name and version of what drew it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
