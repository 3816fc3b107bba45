"""Runs checks one after another and turns whatever they raise into findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial

import torch

from aistudio.checks.outcome import Check, Outcome, skipped
from aistudio.checks.raised import finding
from aistudio.checks.subject import Subject
from aistudio.report.listeners import Listener
from aistudio.report.records import CheckResult, Measurement


class Watch:
    """Runs checks one after another, keeps their results and tells who listens."""

    def __init__(self, listener: Listener):
        self.listener = listener
        self.results: list[CheckResult] = []
        self.warnings: list[str] = []
        self._raised: dict[str, str] = {}  # what was raised, and the check that met it first

    def run(self, name: str, why: str, check: Callable[[], Outcome]) -> None:
        """One check; what it raises is a failed result, or a skipped one where an earlier check has met the same."""
        self.listener.started(name)
        started = time.perf_counter()
        try:
            outcome = _as_outcome(check())
        except Exception as error:  # a user's model may raise anything, and that is a finding, not a crash
            outcome = finding(error)
            first = self._raised.setdefault(outcome.seen, name)
            outcome = outcome if first == name else skipped(f"it raises what {first} has failed for")
        if outcome.warning:
            self.warnings.append(f"{name}: {outcome.warning}")
        self.add(_as_result(name, why, outcome, time.perf_counter() - started))

    def check(self, checks: Mapping[str, Check], subject: Subject) -> None:
        """Every check of a subject, each from the same random numbers."""
        for name, one in checks.items():
            self.run(name, one.why, partial(_seeded, one, subject))

    def measure(self, name: str, why: str, action: Callable[[], list[Measurement]]) -> list[Measurement]:
        """Measurements; what they raise is a failed result, and what they give none."""
        self.listener.started(name)
        started = time.perf_counter()
        try:
            return list(action())
        except Exception as error:
            self.add(_as_result(name, why, finding(error), time.perf_counter() - started))
            return []

    def quietly(self, name: str, action: Callable[[], object]) -> None:
        """Something that is no check: what it raises becomes a warning."""
        try:
            action()
        except Exception as error:
            self.warnings.append(f"{name}: {finding(error).seen}")

    def add(self, result: CheckResult) -> None:
        """Keep a result."""
        self.results.append(result)
        self.listener.checked(result)


def _seeded(check: Check, subject: Subject) -> Outcome:
    torch.manual_seed(subject.seed)
    return check(subject)


def _as_result(name: str, why: str, outcome: Outcome, seconds: float) -> CheckResult:
    """An outcome as the report has it; its warning is among those of the run."""
    parts = asdict(outcome)
    del parts["warning"]
    return CheckResult(name, why, **parts, seconds=seconds)


def _as_outcome(outcome: object) -> Outcome:
    """What a check has returned, if it is an answer."""
    if not isinstance(outcome, Outcome):
        raise TypeError(f"a check returns an aistudio.checks.outcome.Outcome, and this one a {type(outcome).__name__}")
    return outcome
