"""``python -m aistudio.summarize FOLDER…``: one table of all the runs below some folders, also as CSV, Markdown, JSON.

A sweep ends with the same. Exit codes: 0 every run passed, 1 one did not, 2 there is nothing to summarise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rich.padding import Padding
from rich.table import Table

from aistudio import plots, summary
from aistudio.errors import Problem, refusal_text
from aistudio.files import shown
from aistudio.outlet import guard
from aistudio.output import plain_where_needed
from aistudio.report import MARKS, Terminal, words

SHOWN = 50  # rows, and reasons, in the terminal at most; the files hold all
MANY = 5  # pairs that cannot be told apart, written out at most


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the folders, print the table, write the files; the exit code."""
    guard()
    parser = argparse.ArgumentParser("python -m aistudio.summarize", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="searched for report.json, all below it"
    )
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where summary.* go; else the folder, if it is one")
    given = parser.parse_args(arguments)
    with plain_where_needed():
        return summarized(given.folders, given.into)


def summarized(folders: Sequence[Path], into: Path | None) -> int:
    """Print and write the summary of some folders; the exit code."""
    rows = summary.rows(folders)
    missing = [folder for folder in folders if not folder.is_dir()]
    problems = [Problem(what=f"{folder} is no folder", why="there is nothing to read") for folder in missing]
    if not rows and not missing:
        names = ", ".join(str(folder) for folder in folders)
        problems = [
            Problem(
                what=f"no report.json below {names}",
                why="a summary is made from the reports that runs leave behind",
                instead="a folder below outputs/ or multirun/",
            )
        ]
    if problems:
        print(refusal_text(problems), file=sys.stderr)
        return 2
    into = into or (folders[0] if len(folders) == 1 else Path())
    return 0 if conclude(rows, into, Terminal()) else 1


def conclude(rows: Sequence[summary.Row], folder: Path, terminal: Terminal) -> bool:
    """Print the rows, write the files and the pictures into the folder; whether every row passed and all is written."""
    terminal.print(Padding(as_table(rows), (1, 0), expand=False))
    if len(rows) > SHOWN:
        terminal.print(words(f"… and {len(rows) - SHOWN} more rows in summary.csv", "dim"))
    lines = summary.reasons(rows)
    for reason in lines[:SHOWN]:
        terminal.print(words(reason), wrap=False)
    if len(lines) > SHOWN:
        terminal.print(words(f"… and {len(lines) - SHOWN} more reasons in summary.csv", "dim"))
    for one, other in islice(summary.indistinct(rows), MANY):
        pair = f"{one} and {other} cannot be told apart by their forward times: the spreads overlap"
        terminal.print(words(pair, "dim"))
    if more := sum(1 for _ in islice(summary.indistinct(rows), MANY, None)):
        terminal.print(words(f"… nor can {more} other pairs", "dim"))
    passed = all(row.outcome == "passed" for row in rows)
    terminal.print(words(summary.tally(rows), "bold green" if passed else "bold red"))
    return written(rows, folder, terminal) and passed


def as_table(rows: Sequence[summary.Row]) -> Table:
    """For the terminal: passed rows first, the quickest on top; the best of each column and task in bold.

    A column that would be empty is left out; so is the architecture where there is only one. The job's name is there
    where it tells apart what the other names do not. At most ``SHOWN`` rows.
    """
    columns = [name for name in summary.COLUMNS if any(getattr(row, name) is not None for row in rows)]
    names = ["task", "architecture", "backbone"]
    if len({row.architecture for row in rows}) == 1:
        names.remove("architecture")
    if len({(row.task, row.architecture, row.backbone) for row in rows}) < len(rows):
        names.append("job")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=1)
    for heading in names:
        table.add_column(heading, no_wrap=True)
    for column in columns:
        table.add_column(summary.COLUMNS[column][0], justify="right", no_wrap=True)
    best = summary.leaders(rows)
    for row in summary.ordered(rows)[:SHOWN]:
        mark = words(*MARKS.get(row.outcome, MARKS["failed"]))
        styles = ["bold" if summary.leads(row, column, best) else "" for column in columns]
        numbers = [words(summary.number(row, column), style) for column, style in zip(columns, styles, strict=True)]
        table.add_row(mark, *(words(getattr(row, name)) for name in names), *numbers)
    return table


def written(rows: Sequence[summary.Row], folder: Path, terminal: Terminal) -> bool:
    """Write the files and draw the pictures; what cannot be written is said, for the table is whole all the same."""
    try:
        paths = summary.write(rows, folder)
        try:
            paths += plots.draw(rows, folder)
        except ImportError:
            terminal.print(words("pictures need matplotlib: pip install 'aistudio[plots]'", "dim"))
    except OSError as error:
        fault = f"the summary cannot be written into {shown(folder)}: {error.strerror or error}"
        terminal.print(words(fault, "bold red"), wrap=False)
        return False
    for path in paths:
        terminal.print(words(f"  {shown(path)}", "dim"), wrap=False)
    return True


if __name__ == "__main__":
    sys.exit(main())
