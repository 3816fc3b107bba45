"""The rows of a summary next to each other: what is best, what cannot be told apart, what comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aistudio.report.summary import COLUMNS, Row


def leaders(rows: Iterable[Row]) -> dict[tuple[str, str], float]:
    """The best number of every task and column, among the rows that passed."""
    found: dict[tuple[str, str], float] = {}
    for row in rows:
        for column, (_, _, better) in COLUMNS.items():
            value = getattr(row, column)
            if row.outcome == "passed" and value is not None:
                found[row.task, column] = better(value, found.get((row.task, column), value))
    return found


def leads(row: Row, column: str, best: Mapping[tuple[str, str], float]) -> bool:
    """Whether no row of the same task is better in this column."""
    return (
        row.outcome == "passed" and getattr(row, column) is not None and getattr(row, column) == best[row.task, column]
    )


def indistinct(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Pairs of backbones whose forward times overlap: these runs cannot say which is faster.

    Compared are runs of the same task at the same size on the same device; of a backbone that ran several times the
    whole span counts.
    """
    spans: dict[tuple[Any, ...], dict[str, tuple[float, float]]] = {}
    for row in rows:
        if row.outcome == "passed" and row.forward_low is not None:
            alike = spans.setdefault((row.task, row.architecture, row.image_size, row.batch_size, row.device), {})
            low, high = alike.get(row.backbone, (row.forward_low, row.forward_high))
            alike[row.backbone] = min(low, row.forward_low), max(high, row.forward_high)
    for alike in spans.values():
        timed = sorted((low, high, backbone) for backbone, (low, high) in alike.items())
        for index, (_, high, one) in enumerate(timed):
            yield from ((one, other) for low, _, other in timed[index + 1 :] if low <= high)


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Passed before the others; among them task by task, the quickest first, forecasts by the memory that they need."""

    def key(row: Row) -> tuple[bool, str, float, float]:
        most = float("inf")
        return row.outcome != "passed", row.task, row.forward or most, row.forecast_memory or most

    return sorted(rows, key=key)
