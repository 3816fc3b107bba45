"""Drawings for people: outlines, tags and tints on an image, and sheets of several. PIL alone, imported when drawn."""

from aistudio.drawing.canvas import Canvas
from aistudio.drawing.colours import BAD, GOOD, INK, NEUTRAL, PAPER, colour, ink_on
from aistudio.drawing.plot import Plot
from aistudio.drawing.sheet import Tile, contact_sheet, save_sheet

__all__ = [
    "BAD",
    "GOOD",
    "INK",
    "NEUTRAL",
    "PAPER",
    "Canvas",
    "Plot",
    "Tile",
    "colour",
    "contact_sheet",
    "ink_on",
    "save_sheet",
]
