"""Several models timed in turns, A B C, A B C, …: what the machine does meanwhile hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

from aistudio.costs.machine import ReadClocks, read_clocks, taken_away
from aistudio.costs.timing import one_pass
from aistudio.report.records import ENOUGH_PASSES, TOLERABLE, Rounds

MOST = 11  # rounds; pairs that these cannot tell apart are too close to matter
SOON = 2.0  # seconds: on a quiet machine rounds beyond the fewest go on for no longer


def time_in_rounds(
    passes: Mapping[str, Callable[[], None]],
    device: torch.device,
    budget: float,
    busy: bool,
    name: str,
    clocks: ReadClocks = read_clocks,
) -> dict[str, Rounds]:
    """Time each of ``passes`` once a round, after a round that is not timed.

    On a CPU that is ``busy``, or turns out to be, torch computes with one thread: threads that wait for others waste
    CPU time, so that of several says nothing. Rounds end when the next would exceed ``budget`` seconds; there may be
    none.

    Args:
        name: tells these rounds from those of other sweeps.
    """
    ends = time.monotonic() + budget
    on_cpu = device.type == "cpu"
    with _threads_kept():
        if busy and on_cpu:
            torch.set_num_threads(1)
        found = _rounds(passes, device, ends, name, clocks)
        became_busy = on_cpu and found and next(iter(found.values())).taken > TOLERABLE
        if became_busy and torch.get_num_threads() > 1:
            torch.set_num_threads(1)
            found = _rounds(passes, device, ends, name, clocks) or found
    return found


def _rounds(
    passes: Mapping[str, Callable[[], None]], device: torch.device, ends: float, name: str, clocks: ReadClocks
) -> dict[str, Rounds]:
    begun = time.monotonic()
    for run in passes.values():
        if time.monotonic() > ends:
            return {}
        one_pass(run, device, clocks)
    on_cpu, threads = device.type == "cpu", torch.get_num_threads()
    seconds: dict[str, list[float]] = {job: [] for job in passes}
    cpu_seconds: dict[str, list[float]] = {job: [] for job in passes}
    longest, begun = time.monotonic() - begun, time.monotonic()
    started, taken, done = clocks(True), 0.0, 0
    while done < MOST and time.monotonic() + longest <= ends:
        at = time.monotonic()
        for job, run in passes.items():
            took = one_pass(run, device, clocks)
            seconds[job].append(took.wall)
            cpu_seconds[job].append(took.cpu)
        done, longest = done + 1, max(longest, time.monotonic() - at)
        taken = 100 * taken_away(clocks(True) - started, on_cpu)
        quiet = taken <= TOLERABLE
        if quiet and done >= ENOUGH_PASSES and time.monotonic() - begun > SOON or not quiet and on_cpu and threads > 1:
            break
    return {job: Rounds(name, tuple(seconds[job]), tuple(cpu_seconds[job]), taken, threads) for job in passes if done}


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Within it the number of torch's threads may be changed."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
