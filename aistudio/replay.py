"""``python -m aistudio.replay report.json``: run a report's configuration again, and say what has changed since.

Exit codes: 0 the same, 1 something drifted, 2 there is nothing to replay. Checks, parameters and arithmetic must come
out as they were; memory may differ by a tenth; a time that differs beyond the spread of both runs is a warning.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.text import Text

from aistudio import report_file
from aistudio.config import settle
from aistudio.doors import reach
from aistudio.endings import code_of, ending_with_a_report, reason_of
from aistudio.errors import Problem, Refusal, first_line, refusal_text
from aistudio.job import FAILED, PASSED, REFUSED, import_sanity_run
from aistudio.limits import lookup
from aistudio.outlet import guard
from aistudio.output import plain_where_needed
from aistudio.receipt import digest
from aistudio.records import CheckResult, Measurement, SanityReport
from aistudio.report import Terminal, quantity, words
from aistudio.report_file import Report
from aistudio.trust import trusted

MEMORY = 0.10  # share by which peak memory may differ: allocators round, and processes hold different libraries
MOST_THREADS = 4096  # of a machine; more is no number of threads
NEEDED = (  # keys that a run reads, whatever it is of
    *(f"backbone.{key}" for key in ("name", "weights", "frozen", "model", "out_channels")),
    *(f"architecture.{key}" for key in ("name", "model", "learning.optimizer", "rules")),
    *(f"task.{key}" for key in ("name", "image_size")),
    *(f"runtime.{key}" for key in ("device", "precision", "channels_last", "compile", "seed", "threads")),
    *(f"sanity.{key}" for key in ("checks", "image_size", "batch_size", "economy", "measure")),
    "data.batch_size",
)


@dataclass(frozen=True)
class Change:
    """Something that came out otherwise than the report says; a drift fails the replay, a warning does not."""

    kind: str  # "drift" or "warning"
    name: str
    before: str
    now: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay a report and print what changed; the exit code."""
    guard()
    parser = argparse.ArgumentParser("python -m aistudio.replay", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("report", type=Path, help="a report.json that a run has left")
    given = parser.parse_args(arguments)
    with plain_where_needed(), ending_with_a_report():
        try:
            return replayed(given.report)
        except KeyboardInterrupt as end:
            print(reason_of(end), file=sys.stderr)
            return code_of(end)


def replayed(path: Path) -> int:
    """Run a report again; the exit code."""
    reach(trusted())
    terminal = Terminal()
    try:
        before = read(path)
        config = configuration(before)
        terminal.head(config.task.name, config.backbone.name, config.architecture.name)
        with terminal.busy():
            terminal.start("importing torch")
            report = import_sanity_run()(config, on_result=terminal.check, on_start=terminal.start)
    except Refusal as refusal:
        print(refusal_text(refusal.problems), file=sys.stderr)
        return REFUSED
    found = [*changes(before, report)]
    tell(found, before, report, terminal)
    return FAILED if any(change.kind == "drift" for change in found) else PASSED


def read(path: Path) -> Report:
    """A report that ended in a verdict; anything else is refused."""
    try:
        report = report_file.read(path)
    except report_file.Unreadable as error:
        raise Refusal([Problem(f"{path} is no report", str(error), str(path), "the report.json of a run")]) from None
    if report.verdict not in report_file.VERDICTS:
        why = f"that run was {report.verdict}" if report.verdict != "broke" else "that run broke"
        raise Refusal([Problem(f"{path} has no verdict to compare with", why, str(path), "the report of a whole run")])
    return report


def configuration(before: Report) -> DictConfig:
    """The report's configuration, judged anew, with as many CPU threads as then: sums depend on their number."""
    try:
        if before.config_sha256 and before.config_sha256 != digest(before.config):
            why = "it does not hash to the receipt's config_sha256"
            where, instead = "config", "the report as it was written"
            raise Refusal([Problem("the report's configuration was edited", why, where, instead)])
        absent = [key for key in NEEDED if not lookup(before.config, key)[0]]
        if absent:
            what = f"the report's configuration lacks {', '.join(absent)}"
            why, instead = "a run reads them, and writes them down", "the report as it was written"
            raise Refusal([Problem(what, why, "config", instead)])
        config = OmegaConf.create(dict(before.config))
        settle(config)
    except (OmegaConfBaseException, RecursionError) as error:
        why = first_line(error) if isinstance(error, OmegaConfBaseException) else "it is nested too deeply"
        raise Refusal([Problem("the report's configuration cannot be read", why, "config")]) from None
    if config.runtime.threads is None:
        config.runtime.threads = threads(before.versions)
    return config


def threads(versions: Mapping[str, str]) -> int | None:
    """How many CPU threads a run had; None where its report does not say."""
    count = versions.get("threads", "")
    return int(count) if count.isdecimal() and 0 < int(count[:9]) <= MOST_THREADS else None


def changes(before: Report, report: SanityReport) -> Iterator[Change]:
    """What came out otherwise: checks, measurements, weights."""
    then, now = ({check.name: check for check in checks} for checks in (before.checks, report.checks))
    for name in {**then, **now}:
        yield from change("drift", name, described(then.get(name)), described(now.get(name)))
    measured = {one.name: one for one in before.measurements}
    for one in report.measurements:
        yield from measurement_changes(measured.get(one.name), one)
    for name in {**before.weights, **report.weights}:
        yield from change("drift", name, before.weights.get(name, "not there"), report.weights.get(name, "not there"))


def described(check: CheckResult | None) -> str:
    """How a check ended, in words that are the same for the same end."""
    return "not run" if check is None else f"{check.status}: {check.seen or check.cause}"


def measurement_changes(then: Measurement | None, now: Measurement) -> Iterator[Change]:
    """Whether a number differs by more than it may."""
    if then is None or then.value is None or now.value is None:
        return
    kind, same = "drift", then.value == now.value
    if now.unit == "bytes":
        same = abs(now.value - then.value) <= MEMORY * then.value
    elif now.name.endswith("images_per_second"):
        same = True  # another name for the time that is compared
    elif now.low is not None:
        kind, same = "warning", then.low is not None and now.low <= then.high and then.low <= now.high
    elif now.name == "time_to_verdict":
        same = True  # it holds what the machine did besides; forward and training step are the times to compare
    if not same:
        yield Change(kind, now.name, quantity(then.value, now.unit), quantity(now.value, now.unit))


def change(kind: str, name: str, before: str, now: str) -> Iterator[Change]:
    """A change, where there is one."""
    if before != now:
        yield Change(kind, name, before, now)


def tell(found: Sequence[Change], before: Report, report: SanityReport, terminal: Terminal) -> None:
    """Print the changes, what else differs between the two runs, and the verdict."""
    terminal.print()
    for one in found:
        style = "bold red" if one.kind == "drift" else "yellow"
        terminal.print(Text.assemble(words(f"{one.kind:<8}", style), words(f" {one.name}")))
        for time, value in (("was", one.before), ("is", one.now)):
            terminal.print(words(f"           {time:<4} {value}"), wrap=False)
    for name, version in report.versions.items():
        was = before.versions.get(name)
        if was != version:
            terminal.print(words(f"since then {name}: {was} -> {version}", "dim"), wrap=False)
    drifts = sum(one.kind == "drift" for one in found)
    warnings = len(found) - drifts
    counts = f"{len(report.checks)} checks and {len(report.measurements)} measurements; {drifts} drifted"
    style = "bold red" if drifts else "bold green"
    also = f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    terminal.print(Text.assemble(("DRIFTED" if drifts else "THE SAME", style), f"  {counts}{also}"))


if __name__ == "__main__":
    sys.exit(main())
