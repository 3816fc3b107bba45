"""The numbers that a regression learns: not constant, in one unit, none far from all others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from aistudio.audit.records import Fault, Labels, Place

_FACTORS = {
    10: "",
    100: "cm and m, or percent",
    1000: "mm and m, or g and kg",
    2.54: "cm and inches",
    25.4: "mm and inches",
}
_FACTORS |= {
    12: "inches and feet",
    3.2808: "feet and metres",
    2.2046: "pounds and kilograms",
    57.2958: "degrees and radians",
}
_FACTORS |= {60: "minutes and hours", 3600: "seconds and hours", 1e6: "", 1.609: "miles and kilometres"}
FAR = 5.0  # robust standard deviations
ALONE = 1.5  # times the spread of all others: the gap before a single value
_FEW = 0.35  # of all rows: more are no exception
_LONG_TAIL = 10  # times the least value: prices and counts go on and on
LEAST = 6  # rows from which a spread means something
Row = tuple[float, Place]


def check_values(labels: Labels) -> Iterator[Fault]:
    """Every column of values."""
    for column, name in enumerate(labels.value_names):
        rows = [(i.values[column], i.place) for i in labels.images if i.values and math.isfinite(i.values[column])]
        if len(rows) >= 2 and len({value for value, _ in rows}) == 1:
            where = Place(rows[0][1].file, id=f"column {name}")
            yield Fault("constant_target", where, f"{name} is {rows[0][0]:g} in all {len(rows)} rows")
        elif len(rows) >= LEAST:
            yield from _check_column(name, sorted(rows, key=lambda row: row[0]))


def _check_column(name: str, rows: list[Row]) -> Iterator[Fault]:
    """What stands apart from the bulk of one column: in another unit, or an outlier."""
    apart = _apart_in(rows, [value for value, _ in rows], robust=True)
    if not apart and rows[0][0] > 0:
        apart = _apart_in(rows, [math.log(value) for value, _ in rows], robust=False)
    if not apart:
        return
    chosen = {id(row) for row in apart}
    bulk = [row[0] for row in rows if id(row) not in chosen]
    factor, unit = _common_factor([value for value, _ in apart], bulk)
    stands_alone = _is_another_scale([value for value, _ in apart], bulk)
    if not stands_alone and bulk[-1] > _LONG_TAIL * bulk[0]:
        return
    for value, place in apart:
        span = f"{name}={value:g}, the others between {bulk[0]:g} and {bulk[-1]:g}"
        if factor and len(apart) > 1 and stands_alone:
            yield Fault("other_unit", place, f"{span}: {unit}")
        else:
            yield Fault("outlier", place, span + (f": {unit}" if factor else ""))


def _is_another_scale(apart: list[float], bulk: list[float]) -> bool:
    """Whether a ratio as large as the bulk spans parts values from it: a long tail, as of prices, is not."""
    if min(*apart, *bulk) <= 0:
        return True
    ratios = [bulk[0] / value if value < bulk[0] else value / bulk[-1] for value in apart]
    return min(ratios) >= bulk[-1] / bulk[0]


def _apart_in(rows: list[Row], values: list[float], robust: bool) -> list[Row]:
    """The rows at one or both ends that a gap, as wide as all others spread, parts from them."""
    low = _split_end(values, robust)
    high = _split_end([-value for value in reversed(values)], robust)
    return rows[:low] + (rows[len(rows) - high :] if high else [])


def _split_end(values: list[float], robust: bool) -> int:
    """How many of the first of ascending values stand apart from the rest."""
    for count in range(int(_FEW * len(values)), 0, -1):
        rest, last = values[count:], values[count - 1]
        usual = [value for value in rest if not far(value, rest)] if robust else rest
        spread = usual[-1] - usual[0] if len(usual) > 1 else 0.0
        wide = rest[0] - last >= spread * (1.0 if count > 1 else ALONE)
        if spread > 0 and wide and (far(last, rest) if robust else rest[0] - last >= math.log(5)):
            return count
    return 0


def far(value: float, rest: list[float]) -> bool:
    """Whether a value lies many times the usual distance from the middle of the rest."""
    middle = rest[len(rest) // 2]
    spread = 1.4826 * _mad(rest, middle)
    return spread > 0 and abs(value - middle) > FAR * spread


def _mad(rest: list[float], middle: float) -> float:
    return median(abs(value - middle) for value in rest)


def _common_factor(apart: list[float], bulk: list[float]) -> tuple[float, str]:
    """A factor between units that brings all of some values among the bulk, and its units; 0 where there is none."""
    slack = 0.5 * (bulk[-1] - bulk[0])
    for factor, units in _FACTORS.items():
        for one in (factor, 1 / factor):
            if all(bulk[0] - slack <= value * one <= bulk[-1] + slack for value in apart):
                return one, f"{one:g} times as much would be among them" + (f" ({units})" if units else "")
    return 0.0, ""
