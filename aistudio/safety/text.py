"""Text made visible: what a terminal, a viewer or a spreadsheet would obey or hide is written out instead.

Names, keys and messages come from strangers' files. Every function here gives a text that only says something.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# Drawn as nothing although Unicode counts them as letters and marks; U+FE0F, which emoji need, is left alone.
_BLANK = frozenset(
    map(
        chr,
        (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)
        + (*range(0x180B, 0x1810), *range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0)),
    )
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MARKDOWN = re.compile(r"[\\`*\[\]|~$#]|(?<!\w)_|_(?!\w)")
_BARE = re.compile(r"(https?|ftp)://|\bwww\.|(?<!\w)@(?=\w)", re.I)  # what Markdown makes a link or a mention of


def is_hidden(char: str) -> bool:
    """Whether a character is obeyed or left out rather than drawn: controls, bidirectional marks, zero widths."""
    return char in _BLANK or not (char.isprintable() or unicodedata.category(char) == "Zs")


def visible(text: str, lines: bool = False) -> str:
    r"""The text with every hidden character written out (``\x1b``, ``\u202e``, ``\n``); ``lines`` keeps \n and \t."""
    if text.isprintable() and _BLANK.isdisjoint(text):
        return text
    kept = "\n\t" if lines else ""
    return "".join(escape(char) if char not in kept and is_hidden(char) else char for char in text)


def escape(char: str) -> str:
    """A character as Python would write it in a literal."""
    short = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(char)
    code = ord(char)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def in_json(document: str) -> str:
    r"""A document of JSON that means the same, with what is hidden as ``\u202e``: lone surrogates are no UTF-8."""
    if _BLANK.isdisjoint(document) and document.replace("\n", "").isprintable():
        return document
    return "".join(
        "".join(f"\\u{unit:04x}" for unit in units(char)) if char != "\n" and is_hidden(char) else char
        for char in document
    )


def units(char: str) -> list[int]:
    """A character in the units of UTF-16."""
    coded = char.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(coded[index : index + 2], "big") for index in range(0, len(coded), 2)]


def as_data(node: Any) -> Any:
    """Plain containers that JSON can hold: a number that is none (``.nan``, ``.inf``) is said as YAML says it."""
    if isinstance(node, Mapping):
        return {key: as_data(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [as_data(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return ".nan" if node != node else ".inf" if node > 0 else "-.inf"
    return node


def in_markdown(text: str) -> str:
    """A text for a cell or a line of Markdown: no HTML, no links, no formulas, no second line."""
    escaped = _MARKDOWN.sub(r"\\\g<0>", visible(text))
    return _BARE.sub(lambda found: found[0][:-1] + f"&#{ord(found[0][-1])};", html.escape(escaped, quote=False))


def in_csv(value: Any) -> Any:
    """A cell that no spreadsheet computes: a text that begins like a formula is marked as text; numbers stay."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if value.lstrip(" \xa0").startswith(_FORMULA) else shown
