"""The largest batch that fits: n images do and n + 1 do not, by the same count, in a handful of tries.

What a step needs is the highest of several straight lines over the batch size. A line through two sizes that were
tried therefore leads to more images than fit, never to fewer; the next two tries settle it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOST = 1 << 20  # images; nobody trains on more at once
TRIES = 12  # a count that is no highest of lines is searched by halves, and that ends


@dataclass(frozen=True)
class LargestBatch:
    """``size`` images fit and ``size`` + 1 do not; 0: not even one. ``tries`` maps every size tried to its bytes."""

    size: int
    tries: dict[int, int]


def largest_batch(needed: Callable[[int], int], room: int, start: int = 8, least: int = 1) -> LargestBatch:
    """The largest batch of at least ``least`` images whose ``needed(images)`` bytes are within ``room``."""
    tries: dict[int, int] = {}

    def need(size: int) -> int:
        if size not in tries:
            tries[size] = needed(size)
        return tries[size]

    low, high = least - 1, MOST  # `low` fits or is none, `high` does not
    size = max(start, least)
    while high - low > 1:
        if need(size) <= room:
            low = size
        else:
            high = size
        size = _next(tries, room, low, high, least)
    return LargestBatch(low if low >= least else 0, dict(sorted(tries.items())))


def _next(tries: dict[int, int], room: int, low: int, high: int, least: int) -> int:
    """The size where the line through the two nearest tries meets the room, inside what is still open."""
    guess = (low + high) // 2
    if len(tries) == 1:
        (size, bytes_), *_ = tries.items()
        guess = size * 2 if bytes_ <= room else max(size // 2, least)
    elif len(tries) <= TRIES:
        near = sorted(sorted(tries, key=lambda size: abs(tries[size] - room))[:2])
        slope = (tries[near[1]] - tries[near[0]]) / (near[1] - near[0])
        guess = near[0] + int((room - tries[near[0]]) // slope) if slope > 0 else guess
    return min(max(guess, low + 1, least), high - 1)
