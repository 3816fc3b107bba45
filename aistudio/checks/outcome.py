"""How a check answers: passed, failed (what was seen, what was expected, the likely cause), or skipped (why)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aistudio.report.records import Status

if TYPE_CHECKING:
    from aistudio.checks.subject import Subject


@dataclass(frozen=True)
class Outcome:
    """What one check found; the sanity run adds its name, its reason and the time it took.

    ``losses`` are those of a training that it watched, step by step; ``metrics`` those of the task before and after.
    ``warning`` is what the report is to say of a check that passed all the same.
    """

    status: Status
    seen: str = ""
    expected: str = ""
    cause: str = ""
    losses: tuple[float, ...] = ()
    metrics: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    warning: str = ""


class Check(Protocol):
    """What an entry of ``sanity.checks`` must be: a sentence of purpose, and a call."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Examine the subject; an exception that escapes is reported as a failed check."""
        ...


def passed(seen: str, expected: str = "") -> Outcome:
    """The check holds; ``seen`` gives the number that shows it."""
    return Outcome("passed", seen, expected)


def failed(seen: str, expected: str, cause: str) -> Outcome:
    """The check does not hold; ``cause`` is the likely cause in words."""
    return Outcome("failed", seen, expected, cause)


def skipped(reason: str) -> Outcome:
    """The check has nothing to examine here, and says why."""
    return Outcome("skipped", cause=reason)


def some(names: Iterable[str], most: int = 4) -> str:
    """Join the first ``most`` names and count the rest: ``a, b and 7 more``."""
    listed = list(names)
    text = ", ".join(listed[:most])
    return f"{text} and {len(listed) - most} more" if len(listed) > most else text
