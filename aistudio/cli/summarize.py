"""One table of all the runs below some folders, also as CSV, Markdown and JSON.

A sweep ends with the same. Exit codes: 0 every run passed, 1 one did not, 2 there is nothing to summarise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from aistudio.cli.line import Parser
from aistudio.errors import FAILED, PASSED, Problem, Refusal
from aistudio.jobs.shards import conclude_shards
from aistudio.report import summary
from aistudio.report.html.difference import difference
from aistudio.report.html.sweep_folder import jobs
from aistudio.report.tables import conclude
from aistudio.report.terminal import Terminal


def main(arguments: Sequence[str]) -> int:
    """Read the folders, print the table, write the files; the exit code."""
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser("aistudio summarize", description=__doc__, formatter_class=form)
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="searched for report.json, all below it"
    )
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where summary.* go; else the folder, if it is one")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="an earlier sweep: what changed since, and why")
    given = parser.parse_args(arguments)
    return _summarized(given.folders, given.into, given.against)


def _summarized(folders: Sequence[Path], into: Path | None, against: Path | None = None) -> int:
    """Print and write the summary of some folders; the exit code."""
    earlier = [against] if against else []
    rows, before = summary.rows(folders), summary.rows(earlier)
    missing = [folder for folder in (*folders, *earlier) if not folder.is_dir()]
    problems = [Problem(what=f"{folder} is no folder", why="there is nothing to read") for folder in missing]
    empty = [asked for asked, found in ((folders, rows), (earlier, before)) if asked and not found]
    if not missing:
        problems += [
            Problem(
                what=f"no report.json below {', '.join(map(str, asked))}",
                why="a summary is made from the reports that runs leave behind",
                instead="a folder below outputs/ or multirun/",
            )
            for asked in empty
        ]
    if problems:
        raise Refusal(problems)
    into = into or (folders[0] if len(folders) == 1 else Path())
    changes = difference(jobs(rows), jobs(before), against.as_posix()) if against else None
    terminal = Terminal()
    passed = conclude(rows, into, terminal, changes)
    merged = conclude_shards([Path(row.folder) for row in rows], into, terminal)
    return PASSED if passed and merged else FAILED
