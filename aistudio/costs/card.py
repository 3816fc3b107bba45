"""What a GPU has, whether a need fits into it, and what no pass on it can be faster than."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch

from aistudio.costs.arithmetic import Operation

FACTOR = 1.10  # kernels' workspaces and what the allocator cannot use of its blocks: measured 5 … 20 % on GPUs
CONTEXT = 10**9  # bytes: CUDA's own, before the first tensor


@dataclass(frozen=True)
class Card:
    """A GPU: ``memory`` in bytes, ``bandwidth`` in bytes a second, ``peaks`` in multiply-adds a second by precision.

    Precisions are ``float32``, ``tf32`` (float32 on tensor cores), ``bfloat16`` and ``float16``; without ``peaks`` and
    ``bandwidth`` only memory is known.
    """

    name: str
    memory: int
    bandwidth: float | None = None
    peaks: Mapping[str, float] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """The bytes of tensors that are said to fit: what is left of the memory after the margin."""
        return max(int((self.memory - CONTEXT) / FACTOR), 0)

    def fits(self, needed: int) -> bool:
        """Whether ``needed`` bytes of tensors fit with the margin."""
        return needed <= self.room

    def peak(self, dtype: torch.dtype) -> float | None:
        """Multiply-adds a second at most; float32 may run as tf32, which is how torch runs convolutions."""
        name = str(dtype).removeprefix("torch.")
        found = [self.peaks[key] for key in ((name, "tf32") if name == "float32" else (name,)) if key in self.peaks]
        return max(found, default=None)


def floor(operations: Iterable[Operation], card: Card) -> float | None:
    """Seconds that the operators need at least, each by itself; None where the card's peaks are not known.

    A convolution or matrix product takes as long as its arithmetic at the published peak or its bytes at the published
    bandwidth, whichever is longer; products of two batches, as in attention, by their arithmetic alone. Everything else
    counts nothing: it can be fused into its neighbours, as attention can.
    """
    seconds = 0.0
    for operation in operations:
        if not operation.multiply_adds:
            continue
        peak = card.peak(operation.dtype)
        if peak is None or card.bandwidth is None:
            return None
        moved = 0 if "bmm" in operation.name else operation.bytes
        seconds += max(operation.multiply_adds / peak, moved / card.bandwidth)
    return seconds
