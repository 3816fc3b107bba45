"""The rows of a summary next to each other: whether they can be ranked, what is best, what cannot be told apart.

Times that a busy machine has stretched say nothing of models. They are ranked by where they were taken in rounds, or
quietly, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb, inf
from typing import Any

from aistudio.report.records import ENOUGH_PASSES, TOLERABLE, Rounds
from aistudio.report.summary import COLUMNS, Row

CHANCE = 0.05  # that one of two models as fast as each other leads in so many rounds
REFUSED = "times are not ranked, rows are in the order given"
RANKED_BY = ("forward", "forward_cpu", "training_step")


@dataclass(frozen=True)
class Ranking:
    """What ranks the rows of one task: a field ``by``, "" where nothing does, and ``why``, "" where that is plain."""

    by: str = "forward"
    why: str = ""


def rankings(rows: Iterable[Row]) -> dict[str, Ranking]:
    """How the rows of each task are ranked."""
    timed: dict[str, list[Row]] = {}
    for row in rows:
        timed.setdefault(row.task, []).extend([row] if row.outcome == "passed" and row.forward is not None else ())
    return {task: ranking(own) for task, own in timed.items()}


def ranking(rows: Sequence[Row]) -> Ranking:
    """How rows that passed and were timed are ranked by their forward times."""
    if len(rows) < 2:
        return Ranking()
    if share_rounds(rows):
        return _by_rounds(rows)
    taken = max(row.taken or 0.0 for row in rows)
    few = sum(row.forward_low is None for row in rows)
    if taken > TOLERABLE:
        return Ranking("", f"the machine took up to {taken:.0f} % of the time away while passes were timed: {REFUSED}")
    if few:
        return Ranking("", f"{few} of {len(rows)} were timed in fewer than {ENOUGH_PASSES} passes: {REFUSED}")
    return Ranking()


def stretched(rows: Iterable[Row]) -> bool:
    """Whether a forward time is longer than the model needs, for the machine was busy."""
    return any((row.rounds.taken if row.rounds else row.taken or 0.0) > TOLERABLE for row in rows)


def why_no_front(rows: Iterable[Row]) -> str:
    """Why no model is drawn as better than another in throughput, or ""."""
    return "the machine was busy: no front" if stretched(rows) else ""


def share_rounds(rows: Sequence[Row]) -> bool:
    """Whether all rows were timed in the same rounds."""
    rounds = [row.rounds for row in rows if row.rounds]
    same = {(one.name, len(one.seconds)) for one in rounds}
    return len(same) == 1 and len(rounds) == len(rows)


def _by_rounds(rows: Sequence[Row]) -> Ranking:
    rounds = _rounds(rows[0])
    count, words = len(rounds.seconds), f"the machine took {rounds.taken:.0f} % of the time away"
    if count < ENOUGH_PASSES:
        return Ranking("", f"sweep.rounds_budget was enough for {count} of {ENOUGH_PASSES} rounds: {REFUSED}")
    if rounds.taken <= TOLERABLE:
        return Ranking("forward")
    on_cpu = all(row.device.startswith("cpu") for row in rows)
    if not on_cpu or rounds.threads > 1:
        return Ranking("", f"{words} in the rounds: {REFUSED}")
    by_cpu = sorted(rows, key=lambda row: row.forward_cpu or inf)
    close = sum(not told_apart(one, other, "forward_cpu") for one, other in pairwise(by_cpu))
    if 2 * close > len(rows) - 1:
        return Ranking("", f"{words}, and in {count} rounds most neighbours changed places: {REFUSED}")
    return Ranking("forward_cpu", f"{words}: ranked by the CPU time of one thread in {count} rounds, not by the clock")


def _rounds(row: Row) -> Rounds:
    """Those of a row that has some."""
    assert row.rounds is not None  # `share_rounds` has looked
    return row.rounds


def told_apart(one: Row, other: Row, by: str) -> bool:
    """Whether one of two rows that share rounds was quicker so often that it is hardly chance: a sign test."""
    times = [_rounds(row).cpu_seconds if by == "forward_cpu" else _rounds(row).seconds for row in (one, other)]
    differences = [first - second for first, second in zip(*times, strict=True) if first != second]
    count = len(differences)
    wins = max(sum(gap < 0 for gap in differences), sum(gap > 0 for gap in differences)) if count else 0
    return count > 0 and sum(comb(count, more) for more in range(wins, count + 1)) / 2**count <= CHANCE


def columns(rows: Sequence[Row]) -> list[str]:
    """The columns of a table: those of which a row has something, and of two that say the same the one that is better.

    Memory is that of tensors, and of the process where nobody knows of these; time is the CPU's where it alone ranks.
    """
    known = [name for name in COLUMNS if any(getattr(row, name) is not None for row in rows)]
    by = {one.by for one in rankings(rows).values()}
    without = {"peak_memory"} if "tensor_memory" in known else set()
    without |= {"forward_cpu"} if "forward_cpu" not in by else {"forward"} if by == {"forward_cpu"} else set()
    return [name for name in known if name not in without]


def leaders(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """The best number of every task and column, among the rows that passed; of times only what ranks them."""
    found: dict[tuple[str, str], float] = {}
    how = rankings(rows)
    for row in rows:
        for column, (_, _, better) in COLUMNS.items():
            value = getattr(row, column)
            if row.outcome == "passed" and value is not None and _ranks(how[row.task].by, column):
                found[row.task, column] = better(value, found.get((row.task, column), value))
    return found


def _ranks(by: str, column: str) -> bool:
    """Whether a column has a best one: every column but times that cannot be compared."""
    return column not in RANKED_BY or by == "forward" or column == by


def leads(row: Row, column: str, best: Mapping[tuple[str, str], float]) -> bool:
    """Whether no row of the same task is better in this column."""
    value = getattr(row, column)
    return row.outcome == "passed" and value is not None and value == best.get((row.task, column))


def indistinct(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Pairs of backbones of which these runs cannot say which is faster.

    Compared are runs of the same task at the same size on the same device: where they share rounds, by the rounds in
    which the one or the other was quicker; else by whether the spreads of their times overlap, where of a backbone that
    ran several times the whole span counts.
    """
    rows = list(rows)
    how = rankings(rows)
    alike: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row.outcome == "passed" and row.forward is not None and how[row.task].by:
            same = (row.task, row.architecture, row.image_size, row.batch_size, row.device)
            alike.setdefault(same, []).append(row)
    for group in alike.values():
        yield from _close(group, how[group[0].task].by) if share_rounds(group) else _overlapping(group)


def _close(rows: Sequence[Row], by: str) -> Iterator[tuple[str, str]]:
    """Of rows that share rounds."""
    said = set()
    for one, other in combinations(sorted(rows, key=lambda row: getattr(row, by) or inf), 2):
        pair = one.backbone, other.backbone
        if one.backbone != other.backbone and pair not in said and not told_apart(one, other, by):
            said |= {pair, pair[::-1]}
            yield pair


def _overlapping(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Of rows whose passes were each job's own."""
    spans: dict[str, tuple[float, float]] = {}
    for row in rows:
        if row.forward_low is not None and row.forward_high is not None:
            low, high = spans.get(row.backbone, (row.forward_low, row.forward_high))
            spans[row.backbone] = min(low, row.forward_low), max(high, row.forward_high)
    timed = sorted((low, high, backbone) for backbone, (low, high) in spans.items())
    for index, (_, high, one) in enumerate(timed):
        yield from ((one, other) for low, _, other in timed[index + 1 :] if low <= high)


def why_indistinct(rows: Sequence[Row]) -> str:
    """What decides it, in words."""
    counts = {len(row.rounds.seconds) for row in rows if row.rounds}
    if len(counts) == 1:
        return f"in {counts.pop()} rounds neither was quicker often enough"
    return "the spreads of their forward times overlap"


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Passed before the others; among them task by task, the quickest first where they are ranked, else as given.

    Forecasts come by the memory that they need.
    """
    how = rankings(rows)

    def key(row: Row) -> tuple[Any, ...]:
        by = how[row.task].by
        return row.outcome != "passed", row.task, (getattr(row, by) or inf) if by else 0.0, row.forecast_memory or inf

    return sorted(rows, key=key)


def notes(rows: Sequence[Row]) -> list[str]:
    """What is to be said of the ranking: by what, or why there is none, once where it is the same for all tasks."""
    how = {task: one.why for task, one in rankings(rows).items()}
    if len(set(how.values())) == 1:
        return [why for why in [*how.values()][:1] if why]
    return [f"{task}: {why}" for task, why in how.items() if why]
