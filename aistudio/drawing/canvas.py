"""An image that is drawn on: outlines, tinted areas, tags that never cover each other, a badge, and a caption below.

Coordinates are those of the image (pixels, x right, y down, fractions allowed); the canvas enlarges them itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aistudio.drawing.colours import BLACK, DIM, INK, PAPER, Colour, ink_on
from aistudio.drawing.places import Box, free_place
from aistudio.drawing.words import broken, font_of
from aistudio.safety.text import visible

if TYPE_CHECKING:
    from PIL import Image

SIDE = 720  # pixels of the longer side that is drawn at; `aistudio.drawing.sheet` reduces it, which smooths every edge
Points = Sequence[Sequence[float]]
Place = tuple[int, int, int, int]  # left, top, right, bottom, whole pixels of the canvas


class Canvas:
    """``image`` is RGB; smaller ones are enlarged by a whole number of times, pixel by pixel, and larger ones reduced.

    ``grey`` takes its colours away, so that those of a tint can be told apart. ``side`` is that of the drawing's longer
    side and ``letter`` the size of words in one as wide as that, in pixels.
    """

    def __init__(self, image: Image.Image, grey: bool = False, side: int = SIDE, letter: int = SIDE // 32):
        from PIL import Image, ImageDraw

        longest = max(image.size)
        self.scale = max(1, side // longest) if longest <= side else side / longest
        size = (max(1, round(image.width * self.scale)), max(1, round(image.height * self.scale)))
        way = Image.Resampling.NEAREST if self.scale >= 1 else Image.Resampling.LANCZOS
        image = image.convert("L").convert("RGB") if grey else image.convert("RGB")
        self.image = image.resize(size, way) if size != image.size else image.copy()
        self.letter = max(8, round(letter * self.image.width / side))  # pixels
        self.font = font_of(self.letter)
        self.line = max(2, round(self.image.width / 200))
        self.pen = ImageDraw.Draw(self.image)
        self.tags: list[tuple[float, float, str, Colour]] = []
        self.taken: list[Box] = []  # where words are

    # -------------------------------------------------------------------------------------------------- outlines
    def polygon(self, points: Points, shade: Colour, dashed: bool = False) -> None:
        """A closed outline through ``points``; a dashed one is black and white in turn, to be seen on any ground."""
        corners = [(x * self.scale, y * self.scale) for x, y in points]
        closed = [*corners, corners[0]]
        self.pen.line(closed, BLACK if dashed else INK, self.line + 4, joint="curve")
        if not dashed:
            self.pen.line(closed, shade, self.line, joint="curve")
            return
        for start, end in zip(closed, closed[1:], strict=False):
            self._dashes(start, end, shade)

    def _dashes(self, start: Sequence[float], end: Sequence[float], shade: Colour) -> None:
        pieces = max(1, round(math.dist(start, end) / (4 * self.line)))
        for piece in range(0, pieces, 2):
            ends = [
                tuple(a + (b - a) * min(1.0, part / pieces) for a, b in zip(start, end, strict=True))
                for part in (piece, piece + 1)
            ]
            self.pen.line(ends, shade, self.line)

    def tick(self, corners: Points, shade: Colour) -> None:
        """A line from the centre of a rotated box to the middle of its right end: the direction of w."""
        (x1, y1), (x2, y2), (x3, y3), _ = corners
        ends = [((x1 + x3) / 2, (y1 + y3) / 2), ((x2 + x3) / 2, (y2 + y3) / 2)]
        scaled = [(x * self.scale, y * self.scale) for x, y in ends]
        self.pen.line(scaled, INK, self.line + 4)
        self.pen.line(scaled, shade, self.line)

    # -------------------------------------------------------------------------------------------------- areas
    def area(self, mask: Image.Image, shade: Colour, strength: float = 0.45, dashed: bool = False) -> None:
        """Tint an area and outline it; a dashed one is outlined alone, black and white in turn.

        ``mask`` is of mode L, 0 outside to 255 inside, and of any size: the edge is where its smooth enlargement
        crosses the half.
        """
        inside = self._enlarged(mask)
        if (box := inside.getbbox()) is None:
            return
        width = self.line + (4 if dashed else 2)
        place = _around(box, 4 * width, self.image.size)  # a blur reaches no further
        inside, ring = inside.crop(place), self._ring(inside.crop(place), width)
        if dashed:
            self.image.paste(BLACK, place, ring)
            self.image.paste(shade, place, self._striped(self._ring(inside, self.line), place))
            return
        self.image.paste(shade, place, inside.point(lambda value: round(value * strength)))
        self.image.paste(INK, place, ring)
        self.image.paste(shade, place, self._ring(inside, self.line - 1))

    def _enlarged(self, mask: Image.Image) -> Image.Image:
        """``mask`` at the canvas's size, its steps smoothed, 0 and 255 alone."""
        from PIL import Image, ImageFilter

        grown = mask.convert("L").resize(self.image.size, Image.Resampling.BILINEAR)
        step = self.image.width / mask.width
        if step > 1 and (box := grown.getbbox()):
            place = _around(box, math.ceil(3 * step), grown.size)
            grown.paste(grown.crop(place).filter(ImageFilter.GaussianBlur(0.6 * step)), place)
        return grown.point(lambda value: 255 if value > 127 else 0)

    def _ring(self, inside: Image.Image, width: float) -> Image.Image:
        """The edge of an area, about ``width`` pixels wide: where a blur of it is between inside and outside."""
        from PIL import ImageFilter

        blurred = inside.filter(ImageFilter.GaussianBlur(width))
        return blurred.point(lambda value: 255 if 79 < value < 176 else 0)  # half a sigma on either side

    def _striped(self, ring: Image.Image, place: Place) -> Image.Image:
        """Every second piece of an edge: what lies in the black fields of a board whose diagonals no edge follows.

        The board lies over the canvas; the edge is that of ``place``.
        """
        from PIL import Image, ImageChops, ImageDraw

        board, wide, high = Image.new("L", self.image.size), 4 * self.line, 7 * self.line
        pen = ImageDraw.Draw(board)
        for top in range(0, board.height, high):
            for left in range(top // high % 2 * wide, board.width, 2 * wide):
                pen.rectangle((left, top, left + wide - 1, top + high - 1), 255)
        return ImageChops.multiply(ring, board.crop(place))

    # -------------------------------------------------------------------------------------------------- words
    def tag(self, x: float, y: float, text: str, shade: Colour) -> None:
        """A small label near (x, y); all are written when the drawing is finished, above everything else."""
        self.tags.append((x * self.scale, y * self.scale, visible(text), shade))

    def _write_tags(self) -> None:
        """Each label as near to its point as there is a place that no other has, with a line to it if that is far."""
        for x, y, text, shade in self.tags:
            left, _, right, _ = self.pen.textbbox((0, 0), text, self.font)
            width, height = right - left + 12, round(self.letter * 1.35)
            place = free_place((x, y), (width, height), self.image.size, self.taken)
            self.taken.append(place)
            nearest = (min(max(x, place.left), place.right), min(max(y, place.top), place.bottom))
            if math.dist(nearest, (x, y)) > height:
                self.pen.line([nearest, (x, y)], BLACK, self.line + 2)
                self.pen.line([nearest, (x, y)], shade, self.line - 1)
            self.pen.rectangle((place.left, place.top, place.right, place.bottom), shade, INK)
            middle = (place.top + place.bottom) / 2
            self.pen.text((place.left + 6 - left, middle), text, ink_on(shade), self.font, anchor="lm")
        self.tags = []

    def badge(self, text: str, shade: Colour) -> None:
        """A large label in the upper left corner."""
        text, room = visible(text), self.image.width
        font = font_of(round(self.letter * 1.4))
        pad = font.size // 2
        while self.pen.textlength(text, font) + 4 * pad > room and font.size > self.letter // 2:
            font = font.font_variant(size=font.size - 2)
        frame = Box(pad, pad, self.pen.textlength(text, font) + 3 * pad, font.size * 2.2)
        self.pen.rounded_rectangle((frame.left, frame.top, frame.right, frame.bottom), pad, shade, PAPER, 3)
        self.pen.text((2 * pad, (frame.top + frame.bottom) / 2), text, ink_on(shade), font, anchor="lm")
        self.taken.append(frame)

    def corner(self, text: str) -> None:
        """A small label in the upper left corner."""
        self.tag(0, 0, text, INK)

    def beside(self, other: Canvas) -> Canvas:
        """This canvas, widened by the other one on its right."""
        from PIL import Image, ImageDraw

        self._write_tags()
        other._write_tags()
        gap = 2 * self.line
        both = Image.new("RGB", (self.image.width + gap + other.image.width, self.image.height), PAPER)
        both.paste(self.image)
        both.paste(other.image, (self.image.width + gap, 0))
        self.image, self.pen = both, ImageDraw.Draw(both)
        return self

    def finish(self, lines: Sequence[str], legend: Sequence[tuple[str, Colour]] = ()) -> Image.Image:
        """The image with a strip below it: ``lines``, broken where they are wider, then the legend's squares."""
        from PIL import Image, ImageDraw

        self._write_tags()
        size = self.letter
        row, pad = round(size * 1.4), size // 2
        written = [part for text in lines for part in broken(self.pen, text, self.font, self.image.width - 2 * pad)]
        places = self._legend_places(legend, row, pad)
        lowest = max((y for _, y in places), default=-row) + row
        whole = (self.image.width, self.image.height + bool(written or legend) * 2 * pad + row * len(written) + lowest)
        sheet = Image.new("RGB", whole, PAPER)
        sheet.paste(self.image)
        pen = ImageDraw.Draw(sheet)
        y = self.image.height + pad
        for text in written:
            pen.text((pad, y), text, INK, self.font)
            y += row
        for (text, shade), (x, down) in zip(legend, places, strict=True):
            pen.rectangle((x, y + down + 4, x + size, y + down + 4 + size), shade, DIM, 2)
            pen.text((x + size + pad, y + down), visible(text), INK, self.font)
        return sheet

    def _legend_places(self, legend: Sequence[tuple[str, Colour]], row: int, pad: int) -> list[tuple[int, int]]:
        """Where each entry goes in the strip, in rows that are as wide as the image."""
        places, x, y = [], pad, 0
        for text, _ in legend:
            width = round(self.pen.textlength(visible(text), self.font)) + self.letter + 3 * pad
            if x > pad and x + width > self.image.width:
                x, y = pad, y + row
            places.append((x, y))
            x += width
        return places


def _around(inner: Place, margin: int, size: tuple[int, int]) -> Place:
    """``inner`` and a margin around it, as far as the canvas reaches."""
    left, top, right, bottom = inner
    return max(0, left - margin), max(0, top - margin), min(size[0], right + margin), min(size[1], bottom + margin)
