"""``python -m aistudio.summarize FOLDER…``: one table of all the runs below some folders, also as CSV, Markdown, JSON.

A sweep ends with the same. Exit codes: 0 every run passed, 1 one did not, 2 there is nothing to summarise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.padding import Padding
from rich.text import Text

from aistudio import summary
from aistudio.errors import Problem
from aistudio.report import Terminal, refusal_text, shown

MANY = 5  # pairs that cannot be told apart, written out at most


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the folders, print the table, write the files; the exit code."""
    parser = argparse.ArgumentParser("python -m aistudio.summarize", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="searched for report.json, all below it"
    )
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where summary.* go; else the folder, if it is one")
    given = parser.parse_args(arguments)
    rows = summary.rows(given.folders)
    missing = [folder for folder in given.folders if not folder.is_dir()]
    problems = [Problem(what=f"{folder} is no folder", why="there is nothing to read") for folder in missing]
    if not rows and not missing:
        names = ", ".join(str(folder) for folder in given.folders)
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
    into = given.into or (given.folders[0] if len(given.folders) == 1 else Path())
    return 0 if conclude(rows, into, Terminal()) else 1


def conclude(rows: Sequence[summary.Row], folder: Path, terminal: Terminal) -> bool:
    """Print the rows, write the three files into the folder; whether every row passed."""
    terminal.print(Padding(summary.as_table(rows), (1, 0), expand=False))
    for reason in summary.reasons(rows):
        terminal.print(Text(reason), wrap=False)
    pairs = summary.indistinct(rows)
    for one, other in pairs[:MANY]:
        terminal.print(
            Text(f"{one} and {other} cannot be told apart by their forward times: the spreads overlap", "dim")
        )
    if len(pairs) > MANY:
        terminal.print(Text(f"… nor can {len(pairs) - MANY} other pairs", "dim"))
    passed = all(row.outcome == "passed" for row in rows)
    terminal.print(Text(summary.tally(rows), "bold green" if passed else "bold red"))
    for path in summary.write(rows, folder):
        terminal.print(Text(f"  {shown(path)}", "dim"), wrap=False)
    return passed


if __name__ == "__main__":
    sys.exit(main())
