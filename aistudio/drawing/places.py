"""Where a label goes: beside what it names, and never on another label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

STEPS = 24  # places tried along each side of the image


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Box) -> bool:
        """Whether the two have a pixel in common."""
        return (
            self.left <= other.right
            and other.left <= self.right
            and self.top <= other.bottom
            and other.top <= self.bottom
        )


def free_place(
    point: tuple[float, float], size: tuple[float, float], room: tuple[int, int], taken: Sequence[Box]
) -> Box:
    """The place for a box of ``size`` inside ``room`` that is nearest to standing on ``point`` and free of ``taken``.

    Where there is none, the nearest one, free or not.
    """
    (x, y), (width, height) = point, size
    right, bottom = max(0.0, room[0] - 1 - width), max(0.0, room[1] - 1 - height)
    wanted = (min(max(0.0, x), right), min(max(0.0, y - height), bottom))
    others = [
        (right * across / STEPS, bottom * down / STEPS) for across in range(STEPS + 1) for down in range(STEPS + 1)
    ]
    beside = [
        (wanted[0], min(max(0.0, y + 1), bottom)),
        (min(max(0.0, x - width), right), wanted[1]),
        (min(max(0.0, x - width), right), min(max(0.0, y + 1), bottom)),
    ]
    spots = [wanted, *beside, *sorted(others, key=lambda spot: math.dist(spot, wanted))]
    for left, top in spots:
        place = Box(left, top, left + width, top + height)
        if not any(place.covers(one) for one in taken):
            return place
    return Box(*wanted, wanted[0] + width, wanted[1] + height)
