"""The end of a sweep: one row a job, read from ``report.json`` files, as a table, CSV, Markdown and JSON.

Rows come from the files alone, so that the summary of a sweep that was interrupted is right, and summaries of several
sweeps can be made together: ``python -m aistudio.summarize FOLDER…``. Nothing here needs torch.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from aistudio.report import MARKS, quantity, write_whole

SCHEMA = 1
OUTCOMES = ("passed", "failed", "refused", "broke", "interrupted", "unreadable")
COLUMNS = {  # field of a row: its heading, its unit, and whether less or more is better
    "parameters": ("parameters", "", min),
    "multiply_adds": ("multiply-adds", "MACs", min),
    "forward": ("forward", "s", min),
    "training_step": ("training step", "s", min),
    "peak_memory": ("peak memory", "bytes", min),
}


@dataclass(frozen=True)
class Row:
    """One job: what it was, how it ended and why, and what was measured (None where nothing was).

    Times are medians in seconds with their spread ``low`` … ``high``; memory is in bytes.
    """

    task: str
    architecture: str
    backbone: str
    level: str
    seed: int | None
    outcome: str
    reason: str
    parameters: float | None
    multiply_adds: float | None
    forward: float | None
    forward_low: float | None
    forward_high: float | None
    training_step: float | None
    training_step_low: float | None
    training_step_high: float | None
    peak_memory: float | None
    seconds: float | None
    folder: str


def rows(folders: Iterable[Path]) -> list[Row]:
    """A row for every ``report.json`` below the folders, each file once; jobs in the order of their numbers."""
    files = {path.resolve(): path for folder in folders for path in folder.rglob("report.json")}
    return [row(path) for path in sorted(files.values(), key=_natural)]


def row(path: Path) -> Row:
    """What one report says; a file that is no report gives a row that says so."""
    folder = path.parent.as_posix()
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        measured = {one["name"]: one for one in report["measurements"]}
        config = report["config"]
        failures = [check for check in report["checks"] if check["status"] == "failed"]
        return Row(
            task=config["task"]["name"],
            architecture=config["architecture"]["name"],
            backbone=config["backbone"]["name"],
            level=config["sanity"]["level"],
            seed=config["runtime"]["seed"],
            outcome=report["verdict"],
            reason=report.get("reason") or "; ".join(f"{check['name']}: {check['seen']}" for check in failures),
            seconds=report["seconds"],
            folder=folder,
            **_numbers(measured),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        nothing = dict.fromkeys(("task", "architecture", "backbone", "level"), "")
        unknown = {name: None for name in Row.__dataclass_fields__ if name not in ("outcome", "reason", "folder")}
        reason = f"{path.name} is no report of aistudio: {type(error).__name__}: {error}"
        return Row(**{**unknown, **nothing}, outcome="unreadable", reason=reason, folder=folder)


def _numbers(measured: dict[str, Any]) -> dict[str, Any]:
    """The measurements of a row; forward and training step with their spread."""
    found: dict[str, Any] = {name: measured.get(name, {}).get("value") for name in ("parameters", "multiply_adds")}
    for name in ("forward", "training_step"):
        one = measured.get(name, {})
        found |= {name: one.get("value"), f"{name}_low": one.get("low"), f"{name}_high": one.get("high")}
    peaks = [measured.get(f"{name}_peak_memory", {}).get("value") for name in ("forward", "training_step")]
    return found | {"peak_memory": max((peak for peak in peaks if peak is not None), default=None)}


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """``job/10`` after ``job/9``."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in path.parts]


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


def indistinct(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Pairs of backbones of one task whose forward times overlap: these runs cannot say which is faster."""
    timed = [row for row in rows if row.outcome == "passed" and row.forward_low is not None]
    timed.sort(key=lambda row: row.forward_low)
    return [
        (one.backbone, other.backbone)
        for index, one in enumerate(timed)
        for other in timed[index + 1 :]
        if (one.task, one.level) == (other.task, other.level)
        and one.backbone != other.backbone
        and other.forward_low <= one.forward_high
    ]


def as_table(rows: Sequence[Row]) -> Table:
    """For the terminal: passed rows first, the quickest on top; the best of each column and task in bold.

    A column that would be empty is left out; so is the architecture where there is only one.
    """
    columns = [name for name in COLUMNS if any(getattr(row, name) is not None for row in rows)]
    names = ["task", "architecture", "backbone"]
    if len({row.architecture for row in rows}) == 1:
        names.remove("architecture")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=1)
    for heading in names:
        table.add_column(heading, no_wrap=True)
    for column in columns:
        table.add_column(COLUMNS[column][0], justify="right", no_wrap=True)
    best = leaders(rows)
    for row in ordered(rows):
        mark, style = MARKS.get(row.outcome, MARKS["failed"])
        numbers = [Text(number(row, column), "bold" if leads(row, column, best) else "") for column in columns]
        table.add_row(Text(mark, style), *(getattr(row, name) for name in names), *numbers)
    return table


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Passed before the others; among them task by task, the quickest first."""
    return sorted(rows, key=lambda row: (row.outcome != "passed", row.task, row.forward or float("inf")))


def number(row: Row, column: str) -> str:
    """A number of a row for people, with its unit; empty where there is none."""
    value = getattr(row, column)
    return "" if value is None else quantity(value, COLUMNS[column][1])


def reasons(rows: Sequence[Row]) -> list[str]:
    """A line for every row that did not pass: what it was and why."""
    return [
        f"{row.outcome}: {' · '.join(filter(None, (row.task, row.architecture, row.backbone))) or row.folder}"
        f"  {row.reason.splitlines()[0] if row.reason else ''}".rstrip()
        for row in rows
        if row.outcome != "passed"
    ]


def tally(rows: Sequence[Row]) -> str:
    """How many rows ended how: ``10 passed, 1 failed``."""
    counts = {outcome: sum(row.outcome == outcome for row in rows) for outcome in OUTCOMES}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)


def as_csv(rows: Sequence[Row]) -> str:
    """All fields of every row, numbers unrounded."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(Row.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return file.getvalue()


def as_markdown(rows: Sequence[Row]) -> str:
    """A table for a pull request, the best of each column and task in bold, then the reasons."""
    headings = ["", "task", "architecture", "backbone", *(heading for heading, _, _ in COLUMNS.values())]
    lines = [_line(headings), _line(["---"] * 4 + ["---:"] * len(COLUMNS))]
    best = leaders(rows)
    for row in ordered(rows):
        cells = [row.outcome, row.task, row.architecture, row.backbone]
        for column in COLUMNS:
            text = number(row, column)
            cells.append(f"**{text}**" if leads(row, column, best) else text)
        lines.append(_line(cells))
    lines += ["", *(f"- {reason}" for reason in reasons(rows))]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def as_json(rows: Sequence[Row]) -> str:
    """``summary.json``: the schema's number and the rows with all their fields."""
    return json.dumps({"schema": SCHEMA, "rows": [asdict(row) for row in rows]}, indent=2, ensure_ascii=False) + "\n"


def write(rows: Sequence[Row], folder: Path) -> list[Path]:
    """``summary.csv``, ``summary.md`` and ``summary.json`` in the folder; each is whole or not there."""
    texts = {"summary.csv": as_csv(rows), "summary.md": as_markdown(rows), "summary.json": as_json(rows)}
    for name, text in texts.items():
        write_whole(folder / name, text)
    return [folder / name for name in texts]
