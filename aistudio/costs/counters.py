"""What a device or this process counts of memory, and waiting until it has done what it was asked to."""

from __future__ import annotations

import ctypes
import gc
import resource
from contextlib import suppress
from pathlib import Path

import torch


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class HighWater:
    """The highest point of memory from now on, by the best counter that there is."""

    def __init__(self, device: torch.device):
        gc.collect()
        _give_back()
        self.device = device
        self.fresh = False
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        elif device.type != "mps":
            self.fresh = _reset_high_water()

    @property
    def counter(self) -> str:
        """What counts, and what it includes."""
        if self.device.type == "cuda":
            return "torch.cuda.max_memory_allocated (tensors, weights included)"
        if self.device.type == "mps":
            return "torch.mps.driver_allocated_memory after the pass"
        if self.fresh:
            included = "Python and weights included, libraries' code not"
            return f"VmHWM - RssFile of this process, reset before the pass ({included})"
        return "ru_maxrss of this process since it started (Python, torch and weights included)"

    def read(self) -> int:
        """The highest point so far, in bytes."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        if self.device.type == "mps":
            return torch.mps.driver_allocated_memory()
        if self.fresh:
            return resident("VmHWM") - resident("RssFile")
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _is_mac() else 1024)


def _give_back() -> None:
    """Let the C library return freed memory to the system, or what ran before would count; only glibc can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _reset_high_water() -> bool:
    """Let Linux forget the highest resident size of this process so far; False where it cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return resident("VmHWM") > 0
    except OSError:
        return False


def resident(field: str) -> int:
    """A field of Linux's account of this process, in bytes; 0 where it has none of that name.

    ``VmHWM`` is the highest resident size since the last reset; ``RssFile`` is the part that maps files, which
    differs between a process that was started and one that was forked.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def _is_mac() -> bool:
    return torch.backends.mps.is_built()
