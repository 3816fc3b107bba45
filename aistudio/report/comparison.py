"""A run beside the report of an earlier one: what came out otherwise, and whether that is a drift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from aistudio.report.figures_in_words import quantity
from aistudio.report.records import TAKEN_AWAY, CheckResult, Measurement, Report, SanityReport
from aistudio.report.terminal import Terminal, words

MEMORY = 0.10  # share by which peak memory may differ: allocators round, and processes hold different libraries


@dataclass(frozen=True)
class Change:
    """Something that came out otherwise than the report says; a drift fails the replay, a warning does not."""

    kind: str  # "drift" or "warning"
    name: str
    before: str
    now: str


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
    elif now.name.endswith("images_per_second") or now.name == TAKEN_AWAY:
        same = True  # another name for the time that is compared, or of the machine alone
    elif now.unit == "s" and None in (now.low, then.low):
        same = True  # nobody knows how far it scatters
    elif now.low is not None:
        kind, same = "warning", overlap(then, now)
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


def overlap(one: Measurement, other: Measurement) -> bool:
    """Whether both were measured repeatedly, and their spreads have something in common."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return other.low <= one.high and one.low <= other.high
