"""Where things go in a drawing: ticks, points, bars and lines in the units of a ``viewBox``; templates draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aistudio.report.html.values import is_number, number

_SUBTICKS = (1, 2, 5)
_CHARACTER = 6.4  # units that a letter of a label is wide, at most
_CROWD = 40  # of more points than these only those of the front are named
NAMES = 14  # points with their name beside them, at most


@dataclass(frozen=True)
class Axis:
    """A scale from values to units; ``ticks`` are places with their words."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value is; what is outside is at the edge."""
        low, high, value = (self._scaled(one) for one in (self.low, self.high, value))
        share = 0.5 if high == low else (value - low) / (high - low)
        return round(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), 1)

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else value

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Round values on the axis, at most so many."""
        values = _decades(self.low, self.high) if self.log else []
        if len(values) < 2:
            values = _steps(self.low, self.high, most)
        while len(values) > most:
            values = values[::2]
        return [(self.at(value), number(value)) for value in values]


def _decades(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [factor * 10.0**power for power in powers for factor in _SUBTICKS if low <= factor * 10.0**power <= high]


def _steps(low: float, high: float, most: int) -> list[float]:
    span = high - low
    if not 0 < span < math.inf:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most)
    first = math.ceil(low / step)
    return [round((first + index) * step, 12) for index in range(int((high - first * step) / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Curve:
    """A line through numbers, such as the losses of a training."""

    points: list[tuple[float, float]]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    first: str
    last: str
    count: int


def curve(values: Sequence[Any], width: int = 340, height: int = 150) -> Curve | None:
    """The curve of those values that are finite, from zero; None with fewer than two."""
    known = [(index, float(value)) for index, value in enumerate(values) if is_number(value)]
    if len(known) < 2:
        return None
    x = Axis(0, len(values) - 1, 44, width - 10)
    highest = max(value for _, value in known)
    y = Axis(min(0.0, *(value for _, value in known)), highest or 1.0, height - 24, 10)
    steps = [(place, words) for place, words in x.ticks(most=8) if "." not in words]
    points = [(x.at(index), y.at(value)) for index, value in known]
    return Curve(points, steps, y.ticks(most=4), number(known[0][1]), number(known[-1][1]), len(known))


@dataclass(frozen=True)
class Histogram:
    """Bars from a base line: x, y, width, height, and their words."""

    bars: list[tuple[float, float, float, float, str]]
    ticks: list[tuple[float, str]]
    base: float


def histogram(counts: Sequence[Any], low: Any, high: Any, width: int = 340, height: int = 150) -> Histogram | None:
    """Bars of equal width from ``low`` to ``high``; None where there is nothing to draw."""
    heights = [float(count) if is_number(count) and count > 0 else 0.0 for count in counts]
    if not heights or not max(heights) or not (is_number(low) and is_number(high)) or low >= high:
        return None
    x, base = Axis(low, high, 12, width - 12), height - 24
    y = Axis(0, max(heights), 0, base - 8)
    share, step, total = (x.end - x.start) / len(heights), (high - low) / len(heights), sum(heights)
    bars = []
    for index, count in enumerate(heights):
        tall = y.at(count)
        words = f"{number(low + index * step)} … {number(low + (index + 1) * step)}: {100 * count / total:.1f} %"
        bars.append((round(x.start + index * share, 1), round(base - tall, 1), round(share - 0.6, 1), tall, words))
    return Histogram(bars, x.ticks(most=7), base)


@dataclass(frozen=True)
class Point:
    """Something with two numbers, the first with its spread; ``key`` is the row that it stands for."""

    key: int
    name: str
    words: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Mark:
    """A point as it is drawn."""

    point: Point
    x: float
    y: float
    left: float
    right: float
    front: bool


@dataclass(frozen=True)
class Scatter:
    """Points with their spreads, the front of the best, and names where there is room."""

    title: str
    x_title: str
    y_title: str
    marks: list[Mark]
    front: str
    names: list[tuple[float, float, str, str]]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int
    height: int
    note: str = ""


def scatter(
    title: str,
    x_title: str,
    y_title: str,
    points: Sequence[Point],
    less: bool = False,
    most: int = 1500,
    size: tuple[int, int] = (600, 360),
    no_front: str = "",
) -> Scatter | None:
    """Points where more of x is better, and more of y or, with ``less``, less; None with fewer than two.

    Of more than ``most`` points those of the front and the rightmost are drawn. ``no_front`` says why nothing is said
    to be best, or "".
    """
    if len(points) < 2:
        return None
    best = set() if no_front else {point.key for point in front(points, less)}
    shown = sorted(points, key=lambda one: (one.key not in best, -one.x))[:most]
    width, height = size
    x = _spread_axis([edge for one in shown for edge in (one.x, one.low or one.x, one.high or one.x)], 52, width - 14)
    y = _spread_axis([one.y for one in shown], height - 40, 14)
    marks = [
        Mark(one, x.at(one.x), y.at(one.y), x.at(one.low or one.x), x.at(one.high or one.x), one.key in best)
        for one in sorted(shown, key=lambda one: one.key)
    ]
    steps = sorted((mark for mark in marks if mark.front), key=lambda mark: mark.x)
    line = "".join(f"V{mark.y}H{mark.x}" for mark in steps)
    line = f"M{steps[0].x} {steps[0].y}{line}" if steps else ""
    left_out = f"{len(points) - len(shown):,} points left out for want of room" if len(points) > len(shown) else ""
    return Scatter(
        title,
        x_title,
        y_title,
        marks,
        line,
        names(marks, width),
        x.ticks(),
        y.ticks(),
        width,
        height,
        ", ".join(filter(None, (no_front, left_out))),
    )


def front(points: Sequence[Point], less: bool = False) -> list[Point]:
    """The points that no other beats in both numbers."""
    best: list[Point] = []
    sign = -1 if less else 1
    for point in sorted(points, key=lambda one: (-one.x, -sign * one.y)):
        if not best or sign * point.y > sign * best[-1].y:
            best.append(point)
    return best


def _spread_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis with some air at both ends; of powers of ten where the values are far apart."""
    low, high = min(values), max(values)
    if low > 0 and high > 4 * low:
        return Axis(low / 1.25, high * 1.25, start, end, log=True)
    air = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
    return Axis(low - air, high + air, start, end)


def names(marks: Sequence[Mark], width: int) -> list[tuple[float, float, str, str]]:
    """Places for names beside points, those of the front first: x, y, which end is there, the name."""
    taken = [(mark.x - 5, mark.y - 5, mark.x + 5, mark.y + 5) for mark in marks]
    places = []
    wanted = [mark for mark in marks if mark.front or len(marks) <= _CROWD]
    for mark in sorted(wanted, key=lambda mark: (not mark.front, mark.x))[: 4 * NAMES]:
        name = mark.point.name if len(mark.point.name) <= 28 else f"{mark.point.name[:27]}…"
        across = _CHARACTER * len(name)
        for x, y, anchor in ((8, -7, "start"), (-8, -7, "end"), (8, 14, "start"), (-8, 14, "end"), (0, -12, "middle")):
            left = mark.x + x - {"start": 0, "end": across, "middle": across / 2}[anchor]
            box = (left, mark.y + y - 9, left + across, mark.y + y + 3)
            if box[0] > 50 and box[2] < width and not any(overlap(box, other) for other in taken):
                taken.append(box)
                places.append((round(mark.x + x, 1), round(mark.y + y, 1), anchor, name))
                break
        if len(places) == NAMES:
            break
    return places


def overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes share room."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
