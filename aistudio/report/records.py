"""The typed records that a sanity run leaves behind. Standard library only; ``report.json`` is made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

Status = Literal["passed", "failed", "skipped"]
Verdict = Literal["passed", "failed"]
# How a run ended; the last is of a file that says it of none.
Ending = Literal["passed", "failed", "refused", "broke", "interrupted", "unfinished", "unreadable"]
TAKEN_AWAY = "time_taken_away"  # a measurement: percent of the time that the machine did not give to the process
ENOUGH_PASSES = 5  # of fewer nobody knows how far they scatter
TOLERABLE = 10.0  # of it; where the machine takes more, times are not compared
_DATA_WHY = "Mistakes in labels and files ruin a training run quietly."


@dataclass(frozen=True)
class CheckResult:
    """How one check ended.

    ``why`` is the check's sentence of purpose; ``seen`` and ``expected`` hold the numbers; ``cause`` is the likely
    cause in words (only when it failed) or the reason it was skipped. ``seconds`` is wall-clock time. ``losses`` are
    those of a training that the check watched, step by step; ``metrics`` are the task's before and after it, by name.
    """

    name: str
    why: str
    status: Status
    seen: str = ""
    expected: str = ""
    cause: str = ""
    seconds: float = 0.0
    losses: tuple[float, ...] = ()
    metrics: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def verdict(checks: Iterable[CheckResult]) -> Verdict:
    """``passed`` when at least one check passed and none failed: a run that proved nothing is no pass."""
    ends = {check.status for check in checks}
    return "passed" if "passed" in ends and "failed" not in ends else "failed"


@dataclass(frozen=True)
class Measurement:
    """A number with its unit and definition; ``low`` and ``high`` are the spread where it was measured often enough.

    ``value`` is None where this machine cannot tell (the definition then says why).
    """

    name: str
    value: float | int | None
    unit: str
    definition: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Rounds:
    """Forward passes of a job, timed when its sweep had ended, in turns with the other jobs: A B C, A B C, ….

    ``name`` is that of the rounds: in jobs that share it, passes of the same place were neighbours. ``seconds`` are of
    the wall's clock and ``cpu_seconds`` of the process, one a round; ``taken`` is the percent of the time that the
    machine took away in all of it, ``threads`` how many torch computed with.
    """

    name: str
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    taken: float
    threads: int


class Finding(Protocol):
    """One kind of mistake in a data set: why it matters, and every place where it is, with what is seen there."""

    @property
    def kind(self) -> str:
        """The kind's name."""

    @property
    def severity(self) -> str:
        """How bad it is."""

    @property
    def why(self) -> str:
        """Why it matters."""

    @property
    def count(self) -> int:
        """In how many places."""

    @property
    def faults(self) -> Sequence[Any]:
        """The places, each with a message."""


def data_check(findings: tuple[Finding, ...], failed: bool, seconds: float) -> CheckResult:
    """The audit of labelled data as one of the checks."""
    seen = ", ".join(f"{one.kind} ({one.count})" for one in findings) or "nothing found"
    if not failed:
        return CheckResult("data_audit", _DATA_WHY, "passed", seen, seconds=seconds)
    expected, cause = "nothing that breaks or poisons training", "findings.csv names every place"
    return CheckResult("data_audit", _DATA_WHY, "failed", seen, expected, cause, seconds)


@dataclass(frozen=True)
class SanityReport:
    """The whole outcome of a sanity run: what was assembled, every check, every measurement.

    ``config`` is the resolved configuration as plain containers, ``assembled`` says in words what was built and what
    its backbone receives, ``versions`` the software and device, ``seconds`` the time from start to verdict,
    ``weights`` the SHA-256 of every file of pretrained weights by its name, ``arrival`` the histogram of what the
    backbone receives (``low``, ``high``, ``counts``), ``ledgers`` what became of the tensors of each file of weights.
    ``findings`` is what the audit of labelled data found.
    """

    config: Mapping[str, Any]
    assembled: Mapping[str, str]
    checks: tuple[CheckResult, ...]
    measurements: tuple[Measurement, ...]
    versions: Mapping[str, str]
    seconds: float
    warnings: tuple[str, ...] = field(default=())
    weights: Mapping[str, str] = field(default_factory=dict)
    arrival: Mapping[str, Any] = field(default_factory=dict)
    ledgers: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    @property
    def verdict(self) -> Verdict:
        """``passed`` or ``failed``, as its checks say."""
        return verdict(self.checks)

    @property
    def ok(self) -> bool:
        """Whether the verdict is ``passed``."""
        return self.verdict == "passed"

    def __repr__(self) -> str:
        ends = [f"{sum(one.status == status for one in self.checks)} {status}" for status in get_args(Status)]
        told = ", ".join(one for one in ends if not one.startswith("0 ")) or "nothing was checked"
        return f"<SanityReport {self.verdict.upper()}: {told}; {self.seconds:.1f} s>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdict, the checks, the figures."""
        from aistudio.report.html.run_folder import in_notebook

        return in_notebook(self)

    def to_dict(self) -> dict[str, Any]:
        """What ``report.json`` holds, as plain containers."""
        from aistudio.report.files import as_dict

        return as_dict(self)

    def save(self, folder: Path | str) -> Path:
        """Write ``report.json``, ``config.yaml`` and ``report.html``, with the drawings in ``folder/drawings``.

        Returns the folder, which is made. OSError: it cannot be written.
        """
        from aistudio.report.html.run_folder import save

        return save(self, Path(folder))


@dataclass(frozen=True)
class Settings:
    """What a run was, from its configuration; empty or None where a run without a verdict does not say."""

    task: str
    architecture: str
    backbone: str
    level: str
    seed: int | None
    image_size: int | None
    batch_size: int | None
    top1: float | None


@dataclass(frozen=True)
class Report:
    """A report that was read: the types are as they say, and numbers are finite."""

    verdict: Ending
    reason: str
    seconds: float | None
    checks: Sequence[CheckResult]
    measurements: Sequence[Measurement]
    versions: Mapping[str, str]
    config_sha256: str
    weights: Mapping[str, str]
    config: Mapping[str, Any]
    settings: Settings
    rounds: Rounds | None = None
