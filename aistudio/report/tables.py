"""The summary's rows as tables: in the terminal, as CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from aistudio.errors import first_line
from aistudio.files import shown, write_whole
from aistudio.report import plots, ranking, summary
from aistudio.report.figures_in_words import quantity
from aistudio.report.html.difference import Difference, as_text
from aistudio.report.html.sweep_folder import PAGE, write_sweep_page
from aistudio.report.ranking import indistinct, leaders, leads, notes, ordered, why_indistinct
from aistudio.report.summary import COLUMNS, MEASURED, NAMES, OUTCOMES, SCHEMA, Row
from aistudio.report.terminal import MARKS, Terminal, words
from aistudio.safety.environment import scrub
from aistudio.safety.outlet import as_json as json_text
from aistudio.safety.outlet import data
from aistudio.safety.text import in_csv, in_markdown


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
    """All fields of every row but each single round, numbers unrounded."""
    file = io.StringIO()
    names = [name for name in Row.__dataclass_fields__ if name != "rounds"]  # which report.json has
    writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: in_csv(value) for key, value in data(asdict(row)).items()} for row in rows)
    return file.getvalue()


def as_markdown(rows: Sequence[Row]) -> str:
    """A table for a pull request, the best of each column and task in bold, then the reasons."""
    known = ranking.columns(rows)
    columns = [name for name in COLUMNS if name in MEASURED or name in known]
    headings = ["", "job", "task", "architecture", "backbone", *(COLUMNS[name][0] for name in columns)]
    lines = [_line(headings), _line(["---"] * 5 + ["---:"] * len(columns))]
    best = leaders(rows)
    for row in ordered(rows):
        cells = [in_markdown(scrub(str(getattr(row, name)))) for name in NAMES]
        for column in columns:
            text = number(row, column)
            cells.append(f"**{text}**" if leads(row, column, best) else text)
        lines.append(_line(cells))
    lines += ["", *(f"- {in_markdown(scrub(line))}" for line in (*notes(rows), *reasons(rows)))]
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


SHOWN = 50  # rows, and reasons, in the terminal at most; the files hold all
GAP = 2  # blanks between columns
MANY = 5  # pairs that cannot be told apart, written out at most


def conclude(
    rows: Sequence[summary.Row],
    folder: Path,
    terminal: Terminal,
    against: Difference | None = None,
    remarks: Sequence[str] = (),
) -> bool:
    """Print the rows, write the files and the plots into the folder; whether every row passed and all is written.

    ``against`` is what changed since an earlier sweep, ``remarks`` are said below the table.
    """
    show_table(rows, terminal)
    if len(rows) > SHOWN:
        terminal.print(words(f"… and {len(rows) - SHOWN} more rows in summary.csv", "dim"))
    for note in notes(rows):
        terminal.print(words(note, "yellow"))
    for remark in remarks:
        terminal.print(words(remark, "dim"))
    lines = reasons(rows)
    for reason in lines[:SHOWN]:
        terminal.print(words(reason), wrap=False)
    if len(lines) > SHOWN:
        terminal.print(words(f"… and {len(lines) - SHOWN} more reasons in summary.csv", "dim"))
    for one, other in islice(indistinct(rows), MANY):
        pair = f"{one} and {other} cannot be told apart by their forward times: {why_indistinct(rows)}"
        terminal.print(words(pair, "dim"))
    if more := sum(1 for _ in islice(indistinct(rows), MANY, None)):
        terminal.print(words(f"… nor can {more} other pairs", "dim"))
    passed = all(row.outcome == "passed" for row in rows)
    terminal.print(words(tally(rows), "bold green" if passed else "bold red"))
    changes = as_text(against) if against else []
    for line in changes[:SHOWN]:
        terminal.print(words(line), wrap=False)
    if len(changes) > SHOWN:
        terminal.print(words(f"… and {len(changes) - SHOWN} more changes in {PAGE}", "dim"))
    return written(rows, folder, terminal, against) and passed


def show_table(rows: Sequence[summary.Row], terminal: Terminal) -> None:
    """Print the table, how its numbers were taken, and what there was no room for."""
    table, hidden = _as_table(rows, terminal.width)
    terminal.print(Padding(table, (1, 0), expand=False), width=max(terminal.width, needed(table)))
    for note in (alike(rows), f"not shown for want of width: {', '.join(hidden)} (summary.md)" if hidden else ""):
        if note:
            terminal.print(words(note, "dim"))


def _as_table(rows: Sequence[summary.Row], width: int) -> tuple[Table, list[str]]:
    """For the terminal: passed rows first, the quickest on top; the best of each column and task in bold.

    A column that would be empty is left out; so is the architecture where there is only one. The job's name is there
    where it tells apart what the other names do not. At most ``SHOWN`` rows. Columns are left out until the table fits
    into ``width``; no name and no unit is shortened.

    Returns:
        The table, and the headings of what was left out.
    """
    columns = ranking.columns(rows)
    names = ["task", "architecture", "backbone"]
    if len({row.architecture for row in rows}) == 1:
        names.remove("architecture")
    if len({(row.task, row.architecture, row.backbone) for row in rows}) < len(rows):
        names.append("job")
    best = leaders(rows)
    shown = ordered(rows)[:SHOWN]
    cells = {
        **{name: [words(name), *(words(getattr(row, name)) for row in shown)] for name in names},
        **{column: [words(COLUMNS[column][0]), *(cell(row, column, best) for row in shown)] for column in columns},
    }
    kept = fitting(cells, width, names)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", width=1, no_wrap=True)
    for name in kept:
        heading, *_ = cells[name]
        table.add_column(heading, justify="left" if name in names else "right", no_wrap=True, width=widest(cells[name]))
    for index, row in enumerate(shown, start=1):
        table.add_row(words(*MARKS.get(row.outcome, MARKS["failed"])), *(cells[name][index] for name in kept))
    return table, [cells[name][0].plain for name in cells if name not in kept and name not in ("task", "architecture")]


def cell(row: Row, column: str, best: Mapping[tuple[str, str], float]) -> Text:
    """A number, bold where none is better."""
    return words(number(row, column), "bold" if leads(row, column, best) else "")


_LEAST_WANTED = (  # what is left out first where there is no room; "" stands for the columns that are not named here
    *("", "activations", "forward_cpu", "parameters", "multiply_adds", "architecture", "task", "peak_memory"),
    *("training_step", "forecast_memory", "largest_batch", "tensor_memory"),
)


def fitting(cells: Mapping[str, Sequence[Text]], width: int, names: Sequence[str]) -> list[str]:
    """The columns that there is room for, whole; what names the rows stays, and one number."""
    kept = [*cells]
    constant = [name for name in ("task", "architecture") if name in names and same(cells[name][1:])]
    order = [*constant, *sorted((name for name in cells if name not in _LEAST_WANTED), key=names.count)]
    order = [name for name in (*order, *_LEAST_WANTED) if name in cells and name not in ("backbone", "job", "forward")]
    for name in dict.fromkeys(order):
        if 1 + sum(GAP + widest(cells[one]) for one in kept) > width and len([n for n in kept if n not in names]) > 1:
            kept.remove(name)
    return kept


def same(texts: Sequence[Text]) -> bool:
    """Whether all say the same."""
    return len({text.plain for text in texts}) <= 1


def widest(texts: Sequence[Text]) -> int:
    """The columns that the longest of some texts takes."""
    return max(text.cell_len for text in texts)


def needed(table: Table) -> int:
    """The columns that a table takes."""
    return sum((column.width or 0) + GAP for column in table.columns)


def alike(rows: Sequence[Row]) -> str:
    """How the numbers were taken, as far as that is the same for all rows that have one."""
    measured = [row for row in rows if row.forward is not None or row.forecast_memory is not None]
    forms = {
        **{"task": "{}", "image_size": "{} px", "batch_size": "batch {}"},
        **{"forward_passes": "forward passes: {}", "training_passes": "training passes: {}"},
        **{"level": "sanity={}", "device": "{}"},
    }
    found = {name: {getattr(row, name) for row in measured} - {None, ""} for name in forms}
    return " · ".join(form.format(*found[name]) for name, form in forms.items() if len(found[name]) == 1)


def written(rows: Sequence[summary.Row], folder: Path, terminal: Terminal, against: Difference | None = None) -> bool:
    """Write the files and draw the plots; what cannot be written is said, for the table is whole all the same."""
    try:
        paths = [write_sweep_page(rows, folder, against), *write(rows, folder)]
        try:
            paths += plots.draw(rows, folder)
        except ImportError:
            terminal.print(words("plots need matplotlib: pip install 'aistudio[plots]'", "dim"))
    except OSError as error:
        fault = f"the summary cannot be written into {shown(folder)}: {error.strerror or error}"
        terminal.print(words(fault, "bold red"), wrap=False)
        return False
    for path in paths:
        terminal.print(words(f"  {shown(path)}", "dim"), wrap=False)
    return True
