"""The largest batch, confirmed by real steps on the device that it is for, with a margin left free."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

MARGIN = 0.05  # of the device's memory that stays free: other batches, validation, fragments
STEPS = 3  # with each size: the first makes the optimiser's state, and kernels are chosen in the first two


class Memory(Protocol):
    """The memory of a device, as its allocator counts it."""

    def release(self) -> None:
        """Give back what nothing holds, and forget the peak."""

    def peak(self) -> int:
        """The most bytes that were taken from the device since `release`."""

    def total(self) -> int:
        """The bytes that this process can have."""


@dataclass(frozen=True)
class ConfirmedBatch:
    """``size`` images ran, taking ``peak`` of ``total`` bytes; ``tries`` maps every size to its peak, None: too much.

    0 images: not even the fewest that can be trained on left the margin.
    """

    size: int
    peak: int
    total: int
    tries: dict[int, int | None]

    @property
    def margin(self) -> float:
        """The share of the memory that stayed free."""
        return 1 - self.peak / self.total


class CudaMemory:
    """One CUDA device. Reserved bytes count, for whole blocks are taken; the context of CUDA is no longer free."""

    def __init__(self, device: torch.device):
        self.device = device

    def release(self) -> None:
        """See `Memory`."""
        gc.collect()
        torch.cuda.synchronize(self.device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> int:
        """See `Memory`."""
        return torch.cuda.max_memory_reserved(self.device)

    def total(self) -> int:
        """See `Memory`."""
        free, _ = torch.cuda.mem_get_info(self.device)
        return free + torch.cuda.memory_reserved(self.device)


def confirmed_batch(
    step: Callable[[int], None],
    forecast: int,
    memory: Memory,
    is_out_of_memory: Callable[[Exception], bool],
    least: int = 1,
) -> ConfirmedBatch:
    """The largest batch that trains and leaves the margin, tried from the forecast's on.

    ``step(images)`` runs one step and keeps nothing. Whatever happens, the memory of a step that failed is given back
    before the next one and before this returns; other errors than of memory go on.
    """
    memory.release()
    total = memory.total()
    tries: dict[int, int | None] = {}

    def works(size: int) -> bool:
        if size not in tries:
            tries[size] = _peak(step, size, memory, is_out_of_memory)
        peak = tries[size]
        return peak is not None and peak <= (1 - MARGIN) * total

    low, high = least - 1, max(forecast, least) + 1
    while works(high - 1):  # the forecast kept a margin of its own: there may be room for more
        low, high = high - 1, high - 1 + max((high - 1) // 8, 1) + 1
    high -= 1
    while high - low > max(1, low // 32):  # finer than a thirty-second is not worth a step
        middle = (low + high) // 2
        low, high = (middle, high) if works(middle) else (low, middle)
    size = low if low >= least else 0
    return ConfirmedBatch(size, tries.get(size) or 0, total, dict(sorted(tries.items())))


def _peak(
    step: Callable[[int], None], size: int, memory: Memory, is_out_of_memory: Callable[[Exception], bool]
) -> int | None:
    """The peak of a few steps with ``size`` images; None where memory was too little."""
    memory.release()
    failed = False
    try:
        for _ in range(STEPS):
            step(size)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        failed = True  # outside of this block nothing holds the error, whose frames hold the step's tensors
    peak = memory.peak()
    memory.release()
    return None if failed else peak
