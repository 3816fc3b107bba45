"""The files of a run: ``report.json`` as text, and how a file is written whole.

``report.json`` (schema 1) holds: ``schema``, ``verdict`` (``passed`` or ``failed``; where there was none, ``refused``,
``broke`` or ``interrupted`` with a ``reason`` and the checks that had ended), ``seconds`` to the verdict,
``config`` (resolved), ``assembled`` (what was built, in words), ``arrival`` (the histogram of what the backbone
receives: low, high, counts), ``checks`` (name, why, status, seen, expected, cause, seconds, losses), ``measurements``
(name, value, unit, definition, low, high), ``weights`` (a ledger for each file: what was copied, adapted, made anew,
left over), ``versions``, ``warnings``, ``findings`` (of labelled data: kind,
severity, why, count, its first places), ``receipt`` (``config_sha256``, ``overrides``,
``git``: commit and dirty, ``weights``: SHA-256 of each file), and ``origins`` (of keys of the configuration: the
command line, or the file that set them and what is below them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aistudio.report.records import Finding, SanityReport
from aistudio.safety.outlet import as_json as json_text

SCHEMA = 1
PLACES = 20  # of each finding
LOG = "log.txt"  # what a job of a sweep printed, in its folder


def as_json(
    report: SanityReport, receipt: Mapping[str, Any] | None = None, origins: Mapping[str, str] | None = None
) -> str:
    """The report, and the receipt where there is one, as the text of ``report.json``; the same gives the same text.

    ``origins`` says of keys of the configuration who set them and what is below them.
    """
    parts = {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "seconds": round(report.seconds, 3),
        "assembled": dict(report.assembled),
        "arrival": dict(report.arrival),
        "checks": [asdict(check) for check in report.checks],
        "measurements": [asdict(measurement) for measurement in report.measurements],
        "weights": [dict(ledger) for ledger in report.ledgers],
        "warnings": list(report.warnings),
        **({"findings": [shortened(one) for one in report.findings]} if audited(report) else {}),
        "versions": dict(report.versions),
        "receipt": {**(receipt or {}), "weights": dict(report.weights)},
        "config": report.config,
        "origins": dict(origins or {}),
    }
    return json_text(parts)


def audited(report: SanityReport) -> bool:
    """Whether labelled data was looked at."""
    return any(check.name == "data_audit" for check in report.checks)


def shortened(finding: Finding) -> dict[str, Any]:
    """A finding with its first places; ``findings.csv`` has all of them."""
    places = [{"place": str(fault.place), "message": fault.message} for fault in finding.faults[:PLACES]]
    parts = {"kind": finding.kind, "severity": finding.severity, "why": finding.why, "count": finding.count}
    return {**parts, "places": places}


def without_verdict(
    outcome: str, reason: str, config: Mapping[str, Any], known: Mapping[str, Any] | None = None
) -> str:
    """The text of ``report.json`` for a run without a verdict: refused, broke, interrupted or unfinished.

    ``known`` are those parts of a report that are known all the same: checks that had ended, for example.
    """
    parts = {
        "schema": SCHEMA,
        "verdict": outcome,
        "reason": reason,
        "seconds": None,
        "assembled": {},
        "arrival": {},
        "checks": [],
        "measurements": [],
        "weights": [],
        "warnings": [],
        "versions": {},
        "receipt": {},
        "config": config,
        "origins": {},
        **(known or {}),
    }
    return json_text(parts)
