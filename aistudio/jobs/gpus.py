"""The GPUs of one machine, shared out among jobs that run side by side: each has one for itself, or waits for it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

_PAUSE = 0.2  # seconds between two looks at GPUs that are all taken


@contextmanager
def one_for_itself(device: str, folder: Path | None = None) -> Iterator[None]:
    """Make a free GPU the current one for the duration of a block, where ``device`` leaves open which.

    Args:
        device: ``runtime.device``; only ``auto`` and ``cuda`` leave it open.
        folder: where the locks are, for all jobs on this machine the same; None: the folder for temporary files.
    """
    if device not in ("auto", "cuda") or not torch.cuda.is_available():
        yield
        return
    index, lock = free(folder or Path(tempfile.gettempdir()))
    with lock:  # the end of the process gives the GPU back, too, whatever ends it
        torch.cuda.set_device(index)
        yield


def free(folder: Path) -> tuple[int, AbstractContextManager]:
    """The index of a GPU that no other job has, and the lock on it; waits until there is one."""
    while True:
        for index in range(torch.cuda.device_count()):
            # A GPU's number differs from process to process (CUDA_VISIBLE_DEVICES); its UUID does not.
            path = folder / f"aistudio-gpu-{torch.cuda.get_device_properties(index).uuid}.lock"
            lock = FileLock(path, timeout=0)
            with suppress(Timeout):
                return index, lock.acquire()
        time.sleep(_PAUSE)
