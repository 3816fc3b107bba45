"""The page of a kill matrix: shares by family, checks with what they catch and cost, and a row a bug."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

HEALTHY_FAMILY, SHIPPED_FAMILY = "healthy", "shipped"
INTRODUCTION = """\
Which check catches which planted bug, what each check costs, and what a peer sees of the same bugs: Lightning's
`fast_dev_run` and `overfit_batches=1` for 30 steps. It complains where something raises, where a loss is not finite,
or where the loss of the batch does not fall to half. Made by `benchmarks/kill_matrix.py` on tiny models, one thread;
what checks compare, and what they cannot see, is in [checks](checks.md)."""
NAMED = "\nEach bug was tried with the checks that name its cause alone; healthy models with all of them."


@dataclass
class Row:
    """What one bug, or one healthy model, brought.

    ``checks`` are those any of which names the cause; ``failed`` holds their words, ``seconds`` the CPU time of each;
    ``peer`` is its complaint, "" for none, None where it was not asked.
    """

    family: str
    name: str
    checks: str = ""
    unseen: str = ""
    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peer: str | None = None


def caught(row: Row) -> bool:
    """Whether a check failed that names the cause."""
    return bool({*row.checks.split(), "assemble"} & row.failed.keys())


def page(rows: Sequence[Row]) -> str:
    """All of it, as Markdown."""
    bugs = [row for row in rows if row.family not in (HEALTHY_FAMILY, SHIPPED_FAMILY)]
    healthy = [row for row in rows if row.family == HEALTHY_FAMILY]
    shipped = [row for row in rows if row.family == SHIPPED_FAMILY]
    return "\n".join(
        [
            "# Kill matrix",
            "",
            INTRODUCTION + NAMED * all({*row.seconds} <= {*row.checks.split()} for row in bugs),
            "",
            *by_family(bugs),
            "",
            *alarms(healthy, shipped),
            "",
            *by_check(bugs, healthy),
            "",
            *by_bug(bugs),
            "",
        ]
    )


def by_family(bugs: Sequence[Row]) -> list[str]:
    """Shares of the bugs that can be seen."""
    lines = ["| family | bugs that can be seen | caught by a check that names the cause | by the peer |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    visible = [row for row in bugs if not row.unseen]
    for family in [*dict.fromkeys(row.family for row in visible), "all"]:
        own = [row for row in visible if family in ("all", row.family)]
        asked = [row for row in own if row.peer is not None]
        peer = share(sum(bool(row.peer) for row in asked), len(asked)) if asked else ""
        lines.append(f"| {family} | {len(own)} | {share(sum(map(caught, own)), len(own))} | {peer} |")
    return lines


def share(count: int, whole: int) -> str:
    return f"{count} of {whole} ({100 * count / whole:.0f} %)"


def alarms(healthy: Sequence[Row], shipped: Sequence[Row]) -> list[str]:
    """What is said of models that are sound."""
    lines = ["| healthy models | alarms of the checks | of the peer |", "| --- | --- | --- |"]
    wrong = [f"{row.name}: {', '.join(row.failed)}" for row in healthy if row.failed]
    if healthy:
        said = [row for row in healthy if row.peer]
        lines.append(f"| {len(healthy)} that bugs are planted in | {'; '.join(wrong) or 'none'} | {names(said)} |")
    if shipped:
        said = [row for row in shipped if row.peer]
        lines.append(f"| {len(shipped)} backbones that ship, classification | `tests/test_sanity.py` | {names(said)} |")
    return lines


def names(rows: Sequence[Row]) -> str:
    return "; ".join(f"{row.name}: {row.peer}" for row in rows) or "none"


def by_check(bugs: Sequence[Row], healthy: Sequence[Row]) -> list[str]:
    """What each check fails, and its share of the CPU time on healthy models."""
    lines = ["| check | bugs that fail it | that only it fails | share of the CPU time on healthy models |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    whole = sum(sum(row.seconds.values()) for row in healthy) or 1
    for name in dict.fromkeys(name for row in (*healthy, *bugs) for name in row.seconds):
        fails = sum(name in row.failed for row in bugs)
        alone = sum([name] == list(row.failed) for row in bugs)
        cost = sum(row.seconds.get(name, 0.0) for row in healthy)
        lines.append(f"| `{name}` | {fails} | {alone} | {f'{100 * cost / whole:.1f} %' if cost else ''} |")
    return lines


def by_bug(bugs: Sequence[Row]) -> list[str]:
    """A row a bug: what names its cause, what else fails, what the peer says, and what the checks took."""
    lines = ["| family | bug | caught by | fails, too | the peer | CPU s |", "| --- | --- | --- | --- | --- | --- |"]
    for row in bugs:
        named = [f"`{name}`" for name in row.failed if name in (*row.checks.split(), "assemble")]
        others = [f"`{name}`" for name in row.failed if name not in row.checks.split()]
        mark = ", ".join(named) or (f"cannot be seen: {row.unseen}" if row.unseen else "**passes**")
        peer = "" if row.peer is None else "complains" if row.peer else "silent"
        lines.append(
            f"| {row.family} | {row.name} | {mark} | {', '.join(others)} | {peer} | {sum(row.seconds.values()):.2f} |"
        )
    return lines
