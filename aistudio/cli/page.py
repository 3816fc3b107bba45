"""The page of a run again, from its report.json and its images alone.

Exit codes: 0 it is there, 2 there is nothing to make it from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from aistudio.cli.line import Parser
from aistudio.errors import PASSED, Problem, Refusal
from aistudio.files import shown
from aistudio.report.html.run_folder import write_page
from aistudio.report.validation import Unreadable


def main(arguments: Sequence[str]) -> int:
    """Make the pages of some folders; the exit code."""
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser("aistudio page", description=__doc__, formatter_class=form)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="the folder of a run, with report.json")
    problems = []
    for folder in parser.parse_args(arguments).folders:
        try:
            print(shown(write_page(folder).absolute()))
        except Unreadable as error:
            instead = "the folder of a run; for a sweep: aistudio summarize FOLDER"
            problems.append(Problem(f"{folder} holds no report.json that can be read", str(error), instead=instead))
    if problems:
        raise Refusal(problems)
    return PASSED
