"""A small plot: a title, two axes with ticks, and bars, dots, lines and fields between them.

Numbers are those of the axes; the plot turns them into pixels itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from aistudio.drawing.colours import DIM, INK, PAPER, RULE, Colour
from aistudio.drawing.words import font_of, shortened
from aistudio.safety.text import visible

SIZE = (960, 660)  # pixels; a sheet reduces it, which smooths every edge
_TITLE, _WORDS = 34, 28  # pixels of a letter
_RIGHT, _ABOVE, _BELOW = 36, 108, 104  # pixels around the axes
_TICK = 8
Limits = tuple[float, float]


class Plot:
    """``across`` and ``up`` are the limits of the axes, the first of ``up`` at the bottom; ``log`` makes
    both logarithmic. ``left`` pixels are for the words beside the vertical axis.
    """

    def __init__(self, title: str, across: Limits, up: Limits, left: int = 150, log: bool = False):
        from PIL import Image, ImageDraw

        self.image = Image.new("RGB", SIZE, PAPER)
        self.pen = ImageDraw.Draw(self.image)
        self.log, self.across, self.up, self.left = log, across, up, left
        self.right, self.bottom = SIZE[0] - _RIGHT, SIZE[1] - _BELOW
        self.font = font_of(_WORDS)
        self.pen.text((12, 10), visible(title), INK, font_of(_TITLE))

    def x(self, value: float) -> float:
        """The pixel of a value on the axis across."""
        return self.left + _share(value, self.across, self.log) * (self.right - self.left)

    def y(self, value: float) -> float:
        """The pixel of a value on the axis that goes up."""
        return self.bottom - _share(value, self.up, self.log) * (self.bottom - _ABOVE)

    # ------------------------------------------------------------------------------------------------ what is shown
    def field(self, across: Limits, up: Limits, shade: Colour) -> None:
        """A filled rectangle between two values of each axis."""
        left, right = sorted(map(self.x, across))
        top, bottom = sorted(map(self.y, up))
        if right > left and bottom > top:
            self.pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), shade)

    def dots(self, points: Sequence[tuple[float, float]], shade: Colour, strength: float, reach: int = 4) -> None:
        """A dot of ``reach`` pixels around each point; ``strength`` is 1 where nothing is seen through it."""
        from PIL import Image, ImageDraw

        ink = Image.new("L", SIZE)
        layer = ImageDraw.Draw(ink)
        for px, py in {(round(self.x(x)), round(self.y(y))) for x, y in points}:
            layer.ellipse((px - reach, py - reach, px + reach, py + reach), round(255 * strength))
        self.image.paste(shade, mask=ink)

    def line(self, points: Sequence[tuple[float, float]], shade: Colour = DIM, width: int = 3) -> None:
        """A line through points."""
        if len(points) > 1:
            self.pen.line([(self.x(x), self.y(y)) for x, y in points], shade, width, joint="curve")

    def words(self, x: float, y: float, text: str, anchor: str = "lm", shade: Colour = INK) -> None:
        """A few words at a point; ``anchor`` is Pillow's."""
        self.pen.text((self.x(x), self.y(y)), visible(text), shade, self.font, anchor=anchor)

    def legend(self, entries: Sequence[tuple[str, Colour]], lower: bool = False) -> None:
        """Coloured squares with their names, in the upper or the lower right corner of the axes."""
        top = self.bottom - 12 - len(entries) * (_WORDS + 10) if lower else _ABOVE + 4
        for row, (name, shade) in enumerate(entries):
            y, text = top + row * (_WORDS + 10), visible(name)
            width = self.pen.textlength(text, self.font)
            self.pen.rectangle((self.right - width - 44, y + 4, self.right - width - 20, y + 28), shade)
            self.pen.text((self.right - width - 10, y), text, INK, self.font)

    # ---------------------------------------------------------------------------------------------------- axes
    def axes(self, across: str, up: str, whole: bool = False) -> None:
        """Both axes with ticks and what they count; ``whole`` leaves out ticks between whole numbers upwards."""
        self.axis_across(across)
        for tick in ticks(self.up, self.log, whole=whole):
            self.pen.line([(self.left - _TICK, self.y(tick)), (self.left, self.y(tick))], DIM, 2)
            self.pen.text((self.left - _TICK - 6, self.y(tick)), number(tick), INK, self.font, anchor="rm")
        self.pen.text((12, _ABOVE - 38), visible(up), DIM, self.font, anchor="lm")

    def axis_across(self, name: str) -> None:
        """The frame, and the ticks of the axis across."""
        self.pen.line([(self.left, _ABOVE), (self.left, self.bottom), (self.right, self.bottom)], DIM, 2)
        for tick in ticks(self.across, self.log):
            self.pen.line([(self.x(tick), self.bottom), (self.x(tick), self.bottom + _TICK)], DIM, 2)
            self.pen.text((self.x(tick), self.bottom + _TICK + 4), number(tick), INK, self.font, anchor="ma")
        self.pen.text(((self.left + self.right) / 2, SIZE[1] - 12), visible(name), DIM, self.font, anchor="ms")

    def rows(self, names: Sequence[str]) -> None:
        """A name for each row, the first at the top, where the axis up goes from the number of rows down to 0."""
        high = (self.bottom - _ABOVE) / max(1, len(names))
        font = font_of(max(10, min(_WORDS, round(0.9 * high))))
        for row, name in enumerate(names):
            text = shortened(self.pen, name, font, self.left - 24)
            self.pen.text((self.left - 12, self.y(row + 0.5)), text, INK, font, anchor="rm")

    def grid(self) -> None:
        """Pale lines upwards from every tick of the axis across."""
        for tick in ticks(self.across, self.log):
            self.pen.line([(self.x(tick), _ABOVE), (self.x(tick), self.bottom)], RULE, 1)


def _share(value: float, limits: Limits, log: bool) -> float:
    """Where a value lies between two limits, from 0 to 1."""
    low, high = limits
    if log:
        low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-12))
    return (value - low) / (high - low) if high != low else 0.5


def ticks(limits: Limits, log: bool = False, most: int = 6, whole: bool = False) -> list[float]:
    """Round numbers between two limits, about ``most`` of them."""
    low, high = min(limits), max(limits)
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
            if len(found) <= most + 2:
                return found
        return found[:: math.ceil(len(found) / most)]
    if high <= low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= most)
    step = max(1.0, step) if whole else step
    first = math.ceil(low / step - 1e-9)
    return [(first + index) * step for index in range(int((high - first * step) / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A number of an axis in few letters."""
    if value and (abs(value) >= 1e6 or abs(value) < 1e-3):
        return f"{value:.2g}"
    return f"{value:,.6g}"
