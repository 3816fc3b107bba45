"""Findings: the faults of one kind together, in the order of their severity."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aistudio.audit.kinds import BREAKS, KINDS, MEANING, ODD, severity
from aistudio.audit.records import Fault, Place
from aistudio.audit.tree import printable

_ORDER = [*MEANING]
COLUMNS = ("kind", "severity", "file", "line", "id", "message")


@dataclass(frozen=True)
class Finding:
    """One kind of fault with every place where it was found."""

    kind: str
    severity: str
    why: str
    faults: tuple[Fault, ...]

    @property
    def count(self) -> int:
        """In how many places."""
        return len(self.faults)


def group(faults: Iterable[Fault]) -> tuple[Finding, ...]:
    """The findings, worst first, each with its places in the order of files and lines, and none twice."""
    kinds: dict[str, dict[Fault, None]] = {}
    for fault in faults:
        kinds.setdefault(fault.kind, {})[fault] = None
    found = [
        Finding(kind, severity(kind), KINDS[kind][1], (*sorted(some, key=_order),)) for kind, some in kinds.items()
    ]
    return (*sorted(found, key=lambda finding: (_ORDER.index(finding.severity), -finding.count, finding.kind)),)


def fails(findings: Iterable[Finding]) -> bool:
    """Whether anything breaks or poisons a training run."""
    return any(finding.severity != ODD for finding in findings)


def breaks(findings: Iterable[Finding]) -> bool:
    """Whether anything stops a training run."""
    return any(finding.severity == BREAKS for finding in findings)


def as_csv(findings: Sequence[Finding]) -> str:
    """Every place of every finding, a row each, nothing left out."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for finding in findings:
        for fault in finding.faults:
            place = fault.place
            cells = (finding.kind, finding.severity, place.file, place.line, place.id, fault.message)
            rows.writerow([printable(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()


def read_csv(text: str) -> Iterator[Fault]:
    """The faults in a text that `as_csv` has written; rows of unknown kinds are passed over."""
    for row in csv.DictReader(io.StringIO(text)):
        if row.get("kind") in KINDS and row.get("file") is not None:
            line = row.get("line") or ""
            place = Place(row["file"], int(line) if line.isdecimal() else None, row.get("id") or None)
            yield Fault(row["kind"], place, row.get("message") or "")


def _order(fault: Fault) -> tuple:
    place = fault.place
    return place.file, place.line or 0, place.id or "", fault.message
