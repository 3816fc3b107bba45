"""The end of a sweep: one row a job, read from ``report.json`` files, as CSV, Markdown and JSON.

Rows come from the files alone, so that the summary of a sweep that was interrupted is right, and summaries of several
sweeps can be made together: ``python -m aistudio.summarize FOLDER…``. Nothing here needs torch.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from aistudio import report_file
from aistudio.environment import scrub
from aistudio.errors import first_line
from aistudio.files import write_whole
from aistudio.outlet import as_json as json_text
from aistudio.outlet import data
from aistudio.records import Measurement
from aistudio.report import quantity
from aistudio.text import in_csv, in_markdown

SCHEMA = 1
OUTCOMES = ("passed", "failed", "refused", "broke", "interrupted", "unfinished", "unreadable")
NAMES = ("outcome", "job", "task", "architecture", "backbone")
TIMES = ("forward", "training_step")
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

    ``job`` is the name of its folder. Times are medians in seconds with their spread ``low`` … ``high``; memory is in
    bytes; ``top1`` is the published ImageNet accuracy of the backbone in percent; ``batch_size`` is of the measurement.
    """

    job: str
    task: str
    architecture: str
    backbone: str
    level: str
    seed: int | None
    image_size: int | None
    batch_size: int | None
    device: str
    top1: float | None
    outcome: str
    reason: str
    parameters: float | None
    multiply_adds: float | None
    forward: float | None
    forward_low: float | None
    forward_high: float | None
    images_per_second: float | None
    images_per_second_low: float | None
    images_per_second_high: float | None
    training_step: float | None
    training_step_low: float | None
    training_step_high: float | None
    peak_memory: float | None
    seconds: float | None
    folder: str


def rows(folders: Iterable[Path]) -> list[Row]:
    """A row for every ``report.json`` below the folders, each file once; jobs in the order of their numbers."""
    found = (Path(at) for folder in folders for at, *names in os.walk(folder) if "report.json" in chain(*names))
    files = {os.path.realpath(at): at / "report.json" for at in found}
    return [row(path) for path in sorted(files.values(), key=_natural)]


def row(path: Path) -> Row:
    """What one report says; a file that is no report gives a row that says so."""
    names = os.path.basename(os.path.realpath(path.parent)), path.parent.as_posix()
    job, folder = (os.fsencode(name).decode(errors="backslashreplace") for name in names)  # a name may be any bytes
    try:
        report = report_file.read(path)
    except report_file.Unreadable as error:
        nothing = dict.fromkeys(("task", "architecture", "backbone", "level", "device"), "")
        unknown = dict.fromkeys(Row.__dataclass_fields__)
        reason = f"{path.name} is no report of aistudio: {error}"
        return Row(**{**unknown, **nothing, "outcome": "unreadable", "reason": reason, "folder": folder, "job": job})
    failures = [check for check in report.checks if check.status == "failed"]
    return Row(
        job=job,
        **asdict(report.settings),
        device=report.versions.get("device", ""),
        outcome=report.verdict,
        reason=report.reason or "; ".join(f"{check.name}: {check.seen}" for check in failures),
        seconds=report.seconds,
        folder=folder,
        **_numbers({one.name: one for one in report.measurements}),
    )


def _numbers(measured: Mapping[str, Measurement]) -> dict[str, Any]:
    """The measurements of a row; forward and training step with their spread."""
    values = {name: one.value for name, one in measured.items()}
    found: dict[str, Any] = {name: values.get(name) for name in ("parameters", "multiply_adds")}
    for name, source in (*((name, name) for name in TIMES), ("images_per_second", "forward_images_per_second")):
        one = measured.get(source)
        found |= {name: one and one.value, f"{name}_low": one and one.low, f"{name}_high": one and one.high}
    peaks = [values.get(f"{name}_peak_memory") for name in TIMES]
    return found | {"peak_memory": max((peak for peak in peaks if peak is not None), default=None)}


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """``job/10`` after ``job/9``."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in path.parts]


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
    """Passed before the others; among them task by task, the quickest first."""
    return sorted(rows, key=lambda row: (row.outcome != "passed", row.task, row.forward or float("inf")))


def number(row: Row, column: str) -> str:
    """A number of a row for people, with its unit; empty where there is none."""
    value = getattr(row, column)
    return "" if value is None else quantity(value, COLUMNS[column][1])


def reasons(rows: Sequence[Row]) -> list[str]:
    """A line for every row that did not pass, what it was and why; rows that ended alike share one."""
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.outcome != "passed":
            alike.setdefault((row.outcome, first_line(row.reason)), []).append(row)
    return [f"{outcome}: {_who(group)}  {reason}".rstrip() for (outcome, reason), group in alike.items()]


def _who(rows: Sequence[Row]) -> str:
    """The names of a row, or how many there are and some of their jobs."""
    if len(rows) == 1:
        return " · ".join(filter(None, (rows[0].task, rows[0].architecture, rows[0].backbone))) or rows[0].folder
    return f"{len(rows)} jobs ({', '.join(row.job for row in rows[:3])}{', …' * (len(rows) > 3)})"


def tally(rows: Sequence[Row]) -> str:
    """How many rows ended how: ``10 passed, 1 failed``."""
    counts = {outcome: sum(row.outcome == outcome for row in rows) for outcome in OUTCOMES}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)


def as_csv(rows: Sequence[Row]) -> str:
    """All fields of every row, numbers unrounded."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(Row.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: in_csv(value) for key, value in data(asdict(row)).items()} for row in rows)
    return file.getvalue()


def as_markdown(rows: Sequence[Row]) -> str:
    """A table for a pull request, the best of each column and task in bold, then the reasons."""
    headings = ["", "job", "task", "architecture", "backbone", *(heading for heading, _, _ in COLUMNS.values())]
    lines = [_line(headings), _line(["---"] * 5 + ["---:"] * len(COLUMNS))]
    best = leaders(rows)
    for row in ordered(rows):
        cells = [in_markdown(scrub(str(getattr(row, name)))) for name in NAMES]
        for column in COLUMNS:
            text = number(row, column)
            cells.append(f"**{text}**" if leads(row, column, best) else text)
        lines.append(_line(cells))
    lines += ["", *(f"- {in_markdown(scrub(reason))}" for reason in reasons(rows))]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_json(rows: Sequence[Row]) -> str:
    """``summary.json``: the schema's number and the rows with all their fields."""
    return json_text({"schema": SCHEMA, "rows": [asdict(row) for row in rows]})


def write(rows: Sequence[Row], folder: Path) -> list[Path]:
    """``summary.csv``, ``summary.md`` and ``summary.json`` in the folder; each is whole or not there."""
    texts = {"summary.csv": as_csv(rows), "summary.md": as_markdown(rows), "summary.json": as_json(rows)}
    for name, text in texts.items():
        write_whole(folder / name, text)
    return [folder / name for name in texts]
