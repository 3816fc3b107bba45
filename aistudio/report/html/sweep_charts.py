"""The drawings of a sweep's page: for each task what accuracy, and what memory, goes with which throughput."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aistudio.report.figures import distinct_names
from aistudio.report.html.charts import Point, Scatter, scatter
from aistudio.report.html.sections import words
from aistudio.report.html.values import is_number, number
from aistudio.report.plots import typical
from aistudio.report.ranking import why_no_front
from aistudio.report.summary import Row

_PANELS = 8  # tasks with drawings
_MEBIBYTE = 2**20


def panels(rows: Sequence[Row]) -> list[tuple[str, list[Scatter]]]:
    """For each task what accuracy, and what memory, goes with which throughput."""
    numbered = {id(row): key for key, row in enumerate(rows)}
    shown = typical(row for row in rows if row.outcome == "passed" and is_number(row.images_per_second))
    tasks = list(dict.fromkeys(row.task for row in shown))
    found = []
    for task in tasks[:_PANELS]:
        own = [row for row in shown if row.task == task and (row.images_per_second or 0) > 0]
        named = list(zip(own, distinct_names(own), strict=True))
        accurate = [point(row, name, numbered, "top1") for row, name in named if is_number(row.top1)]
        field, what = _memory_of(own)
        memory = [point(row, name, numbered, field, _MEBIBYTE) for row, name in named if is_number(getattr(row, field))]
        speed, unranked = "images per second, forward", why_no_front(own)
        drawn = (
            scatter("accuracy against throughput", speed, "published ImageNet top-1, %", accurate, no_front=unranked),
            scatter("memory against throughput", speed, what, memory, less=True, no_front=unranked),
        )
        if any(drawn):
            found.append((words(task), [one for one in drawn if one]))
    return found


def _memory_of(rows: Sequence[Row]) -> tuple[str, str]:
    """The field of a row that says what a model takes, and its words: the tensors', else the whole process's."""
    if any(is_number(row.tensor_memory) for row in rows):
        return "tensor_memory", "tensor memory, MiB"
    return "peak_memory", "process peak, MiB"


def point(row: Row, name: str, numbered: Mapping[int, int], field: str, unit: int = 1) -> Point:
    """A row as a point; its height is a field in multiples of ``unit``."""
    value, low, high = getattr(row, field), row.images_per_second_low, row.images_per_second_high
    shown = f"{value:.2f} %" if field == "top1" else number(value, "bytes")
    spread = f" ({number(low)} … {number(high)})" if is_number(low) and is_number(high) else ""
    said = f"{number(row.images_per_second)} images/s{spread} · {shown}"
    return Point(
        numbered[id(row)],
        name,
        said,
        row.images_per_second or 0.0,
        value / unit,
        low if is_number(low) and low > 0 else None,
        high if is_number(high) and high > 0 else None,
    )
