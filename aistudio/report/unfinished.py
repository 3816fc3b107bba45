"""What is known of a run while it goes: its report and its page, so that one that is killed has left both."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aistudio.report.files import REPORT, whole, write_without_verdict
from aistudio.report.listeners import Listener
from aistudio.report.records import CheckResult

KEPT = ("assembled", "checks", "receipt", "origins")  # what a report without a verdict keeps of a run that had begun
SHARE = 0.02  # of a run's time that writing its page may take, about


def so_far(folder: Path) -> dict[str, Any]:
    """What the unfinished report in a folder knows of its run; nothing where there is none."""
    with suppress(OSError, ValueError, RecursionError):
        report = whole(folder / REPORT)
        if isinstance(report, dict) and report.get("verdict") == "unfinished":
            return {key: report[key] for key in KEPT if report.get(key)}
    return {}


class Unfinished(Listener):
    """The report and the page of a run that goes on; it listens beside the terminal.

    The report is written whenever something begins, the page where that takes a small share of the time since it was
    last written. What cannot be written is passed over: the end of the run says it.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], known: Mapping[str, Any]):
        self.folder, self.config = folder, config
        self.known: dict[str, Any] = {"checks": [], **known}
        self.doing = "importing torch"
        self.due = 0.0
        self.write()

    def assembled(self, facts: Mapping[str, str]) -> None:
        """What was assembled."""
        self.known["assembled"] = dict(facts)
        self.write()

    def started(self, name: str) -> None:
        """What begins now, which is what a run that is killed did not end."""
        self.doing = name
        self.write()

    def checked(self, result: CheckResult) -> None:
        """A check that has ended."""
        self.known["checks"] = [*self.known["checks"], asdict(result)]

    def write(self) -> None:
        """Write what is known."""
        reason = f"{self.doing} was the last that began: the run goes on, or it was killed"
        with suppress(OSError):
            write_without_verdict(self.folder / REPORT, "unfinished", reason, self.config, self.known)
            started = time.monotonic()
            if started >= self.due:
                from aistudio.report.html.run_folder import write_page  # a refusal needs no page

                write_page(self.folder)
                ended = time.monotonic()
                self.due = ended + (ended - started) / SHARE
