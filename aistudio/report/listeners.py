"""Who hears of a run as it goes: the terminal, the page of the run, a user's own. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aistudio.report.records import CheckResult, Measurement, SanityReport


class Listener:
    """Who is told of a run as it goes; a class that names this one as its base hears only what it has members for."""

    def started(self, name: str) -> None:
        """A check, or ``measure``, begins."""

    def assembled(self, facts: Mapping[str, str]) -> None:
        """What was assembled, in words; before the first check."""

    def warned(self, warnings: Sequence[str]) -> None:
        """What is odd about it; before the first check."""

    def checked(self, result: CheckResult) -> None:
        """A check has ended."""

    def measured(self, measurements: Sequence[Measurement]) -> None:
        """All that was measured."""

    def ended(self, report: SanityReport) -> None:
        """The run has come to its verdict."""


@dataclass(frozen=True)
class Listeners(Listener):
    """Several that are told the same, in their order."""

    those: Sequence[Listener] = ()

    def started(self, name: str) -> None:
        """Tell them all."""
        for one in self.those:
            one.started(name)

    def assembled(self, facts: Mapping[str, str]) -> None:
        """Tell them all."""
        for one in self.those:
            one.assembled(facts)

    def warned(self, warnings: Sequence[str]) -> None:
        """Tell them all."""
        for one in self.those:
            one.warned(warnings)

    def checked(self, result: CheckResult) -> None:
        """Tell them all."""
        for one in self.those:
            one.checked(result)

    def measured(self, measurements: Sequence[Measurement]) -> None:
        """Tell them all."""
        for one in self.those:
            one.measured(measurements)

    def ended(self, report: SanityReport) -> None:
        """Tell them all."""
        for one in self.those:
            one.ended(report)
