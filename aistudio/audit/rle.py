"""COCO's run-length encoding of a mask: counts of zeros and ones in turn, down the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def read_counts(counts: Any) -> list[int]:
    """The run lengths, from a list or from COCO's compressed text. ValueError: neither."""
    if isinstance(counts, list):
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise ValueError("counts are not all whole and at least 0")
        return counts
    if not isinstance(counts, str):
        raise ValueError(f"counts are a {type(counts).__name__}")
    return decompress(counts)


def decompress(text: str) -> list[int]:
    """Five bits a character, a sixth for "more to come"; from the third on, the difference to the count before last."""
    counts: list[int] = []
    position = 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            if position == len(text):
                raise ValueError("counts break off")
            code = ord(text[position]) - 48
            if not 0 <= code < 64:
                raise ValueError(f"counts hold {text[position]!r}")
            position += 1
            value |= (code & 31) << shift
            shift += 5
            more = bool(code & 32)
            if not more and code & 16:
                value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        if counts[-1] < 0:
            raise ValueError("a count is below 0")
    return counts


def box_of(counts: list[int], height: int) -> tuple[int, int, int, int] | None:
    """x1, y1, x2, y2 around the ones; None where there are none."""
    left, top, right, bottom = 1 << 60, 1 << 60, -1, -1
    position = 0
    for index, count in enumerate(counts):
        if index % 2 and count:
            first, last = position, position + count - 1
            left, right = min(left, first // height), max(right, last // height)
            if first // height == last // height:
                top, bottom = min(top, first % height), max(bottom, last % height)
            else:
                top, bottom = 0, height - 1  # the run goes through the foot of one column and the head of the next
        position += count
    return None if right < 0 else (left, top, right + 1, bottom + 1)


def to_mask(counts: list[int], height: int, width: int) -> np.ndarray:
    """(height, width) bool."""
    import numpy as np

    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T
