"""What torch's allocator saw while something ran on the CPU: the measurement that a forecast stands beside.

Read from the profiler's events. Blocks that an operator allocates and frees before it returns are its scratch, which a
forecast cannot know: they are left out of ``tensors`` and counted in ``all``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch.profiler import ProfilerActivity, profile

from aistudio.models.nested import tensors_in

_OPERATORS = ("aten::", "torchvision::", "mkldnn::", "quantized::")


@dataclass(frozen=True)
class AllocatorPeak:
    """The highest points in bytes: of ``tensors`` alone, and of ``all`` blocks, the kernels' scratch included."""

    tensors: int
    all: int


@dataclass(frozen=True)
class Event:
    """A block that came (``size`` > 0) or went (< 0); ``operator`` numbers the outermost one that ran, -1: none."""

    size: int
    pointer: int
    operator: int


def bytes_of(values: Any) -> int:
    """The bytes of the distinct storages below any nest of tensors on the CPU."""
    tensors = [value for value in tensors_in(values) if value.device.type == "cpu"]
    storages = {value.untyped_storage()._cdata: value.untyped_storage().nbytes() for value in tensors}
    return sum(storages.values())


def allocator_peak(run: Callable[[], Any], before: int = 0) -> AllocatorPeak:
    """The peak while ``run`` runs on the CPU, on top of the ``before`` bytes that were alive (see `bytes_of`).

    The profiler does not see that blocks go which came before it: ``run`` must not free what was alive.
    """
    with quietly(), profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiler:
        run()
    events = list(_events(profiler.profiler.kineto_results.experimental_event_tree()))
    scratch = _scratch(events)
    tensors = (event.size for index, event in enumerate(events) if index not in scratch)
    return AllocatorPeak(_highest(before, tensors), _highest(before, (event.size for event in events)))


@contextmanager
def quietly() -> Iterator[None]:
    """Let the profiler's library not announce on the terminal that it starts and stops, unless that was asked for."""
    asked = "KINETO_LOG_LEVEL" in os.environ
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    try:
        yield
    finally:
        if not asked:
            del os.environ["KINETO_LOG_LEVEL"]


def _events(roots: Iterable[Any]) -> Iterator[Event]:
    """The blocks in the order of time, from the profiler's trees of operators."""
    found: list[tuple[int, Event]] = []
    waiting = [(node, -1) for node in roots]
    while waiting:
        node, operator = waiting.pop()
        size = getattr(node.extra_fields, "alloc_size", None)
        if size is not None:
            found.append((node.start_time_ns, Event(size, node.extra_fields.ptr, operator)))
        elif operator < 0 and node.name.startswith(_OPERATORS):
            operator = node.correlation_id
        waiting += [(child, operator) for child in node.children]
    return (event for _, event in sorted(found, key=lambda one: one[0]))


def _scratch(events: list[Event]) -> set[int]:
    """The indices of the events whose block is freed by the very operator that allocated it."""
    came: dict[int, int] = {}
    found: set[int] = set()
    for index, event in enumerate(events):
        if event.size > 0:
            came[event.pointer] = index
        else:
            begun = came.pop(event.pointer, None)
            if begun is not None and events[begun].operator == event.operator >= 0:
                found |= {begun, index}
    return found


def _highest(before: int, sizes: Iterable[int]) -> int:
    total = peak = before
    for size in sizes:
        total += size
        peak = max(peak, total)
    return peak
