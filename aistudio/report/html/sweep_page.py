"""A sweep as one HTML file: a table that sorts and filters, what accuracy costs, and why jobs did not pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aistudio.report import summary
from aistudio.report.html.charts import Axis
from aistudio.report.html.difference import Difference
from aistudio.report.html.pages import page
from aistudio.report.html.run_page import tone
from aistudio.report.html.sweep_charts import panels
from aistudio.report.html.values import counted, is_number, number
from aistudio.report.ranking import indistinct, leaders, leads, notes, ordered, why_indistinct
from aistudio.report.summary import Row

NAMES = {"job": "job", "task": "task", "architecture": "architecture", "backbone": "backbone"}
SETTINGS = {  # shown as columns only where they differ
    "level": "sanity",
    "seed": "seed",
    "image_size": "px",
    "batch_size": "batch",
    "device": "device",
}
NUMBERS = {"top1": ("top-1", "%")} | {name: (heading, unit) for name, (heading, unit, _) in summary.COLUMNS.items()}
NUMBERS |= {"images_per_second": ("images/s", ""), "seconds": ("took", "s")}
_SPREADS = ("forward", "training_step", "images_per_second")
PAIRS = 24  # that cannot be told apart, written out
GROUPS = 60  # of jobs that did not pass, one a reason
_TILES = 400  # jobs of a group
_REASON = 160  # characters of a reason in the table


@dataclass(frozen=True)
class Cell:
    """A cell of the table: what it shows, what it sorts by, and its spread: start, length, where the value is."""

    shown: str
    value: float | int | None = None
    best: bool = False
    glyph: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Line:
    """A job in the table; where nothing was measured the reason takes the room of the cells."""

    key: int
    outcome: str
    tone: str
    names: list[str]
    address: str
    cells: list[Cell] | None
    reason: str


@dataclass(frozen=True)
class Failure:
    """Jobs that ended alike for the same reason, and the end of a log of theirs."""

    outcome: str
    reason: str
    jobs: list[tuple[int, str]]
    missing: int
    log: str


def sweep_page(
    rows: Sequence[Row],
    folder: Path,
    title: str = "",
    logs: dict[str, str] | None = None,
    against: Difference | None = None,
) -> str:
    """The page of a sweep.

    Args:
        rows: the rows of its summary.
        folder: where the page will lie; jobs below it are linked to.
        title: what it is called, else the folder's name.
        logs: the end of the log of each job, by the job's folder.
        against: what changed since an earlier sweep.
    """
    lined = ordered(rows)
    names, numbers = columns(lined)
    outcomes = counted([row.outcome for row in rows])
    return page(
        "sweep.html.j2",
        kind="sweep",
        title=title or folder.resolve().name,
        jobs=len(rows),
        tally=[(outcome, tone(outcome), outcomes[outcome]) for outcome in summary.OUTCOMES if outcome in outcomes],
        passed=bool(rows) and set(outcomes) == {"passed"},
        same=same(lined),
        headings=[(heading(name), False) for name in names] + [(heading(name), True) for name in numbers],
        linked=names.index("backbone"),
        lines=lines(lined, names, numbers, folder),
        reasons=any(row.outcome != "passed" and measured(row) for row in rows),
        panels=panels(lined),
        failures=failures(lined, logs or {}),
        alike=alike(rows),
        why_alike=why_indistinct(rows),
        ranked=notes(rows),
        against=against,
    )


def heading(name: str) -> str:
    """The heading of a column."""
    return NAMES.get(name) or SETTINGS.get(name) or NUMBERS[name][0]


def columns(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """The columns that say something: names and settings that differ, numbers that are there."""
    values = {name: {getattr(row, name) for row in rows} - {None, ""} for name in (*NAMES, *SETTINGS)}
    varied = {name for name, found in values.items() if len(found) > 1}
    names = [name for name in (*NAMES, *SETTINGS) if name in varied or name == "backbone"]
    if len({tuple(getattr(row, name) for name in names if name != "job") for row in rows}) == len(rows):
        names = [name for name in names if name != "job"]  # the other names tell the jobs apart
    return names, [name for name in NUMBERS if any(is_number(getattr(row, name)) for row in rows)]


def same(rows: Sequence[Row]) -> str:
    """What is the same in all rows, in a line."""
    if not rows:
        return ""
    values = {name: {getattr(row, name) for row in rows} - {None, ""} for name in (*list(NAMES)[1:3], *SETTINGS)}
    forms = {"level": "sanity={}", "seed": "seed {}", "image_size": "{} px", "batch_size": "batch {}"}
    return " · ".join(forms.get(name, "{}").format(*found) for name, found in values.items() if len(found) == 1)


def lines(rows: Sequence[Row], names: Sequence[str], numbers: Sequence[str], folder: Path) -> list[Line]:
    """The rows of the table."""
    best, home = leaders(rows), folder.resolve()
    scales = {name: scale(rows, name) for name in _SPREADS}
    return [
        Line(
            key,
            row.outcome,
            tone(row.outcome),
            [str(value) if (value := getattr(row, name)) is not None else "" for name in names],
            address(row, home),
            [cell(row, name, best, scales) for name in numbers] if measured(row) else None,
            in_short(row),
        )
        for key, row in enumerate(rows)
    ]


def measured(row: Row) -> bool:
    """Whether there is a number to show."""
    return row.outcome == "passed" or any(is_number(getattr(row, name)) for name in summary.COLUMNS)


def in_short(row: Row) -> str:
    """The first line of why a row did not pass."""
    first = row.reason.splitlines()[0] if row.outcome != "passed" and row.reason else ""
    return first if len(first) <= _REASON else f"{first[:_REASON]}…"


def scale(rows: Sequence[Row], name: str) -> Axis | None:
    """What the spreads of a column are drawn to: from the least to the most of all rows, in powers of ten."""
    edges = [getattr(row, f"{name}_{end}") for row in rows for end in ("low", "high")]
    known = [edge for edge in edges if is_number(edge) and edge > 0]
    return Axis(min(known), max(known), 2, 62, log=True) if known and min(known) < max(known) else None


def cell(row: Row, name: str, best: Any, scales: Mapping[str, Axis | None]) -> Cell:
    """A number of a row with its spread."""
    value = getattr(row, name)
    if not is_number(value):
        return Cell("")
    glyph, low, high = None, getattr(row, f"{name}_low", None), getattr(row, f"{name}_high", None)
    axis = scales.get(name)
    if axis and is_number(low) and is_number(high):
        glyph = (axis.at(low), round(axis.at(high) - axis.at(low), 1), axis.at(value))
    best_of_task = name in summary.COLUMNS and leads(row, name, best)
    shown = f"{value:.2f}" if name == "top1" else number(value, NUMBERS[name][1])
    return Cell(shown, value, best_of_task, glyph)


def address(row: Row, folder: Path) -> str:
    """The page of a job as a link from the sweep's page; "" where there is none below it."""
    try:
        inside = Path(row.folder).resolve().relative_to(folder)
    except (OSError, ValueError):
        return ""
    page = inside / "report.html"
    return "./" + quote(page.as_posix()) if (folder / page).is_file() else ""


def failures(rows: Sequence[Row], logs: dict[str, str]) -> tuple[list[Failure], int]:
    """The jobs that did not pass by their reasons, the commonest first, and how many reasons are left out."""
    groups: dict[tuple[str, str], list[tuple[int, Row]]] = {}
    for key, row in enumerate(rows):
        if row.outcome != "passed":
            groups.setdefault((row.outcome, nameless(row)), []).append((key, row))
    common = sorted(groups.items(), key=lambda group: -len(group[1]))
    shown = [
        Failure(
            outcome,
            group[0][1].reason,
            [(key, row.job) for key, row in group[:_TILES]],
            max(0, len(group) - _TILES),
            next((logs[row.folder] for _, row in group if logs.get(row.folder)), ""),
        )
        for (outcome, _), group in common[:GROUPS]
    ]
    return shown, max(0, len(common) - GROUPS)


def nameless(row: Row) -> str:
    """The reason of a row without its own names, so that jobs refused by one rule are together."""
    reason = row.reason[:_REASON].splitlines()[0] if row.reason else ""
    for name in sorted((row.job, row.backbone, row.architecture), key=len, reverse=True):
        reason = reason.replace(name, "…") if name else reason
    return reason


def alike(rows: Iterable[Row]) -> tuple[list[tuple[str, str]], str]:
    """Pairs of backbones that these runs cannot tell apart, and how many more there are."""
    pairs = indistinct(rows)
    shown = list(islice(pairs, PAIRS))
    more = sum(1 for _ in islice(pairs, 10_000))
    return shown, f"and {more:,}{' or more' * (more == 10_000)} other pairs" if more else ""
