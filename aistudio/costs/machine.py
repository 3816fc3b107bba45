"""How much of the time the machine gave to this process, and how much others took away.

A pass that takes longer because others compute says nothing of the model. Three clocks tell: the wall's, the CPU's for
this process, and, on Linux, how long its threads were ready to run and did not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from aistudio.report.records import TAKEN_AWAY, TOLERABLE, Measurement

_LONG_ENOUGH = 0.2  # seconds: the account of all cores is kept in hundredths


@dataclass(frozen=True)
class Clocks:
    """Seconds: at one moment, or between two. None where this system does not count them.

    ``wall``; ``cpu`` of all threads of this process; ``thread`` of the calling one; ``waited``: threads of this process
    were ready to run, and others ran; ``machine``: all cores together computed, for whomever; ``stolen``: a hypervisor
    ran other machines.
    """

    wall: float
    cpu: float
    thread: float
    waited: float | None = None
    machine: float | None = None
    stolen: float | None = None

    def __sub__(self, earlier: Clocks) -> Clocks:
        pairs = zip(astuple(self), astuple(earlier), strict=True)
        gone: list[Any] = [None if one is None or other is None else one - other for one, other in pairs]
        return Clocks(*gone)

    def __add__(self, other: Clocks) -> Clocks:
        pairs = zip(astuple(self), astuple(other), strict=True)
        both: list[Any] = [None if one is None or more is None else one + more for one, more in pairs]
        return Clocks(*both)


_NO_TIME = Clocks(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
ReadClocks = Callable[[bool], Clocks]


def read_clocks(whole: bool) -> Clocks:
    """The clocks as they are now; without ``whole`` those alone that cost a microsecond, not files."""
    waited, (machine, stolen) = (_waited(), _all_cores()) if whole else (None, (None, None))
    return Clocks(time.perf_counter(), time.process_time(), time.thread_time(), waited, machine, stolen)


def taken_away(spent: Clocks, on_cpu: bool) -> float:
    """The share of the time, 0 … 1, that the machine did not give to this process: the largest that a clock tells.

    ``on_cpu`` says that the calling thread computed all the while, rather than wait for a GPU.
    """
    shares = [0.0]
    if on_cpu and spent.wall > 0:
        shares.append(1 - spent.thread / spent.wall)
    if spent.waited is not None and spent.waited + spent.cpu > 0:
        shares.append(spent.waited / (spent.waited + spent.cpu))
    if spent.stolen is not None and spent.wall > _LONG_ENOUGH:
        shares.append(spent.stolen / (spent.wall * cores()))
    return min(max(shares), 1.0)


def others(spent: Clocks) -> float | None:
    """How many cores other processes kept busy in the mean; None where the time was too short to tell."""
    if spent.machine is None or spent.wall < _LONG_ENOUGH:
        return None
    return max(spent.machine - spent.cpu, 0.0) / spent.wall


def measurement(spent: Clocks, on_cpu: bool) -> Measurement:
    """The share that was taken away of all timed passes together, as a measurement."""
    definition = (
        "share of the time of all timed passes in which this process could have computed and the machine did not let "
        "it: the most that the wall's clock against its own, the system's queue and a hypervisor tell; "
        f"{in_words(spent)}"
    )
    return Measurement(TAKEN_AWAY, 100 * taken_away(spent, on_cpu), "%", definition)


def busy_warnings(measurements: Iterable[Measurement]) -> list[str]:
    """What is to be said of times that were taken on a machine that was busy with other work."""
    shares = [one.value for one in measurements if one.name == TAKEN_AWAY and one.value is not None]
    return [
        f"the machine took {share:.0f} % of the time away while passes were timed: forward and training step are "
        "longer than the model needs, and are not to be compared"
        for share in shares
        if share > TOLERABLE
    ]


def in_words(spent: Clocks) -> str:
    """What else the machine did, for a definition."""
    busy, parts = others(spent), []
    if busy is not None:
        parts.append(f"others kept {busy:.1f} of {cores()} cores busy")
    with suppress(OSError, AttributeError):
        parts.append(f"the load average of a minute was {os.getloadavg()[0]:.1f}")
    return ", ".join(parts) or "this system does not say what else it did"


def cores() -> int:
    """The cores of this machine."""
    return os.cpu_count() or 1


def _waited() -> float | None:
    """Linux: for how long the threads of this process, as many as live now, have been ready and did not run."""
    found = None
    with suppress(OSError, ValueError, IndexError):
        for path in Path("/proc/self/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                found = (found or 0.0) + int((path / "schedstat").read_text().split()[1]) / 1e9
    return found


def _all_cores() -> tuple[float | None, float | None]:
    """Linux: the seconds that all cores have computed, and those that a hypervisor has stolen."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, _idle, _waiting, irq, softirq, steal = fields
    except (OSError, ValueError):
        return None, None
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick
