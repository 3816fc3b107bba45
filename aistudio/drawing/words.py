"""Text that is drawn: broken into lines, or shortened, by the width that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aistudio.safety.text import visible

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont


def font_of(size: int) -> FreeTypeFont:
    """Pillow's own font, whose letters are ``size`` pixels high."""
    from PIL import ImageFont

    return cast("FreeTypeFont", ImageFont.load_default(size))


def broken(pen: ImageDraw, text: str, font: FreeTypeFont, room: float) -> list[str]:
    """A text in lines that are no wider than ``room`` pixels, broken at spaces."""
    lines = [""]
    for word in visible(text).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and pen.textlength(longer, font) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def shortened(pen: ImageDraw, text: str, font: FreeTypeFont, room: float) -> str:
    """A name that is no wider than ``room`` pixels, without its beginning if need be: the end tells files apart."""
    text = visible(text)
    if pen.textlength(text, font) <= room:
        return text
    while text and pen.textlength(f"…{text}", font) > room:
        text = text[1:]
    return f"…{text}"
