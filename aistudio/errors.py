"""What is answered to a user's mistake, and how a command ends.

Exit codes: 0 everything passed, 1 a check failed or a run broke, 2 refused, 3 a bug of aistudio (with its traceback,
which the run's report.json keeps), 130 interrupted from the keyboard, 143 ended by SIGTERM (128 and its number).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from aistudio.safety.outlet import said

PASSED, FAILED, REFUSED, BUG = 0, 1, 2, 3


def refuse(problems: list[Problem]) -> None:
    """Raise a `Refusal` if there is anything to refuse."""
    if problems:
        raise Refusal(problems)


@dataclass(frozen=True)
class Problem:
    """One thing a user did that cannot work, in the four parts that every answer has.

    ``what`` names the value as the user wrote it (``backbone=resnet18 does not fit task=segmentation``), ``why``
    gives the reason, ``where`` the key and file to look at, ``instead`` what to take. Only ``what`` is mandatory.
    ``rows`` are the lines of a short table below the reason.
    """

    what: str
    why: str = ""
    where: str = ""
    instead: str = ""
    rows: tuple[str, ...] = ()


class Refusal(Exception):
    """Everything that is wrong with a request, all at once. The command line prints it and exits with code 2."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(problems)
        super().__init__(refusal_text(self.problems))

    def __reduce__(self) -> tuple[Any, ...]:  # joblib and multiprocessing send exceptions between processes
        return (type(self), (self.problems,))


def refusal_text(problems: Iterable[Problem]) -> str:
    """The problems as a user reads them: what, then why, where and what to take instead.

    Neighbours with the same answer share it. A line of it is a line, whatever a name or a message holds.
    """
    return "\n".join(f"  {name:<8} {text}" if name != WHAT else text for name, text in answers(problems))


WHAT = "what"  # the part that has no name of its own before it


def answers(problems: Iterable[Problem]) -> Iterator[tuple[str, str]]:
    """The parts of the problems with their names, one a line; a row of a table has none."""
    for answer, alike in groupby(problems, lambda one: (one.why, one.rows, one.where, one.instead)):
        why, rows, where, instead = answer
        yield from ((WHAT, said(problem.what)) for problem in alike)
        place = "rule" if " · " in where else "where"
        parts = (("why", why), *(("", row) for row in rows), (place, where), ("instead", instead))
        yield from ((name, said(text)) for name, text in parts if text)


def first_line(text: object) -> str:
    """The first line of a text, or of what an error says."""
    try:
        said = str(text).strip()
    except Exception:  # an error's class may be anybody's
        said = ""
    if said:
        return said.splitlines()[0]
    return "no message" if isinstance(text, BaseException) else ""
