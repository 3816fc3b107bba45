"""Run a report's configuration again, and say what has changed since.

Exit codes: 0 the same, 1 something drifted, 2 there is nothing to replay. Checks, parameters and arithmetic must come
out as they were; memory may differ by a tenth; a time that differs beyond the spread of both runs is a warning.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from aistudio.cli.line import Parser
from aistudio.config.compose import Judged, settle
from aistudio.config.values import lookup
from aistudio.errors import FAILED, PASSED, Problem, Refusal, first_line
from aistudio.jobs.job import import_examine
from aistudio.report import files
from aistudio.report.comparison import changes, tell
from aistudio.report.listeners import Listener
from aistudio.report.receipt import digest
from aistudio.report.records import CheckResult, Report
from aistudio.report.terminal import Terminal
from aistudio.report.validation import VERDICTS, Unreadable

_MOST_THREADS = 4096  # of a machine; more is no number of threads
_NEEDED = (  # keys that a run reads, whatever it is of
    *(f"backbone.{key}" for key in ("name", "weights", "frozen", "model", "out_channels")),
    *(f"architecture.{key}" for key in ("name", "model", "learning.optimizer", "rules")),
    *(f"task.{key}" for key in ("name", "image_size")),
    *(f"runtime.{key}" for key in ("device", "precision", "channels_last", "compile", "seed", "threads")),
    *(f"sanity.{key}" for key in ("checks", "image_size", "batch_size", "check_mode", "measure")),
    "data.batch_size",
)


def main(arguments: Sequence[str]) -> int:
    """Replay a report and print what changed; the exit code."""
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser("aistudio replay", description=__doc__, formatter_class=form)
    parser.add_argument("report", type=Path, metavar="report.json", help="what a run has left")
    given = parser.parse_args(arguments)
    return replayed(given.report)


@dataclass(frozen=True)
class _Again(Listener):
    """Shows the checks as they go, and leaves what was found to the comparison."""

    terminal: Terminal

    def started(self, name: str) -> None:
        """Show what begins."""
        self.terminal.started(name)

    def checked(self, result: CheckResult) -> None:
        """Print a line."""
        self.terminal.checked(result)


def replayed(path: Path) -> int:
    """Run a report again; the exit code."""
    terminal = Terminal()
    before = read(path)
    judged = configuration(before)
    terminal.head(before.settings.task, before.settings.backbone, before.settings.architecture)
    with terminal.busy():
        terminal.started("importing torch")
        report = import_examine()(judged.cfg, judged, _Again(terminal))
    found = [*changes(before, report)]
    tell(found, before, report, terminal)
    return FAILED if any(change.kind == "drift" for change in found) else PASSED


def read(path: Path) -> Report:
    """A report that ended in a verdict; anything else is refused."""
    try:
        report = files.read(path)
    except Unreadable as error:
        raise Refusal([Problem(f"{path} is no report", str(error), str(path), "the report.json of a run")]) from None
    if report.verdict not in VERDICTS:
        why = f"that run was {report.verdict}" if report.verdict != "broke" else "that run broke"
        raise Refusal([Problem(f"{path} has no verdict to compare with", why, str(path), "the report of a whole run")])
    return report


def configuration(before: Report) -> Judged:
    """The report's configuration, judged anew, with as many CPU threads as then: sums depend on their number."""
    try:
        if before.config_sha256 and before.config_sha256 != digest(before.config):
            why = "it does not hash to the receipt's config_sha256"
            where, instead = "config", "the report as it was written"
            raise Refusal([Problem("the report's configuration was edited", why, where, instead)])
        absent = [key for key in _NEEDED if not lookup(before.config, key)[0]]
        if absent:
            what = f"the report's configuration lacks {', '.join(absent)}"
            why, instead = "a run reads them, and writes them down", "the report as it was written"
            raise Refusal([Problem(what, why, "config", instead)])
        config = OmegaConf.create(dict(before.config))
        if before.config["runtime"]["threads"] is None:
            config.runtime.threads = threads(before.versions)
        return settle(config)
    except (OmegaConfBaseException, RecursionError) as error:
        why = first_line(error) if isinstance(error, OmegaConfBaseException) else "it is nested too deeply"
        raise Refusal([Problem("the report's configuration cannot be read", why, "config")]) from None


def threads(versions: Mapping[str, str]) -> int | None:
    """How many CPU threads a run had; None where its report does not say."""
    count = versions.get("threads", "")
    return int(count) if count.isdecimal() and 0 < int(count[:9]) <= _MOST_THREADS else None
