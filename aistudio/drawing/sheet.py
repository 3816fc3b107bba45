"""A contact sheet: a heading, and drawings in rows with the name of each below it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aistudio.drawing.colours import DIM, INK, PAPER, RULE
from aistudio.drawing.words import broken, font_of, shortened
from aistudio.files import write_whole

if TYPE_CHECKING:
    from PIL import Image

GAP = 16
_SINGLE = 480  # pixels of a drawing that is alone
WIDTH = 2 * _SINGLE + 3 * GAP  # of a sheet
TEXT, HEAD = 15, 18  # pixels of a letter
WIDE = 1.5  # times as wide as it is high: a drawing that has a row to itself


class Tile(NamedTuple):
    """A drawing and what is written below it: the name of its file, for example."""

    image: Image.Image
    name: str = ""


def contact_sheet(tiles: Sequence[Tile], heading: str, notes: Sequence[str] = (), columns: int = 2) -> Image.Image:
    """The tiles in ``columns`` as wide as the sheet, rows as high as their highest, below a heading and its notes."""
    from PIL import Image, ImageDraw

    wide = any(tile.image.width > WIDE * tile.image.height for tile in tiles)
    columns = 1 if wide else max(1, min(columns, len(tiles)))
    width = _SINGLE if len(tiles) == 1 and not wide else (WIDTH - GAP * (columns + 1)) // columns
    head, text = font_of(HEAD), font_of(TEXT)
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    whole = max(WIDTH // 2, (width + GAP) * columns + GAP)
    words = [(line, head, INK) for line in broken(pen, heading, head, whole - 2 * GAP)]
    words += [(line, text, DIM) for note in notes for line in broken(pen, note, text, whole - 2 * GAP)]
    fitted = [(reduced(tile.image, width), shortened(pen, tile.name, text, width)) for tile in tiles]
    rows = [fitted[start : start + columns] for start in range(0, len(fitted), columns)]
    heights = [max(image.height + (round(1.6 * TEXT) if name else 0) for image, name in row) + GAP for row in rows]
    top = GAP + sum(round(1.4 * font.size) for _, font, _ in words) + GAP // 2
    sheet = Image.new("RGB", (whole, top + sum(heights)), PAPER)
    pen = ImageDraw.Draw(sheet)
    y = GAP
    for line, font, shade in words:
        pen.text((GAP, y), line, shade, font)
        y += round(1.4 * font.size)
    y = top
    for row, height in zip(rows, heights, strict=True):
        for column, (image, name) in enumerate(row):
            x = GAP + column * (width + GAP)
            sheet.paste(image, (x, y))
            pen.rectangle((x, y, x + image.width - 1, y + image.height - 1), None, RULE)
            pen.text((x, y + image.height + 4), name, DIM, text)
        y += height
    return sheet


def reduced(image: Image.Image, width: int) -> Image.Image:
    """The image at a width, its edges smooth."""
    from PIL import Image

    return image.convert("RGB").resize(
        (width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS
    )


def save_sheet(path: Path, sheet: Image.Image) -> None:
    """Write a sheet as PNG.

    Of what deflate can do, only runs are used: painted images get smaller by it, in three fifths of the time.
    """
    file = io.BytesIO()
    sheet.save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    write_whole(path, file.getvalue())
