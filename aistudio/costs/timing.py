"""Passes timed one by one, with what each took of the wall's and of the CPU's time."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

from aistudio.costs.counters import synchronize
from aistudio.costs.machine import Clocks, ReadClocks, read_clocks
from aistudio.report.records import ENOUGH_PASSES, Measurement

_CPU_TIME = "user and system time of this process, all its threads together"


@dataclass(frozen=True)
class Timing:
    """The seconds of each pass by the wall's clock and of this process's CPU time; ``spent`` is all of it together."""

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    spent: Clocks

    @property
    def passes(self) -> str:
        """How many there were, for a definition."""
        count = len(self.seconds)
        if count < ENOUGH_PASSES:
            return f"median of {count} pass{'es' * (count > 1)} after 1: too few to tell a spread"
        return f"median of {count} passes after 1; low and high are the fastest and slowest"


def time_repeatedly(
    run: Callable[[], None],
    device: torch.device,
    repeats: int,
    budget: float,
    clocks: ReadClocks = read_clocks,
) -> Timing:
    """Time up to ``repeats`` passes, at least one; stops when ``budget`` seconds of the wall's are used up."""
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    synchronize(device)
    started = clocks(True)
    while len(seconds) < repeats and (not seconds or sum(seconds) + min(seconds) <= budget):
        took = one_pass(run, device, clocks)
        seconds.append(took.wall)
        cpu_seconds.append(took.cpu)
    return Timing(tuple(seconds), tuple(cpu_seconds), clocks(True) - started)


def one_pass(run: Callable[[], None], device: torch.device, clocks: ReadClocks = read_clocks) -> Clocks:
    """What one pass took, until the device had done it."""
    before = clocks(False)
    run()
    synchronize(device)
    return clocks(False) - before


def spread(values: tuple[float, ...]) -> tuple[float | None, float | None]:
    """The least and the greatest of enough values, else None."""
    return (min(values), max(values)) if len(values) >= ENOUGH_PASSES else (None, None)


def as_measurements(name: str, what: str, timing: Timing, count: int) -> list[Measurement]:
    """A pass of ``count`` images as measurements: its time, the images a second, the CPU time."""
    middle, (low, high) = statistics.median(timing.seconds), spread(timing.seconds)
    slow, fast = high and count / high, low and count / low
    rate = f"{count} images over the median time of {what}; loading and decoding left out"
    return [
        Measurement(name, middle, "s", f"{what}; {timing.passes}", low, high),
        Measurement(f"{name}_images_per_second", count / middle, "images/s", rate, slow, fast),
        Measurement(
            f"{name}_cpu_time",
            statistics.median(timing.cpu_seconds),
            "s",
            f"{_CPU_TIME}, in {what}; {timing.passes}",
            *spread(timing.cpu_seconds),
        ),
    ]
