"""The colours of drawings: one a class or an instance, and a few with a meaning."""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]

GOOD, BAD, NEUTRAL = (34, 139, 84), (214, 34, 34), (70, 76, 92)
INK, PAPER, DIM, RULE = (24, 24, 27), (250, 250, 250), (105, 110, 120), (205, 208, 214)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def colour(index: int) -> Colour:
    """A colour for class or instance ``index``: neighbours differ in hue, and every second round in lightness."""
    hue = (0.58 + index * 0.381966) % 1  # golden angle; starts at blue, where synthetic objects start at red
    value, saturation = ((0.95, 0.85), (0.75, 1.0), (1.0, 0.5))[index // 8 % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def ink_on(shade: Colour) -> Colour:
    """Black or white, whichever is readable on ``shade``."""
    red, green, blue = shade
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER
