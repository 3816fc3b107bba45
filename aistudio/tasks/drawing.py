"""Pictures for people: an image enlarged until text is readable on it, outlines, tags, tints, and a caption below.

Coordinates are those of the image (pixels, x right, y down); `Sheet` enlarges them itself.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from aistudio.safety.text import visible

READABLE = 448  # pixels: images smaller than this on their longer side are enlarged to about it
GOOD, WARNING = (34, 139, 84), (200, 40, 40)
INK, PAPER, TRUTH = (24, 24, 27), (250, 250, 250), (255, 255, 255)
Colour = tuple[int, int, int]


def colour(index: int) -> Colour:
    """A colour for class or instance ``index``: neighbours differ in hue, and every second round in lightness."""
    hue = (0.58 + index * 0.381966) % 1  # golden angle; starts at blue, where synthetic objects start at red
    value, saturation = ((0.95, 0.85), (0.75, 1.0), (1.0, 0.5))[index // 8 % 3]
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))


class Sheet:
    """One picture being drawn: ``image`` (3, H, W) float in [0, 1], enlarged to at least `READABLE` pixels.

    ``grey`` takes its colours away, so that those of a tint can be told apart.
    """

    def __init__(self, image: Tensor, grey: bool = False):
        if grey:
            image = image.mean(0, keepdim=True).expand(3, -1, -1)
        pixels = (image.detach().cpu().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        self.scale = max(1, math.ceil(READABLE / max(pixels.shape[:2])))
        size = (pixels.shape[1] * self.scale, pixels.shape[0] * self.scale)
        self.picture = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BICUBIC)
        self.font = ImageFont.load_default(max(15, round(max(size) / 30)))
        self.line = max(2, round(max(size) / 200))
        self.draw = ImageDraw.Draw(self.picture)

    def tint(self, mask: Tensor, shade: Colour, strength: float = 0.55) -> None:
        """Lay ``shade`` over the pixels of ``mask`` (H, W) bool."""
        alpha = Image.fromarray((mask.cpu().numpy() * round(255 * strength)).astype(np.uint8))
        alpha = alpha.resize(self.picture.size, Image.Resampling.NEAREST)
        self.picture.paste(Image.new("RGB", self.picture.size, shade), mask=alpha)

    def polygon(self, points: Sequence[Sequence[float]], shade: Colour, dashed: bool = False) -> None:
        """A closed outline through ``points`` (x, y)."""
        corners = [(x * self.scale, y * self.scale) for x, y in points]
        for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
            self._stroke(start, end, shade, dashed)

    def _stroke(self, start, end, shade: Colour, dashed: bool) -> None:
        length = math.dist(start, end)
        dash = 4 * self.line
        pieces = max(1, round(length / dash)) if dashed else 1
        for piece in range(0, pieces, 2 if dashed else 1):
            a, b = piece / pieces, min(1.0, (piece + 1) / pieces)
            ends = [tuple(s + (e - s) * t for s, e in zip(start, end, strict=True)) for t in (a, b)]
            if not dashed:
                self.draw.line(ends, INK, self.line + 2)  # a dark rim, so that it is seen on any ground
            self.draw.line(ends, shade, self.line)

    def tag(self, x: float, y: float, text: str, shade: Colour, right: bool = False) -> None:
        """A small label whose lower left (or right) corner is at (x, y), moved to stay inside the picture."""
        text = visible(text)
        box = self.draw.textbbox((0, 0), text, self.font)
        width, height = box[2] + 6, box[3] + 4
        left = min(max(0, x * self.scale - (width if right else 0)), max(0, self.picture.width - width))
        top = min(max(0, y * self.scale - height), max(0, self.picture.height - height))
        self.draw.rectangle((left, top, left + width, top + height), shade)
        self.draw.text((left + 3, top + 1), text, ink_on(shade), self.font)

    def tick(self, corners: Sequence[Sequence[float]], shade: Colour) -> None:
        """A line from the centre of a rotated box to the middle of its right end: the direction of w."""
        (x1, y1), (x2, y2), (x3, y3), _ = corners
        self._stroke(
            [(x1 + x3) / 2 * self.scale, (y1 + y3) / 2 * self.scale],
            [(x2 + x3) / 2 * self.scale, (y2 + y3) / 2 * self.scale],
            shade,
            False,
        )

    def badge(self, text: str, shade: Colour) -> None:
        """A large label in the upper left corner."""
        font = self.font.font_variant(size=round(self.font.size * 1.4))
        box = self.draw.textbbox((0, 0), text, font)
        pad = font.size // 2
        frame = (pad, pad, box[2] + 3 * pad, box[3] + 2 * pad)
        self.draw.rounded_rectangle(frame, pad, shade, PAPER, 2)
        self.draw.text((2 * pad, pad * 1.4), text, ink_on(shade), font)

    def corner(self, text: str) -> None:
        """A small label in the upper left corner."""
        self.tag(0, 0, text, INK)

    def beside(self, other: Sheet) -> Sheet:
        """This sheet, widened by the other one on its right."""
        gap = 2 * self.line
        both = Image.new("RGB", (self.picture.width + gap + other.picture.width, self.picture.height), PAPER)
        both.paste(self.picture)
        both.paste(other.picture, (self.picture.width + gap, 0))
        self.picture, self.draw = both, ImageDraw.Draw(both)
        return self

    def finish(self, lines: Sequence[str], legend: Sequence[tuple[str, Colour]] = ()) -> Image.Image:
        """The picture with a strip below it: one row for each of ``lines``, then the legend's coloured squares."""
        size = self.font.size
        row, pad = round(size * 1.4), size // 2
        places = self._legend_places(legend, row, pad)
        lowest = max((y for _, y in places), default=-row) + row
        sheet = Image.new("RGB", (self.picture.width, self.picture.height + 2 * pad + row * len(lines) + lowest), PAPER)
        sheet.paste(self.picture)
        draw = ImageDraw.Draw(sheet)
        y = self.picture.height + pad
        for text in lines:
            draw.text((pad, y), visible(text), INK, self.font)
            y += row
        for (text, shade), (x, down) in zip(legend, places, strict=True):
            draw.rectangle((x, y + down + 2, x + size, y + down + 2 + size), shade, INK)
            draw.text((x + size + pad, y + down), visible(text), INK, self.font)
        return sheet

    def _legend_places(self, legend: Sequence[tuple[str, Colour]], row: int, pad: int) -> list[tuple[int, int]]:
        """Where each entry goes in the strip, in rows that are as wide as the picture."""
        places, x, y = [], pad, 0
        for text, _ in legend:
            width = round(self.draw.textlength(visible(text), self.font)) + self.font.size + 3 * pad
            if x > pad and x + width > self.picture.width:
                x, y = pad, y + row
            places.append((x, y))
            x += width
        return places


def ink_on(shade: Colour) -> Colour:
    """Black or white, whichever is readable on ``shade``."""
    red, green, blue = shade
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER
