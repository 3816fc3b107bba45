"""Two sweeps side by side: which jobs changed, in what, and which keys of their configurations did it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aistudio.report.html.values import flat, is_number, mapping, number, text, written
from aistudio.report.summary import Row

MEASURED = {  # what is compared, its words, its unit, and whether it has a spread
    "parameters": ("parameters", "", False),
    "multiply_adds": ("multiply-adds", "MACs", False),
    "activations": ("activations", "", False),
    "forward": ("forward", "s", True),
    "training_step": ("training step", "s", True),
    "tensor_memory": ("tensor memory", "bytes", False),
    "peak_memory": ("process peak", "bytes", False),
    "top1": ("top-1", "", False),
}
TOLERANCE = {"peak_memory": 0.05}  # counters of a process move by themselves
_LEFT_OUT = ("sweep.",)  # does not change what a run does
MOST = 300  # jobs, and keys, written out


@dataclass(frozen=True)
class Job:
    """A row of a sweep with everything that its run was told and ran on."""

    row: Row
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Key:
    """A key that differs between two sweeps, its two values, and in how many pairs."""

    name: str
    old: str
    new: str
    jobs: int


@dataclass(frozen=True)
class Change:
    """A job that is in both sweeps and came out otherwise; ``keys`` are those of it alone."""

    name: str
    outcome: tuple[str, str] | None
    numbers: list[tuple[str, str, str, str]]
    keys: list[Key]
    reason: str


@dataclass(frozen=True)
class Difference:
    """What changed from an old sweep to a new one; ``keys`` differ in every pair of jobs."""

    old: str
    pairs: int
    keys: list[Key]
    changes: list[Change]
    unchanged: int
    added: list[str]
    gone: list[str]

    @property
    def alone(self) -> bool:
        """Whether a job differs in keys that the others do not."""
        return any(one.keys for one in self.changes)


def settings_of(report: Any) -> dict[str, str]:
    """What a run was told and what it ran on, key by key."""
    report = mapping(report)
    told = {key: written(value) for key, value in flat(mapping(report.get("config")))}
    ground = {f"versions.{key}": text(value) for key, value in mapping(report.get("versions")).items()}
    return {key: value for key, value in {**told, **ground}.items() if not key.startswith(_LEFT_OUT)}


def difference(new: Sequence[Job], old: Sequence[Job], name: str) -> Difference:
    """What changed, job by job; jobs are paired by what varies within the sweeps, else by their names."""
    pairs, added, gone = paired(new, old)
    differing = [keys(one, other) for one, other in pairs]
    common = _in_all(differing)
    changes = [change(one, other, own - common) for (one, other), own in zip(pairs, differing, strict=True)]
    known = [one for one in changes if one is not None]
    return Difference(
        old=name,
        pairs=len(pairs),
        keys=[Key(*key, len(pairs)) for key in sorted(common)][:MOST],
        changes=known[:MOST],
        unchanged=len(pairs) - len(known),
        added=[who(job.row) for job in added][:MOST],
        gone=[who(job.row) for job in gone][:MOST],
    )


def paired(new: Sequence[Job], old: Sequence[Job]) -> tuple[list[tuple[Job, Job]], list[Job], list[Job]]:
    """Pairs of jobs, new and old, and what is only in one of the sweeps."""
    axes = sorted(_varying(new) | _varying(old))
    pairs, new, old = matched(new, old, lambda job: tuple(job.settings.get(axis) for axis in axes))
    more, new, old = matched(new, old, lambda job: (*names(job.row), job.row.seed, job.row.image_size))
    rest, new, old = matched(new, old, lambda job: names(job.row))
    return [*pairs, *more, *rest], new, old


def _varying(jobs: Iterable[Job]) -> set[str]:
    """The keys that do not have the same value in all jobs of a sweep."""
    jobs = list(jobs)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for job in jobs:
        for key, value in job.settings.items():
            found[key][value] += 1
    return {key for key, values in found.items() if len(values) > 1 or values.total() < len(jobs)}


def matched(
    new: Iterable[Job], old: Iterable[Job], identity: Any
) -> tuple[list[tuple[Job, Job]], list[Job], list[Job]]:
    """Pairs with the same identity, in their order, and what is left of both."""
    waiting: dict[Any, list[Job]] = defaultdict(list)
    for job in old:
        waiting[identity(job)].append(job)
    pairs, left = [], []
    for job in new:
        same = waiting[identity(job)]
        if same:
            pairs.append((job, same.pop(0)))
        else:
            left.append(job)
    return pairs, left, [job for jobs in waiting.values() for job in jobs]


def names(row: Row) -> tuple[str, str, str]:
    """What a job was, by its names."""
    return row.task, row.architecture, row.backbone


def who(row: Row) -> str:
    """A job in a line."""
    return " · ".join(filter(None, (row.backbone, row.task, row.architecture))) or row.job


def keys(new: Job, old: Job) -> set[tuple[str, str, str]]:
    """The keys that differ between two jobs, with the old and the new value."""
    every = new.settings.keys() | old.settings.keys()
    pairs = ((key, old.settings.get(key, "not set"), new.settings.get(key, "not set")) for key in every)
    return {(key, before, after) for key, before, after in pairs if before != after}


def _in_all(differing: Sequence[set[tuple[str, str, str]]]) -> set[tuple[str, str, str]]:
    """The differences that all pairs share."""
    return set.intersection(*differing) if differing else set()


def change(new: Job, old: Job, own: set[tuple[str, str, str]]) -> Change | None:
    """How a job came out otherwise; None where it did not."""
    outcome = None if new.row.outcome == old.row.outcome else (old.row.outcome, new.row.outcome)
    numbers = [found for field in MEASURED if (found := moved(new.row, old.row, field))]
    if not outcome and not numbers and not own:
        return None
    reason = new.row.reason if outcome and new.row.outcome != "passed" else ""
    return Change(who(new.row), outcome, numbers, [Key(*key, 1) for key in sorted(own)][:20], reason[:400])


def moved(new: Row, old: Row, field: str) -> tuple[str, str, str, str] | None:
    """A number that changed by more than its spread: its words, the old, the new, and their ratio."""
    heading, unit, spread = MEASURED[field]
    after, before = getattr(new, field), getattr(old, field)
    if not (is_number(after) and is_number(before)) or after == before or (spread and _touching(new, old, field)):
        return None
    if abs(after - before) <= TOLERANCE.get(field, 0) * abs(before):
        return None
    ratio = f"× {after / before:.3g}" if before else ""
    return heading, number(before, unit), number(after, unit), ratio


def _touching(new: Row, old: Row, field: str) -> bool:
    """Whether the spreads of two measurements share a value, so that they cannot be told apart."""
    spreads = [(getattr(row, f"{field}_low"), getattr(row, f"{field}_high")) for row in (new, old)]
    if not all(is_number(edge) for spread in spreads for edge in spread):
        return False
    (low, high), (other_low, other_high) = spreads
    return low <= other_high and other_low <= high


def as_text(found: Difference) -> list[str]:
    """The difference for a terminal, a line each."""
    lines = [f"against {found.old}: {found.pairs} jobs in both, {found.unchanged} came out alike"]
    lines += [f"  in all of them  {key.name}: {key.old} -> {key.new}" for key in found.keys]
    for one in found.changes:
        said = [f"{' -> '.join(one.outcome)}"] if one.outcome else []
        said += [f"{heading} {before} -> {after} ({ratio})" for heading, before, after, ratio in one.numbers]
        said += [f"{key.name}: {key.old} -> {key.new}" for key in one.keys]
        lines.append(f"  {one.name}  {'; '.join(said)}")
    for words, jobs in (("only in the new", found.added), ("only in the old", found.gone)):
        lines += [f"  {words}: {', '.join(jobs)}"] if jobs else []
    return lines
