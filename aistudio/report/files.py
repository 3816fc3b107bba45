"""``report.json``, which nothing else reads or writes: docs/report.md says what it holds.

The file that is read may come from anybody; it is read in bounded time and memory (``validation.py`` judges it).
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aistudio.files import write_whole
from aistudio.report.records import Ending, Finding, Report, Rounds, SanityReport
from aistudio.report.validation import Unreadable, typed
from aistudio.safety.outlet import as_json as json_text

REPORT = "report.json"
PAGE = "report.html"
DRAWINGS = "drawings"  # a folder beside it
LARGEST = 64 * 2**20  # bytes of a file: thousands of times what a run writes
SCHEMA = 1
PLACES = 20  # of each finding
LOG = "log.txt"  # what a job of a sweep printed, in its folder


def write(
    path: Path, report: SanityReport, receipt: Mapping[str, Any], origins: Mapping[str, str] | None = None
) -> None:
    """Write the report of a run that came to a verdict."""
    write_whole(path, as_json(report, receipt, origins))


def write_without_verdict(
    path: Path, ending: Ending, reason: str, config: Mapping[str, Any], known: Mapping[str, Any] | None = None
) -> None:
    """Write the report of a run that did not: refused, broke, interrupted or unfinished."""
    write_whole(path, without_verdict(ending, reason, config, known))


def add_rounds(path: Path, rounds: Rounds) -> None:
    """Write into the report of a job what was timed when its sweep had ended."""
    write_whole(path, json_text({**whole(path), "rounds": asdict(rounds)}))


def read(path: Path) -> Report:
    """The report in a file.

    Raises:
        Unreadable: where there is none, for whatever reason.
    """
    return typed(whole(path))


def whole(path: Path) -> Any:
    """What JSON makes of a file, whatever it is; `Unreadable` where it makes nothing."""
    try:
        return parsed(_text_of(path))
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    except UnicodeError:
        raise Unreadable("it is not UTF-8") from None
    except Unreadable:
        raise
    except ValueError as error:
        raise Unreadable(f"it is not JSON: {error}") from None


def _text_of(path: Path) -> str:
    """The text of a regular file of a size that a report may have; nothing else is waited for or read."""
    # A FIFO blocks whoever opens it, a device whoever reads it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("it is no regular file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Unreadable(f"it is larger than {LARGEST // 2**20} MiB")
    return content.decode()


def parsed(content: str) -> Any:
    """What JSON makes of a text; it can hold halves of characters, which nothing can print or write."""
    whole = json.loads(content)
    if "\\ud" in content.lower():
        json.dumps(whole, ensure_ascii=False).encode()
    return whole


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


def as_dict(report: SanityReport) -> dict[str, Any]:
    """What `as_json` writes of a report without a receipt, as plain containers."""
    return json.loads(as_json(report))


def audited(report: SanityReport) -> bool:
    """Whether labelled data was looked at."""
    return any(check.name == "data_audit" for check in report.checks)


def shortened(finding: Finding) -> dict[str, Any]:
    """A finding with its first places; ``findings.csv`` has all of them."""
    places = [{"place": str(fault.place), "message": fault.message} for fault in finding.faults[:PLACES]]
    parts = {"kind": finding.kind, "severity": finding.severity, "why": finding.why, "count": finding.count}
    return {**parts, "places": places}


def without_verdict(
    ending: Ending, reason: str, config: Mapping[str, Any], known: Mapping[str, Any] | None = None
) -> str:
    """The text of ``report.json`` for a run without a verdict: refused, broke, interrupted or unfinished.

    ``known`` are those parts of a report that are known all the same: checks that had ended, the traceback of a fault.
    """
    parts = {
        "schema": SCHEMA,
        "verdict": ending,
        "reason": reason,
        "traceback": "",
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
