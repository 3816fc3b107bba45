"""A refusal as it is printed: a headline, colours in a terminal, lines that break at blanks, long lists in columns."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from aistudio.errors import WHAT, Problem, answers
from aistudio.safety.outlet import drawn_on

_INDENT = 11  # columns before the text of a part
BOLD, DIM, RED, GREEN, END = "\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[32m", "\x1b[0m"
STYLES = {WHAT: BOLD, "where": DIM, "rule": DIM, "instead": GREEN}
LONG = 6  # names, from which a list that is longer than a line stands in columns
NAMES = re.compile(r"[^\s,]+( \(nearest\))?(, [^\s,]+( \(nearest\))?)*")


def tell(problems: Sequence[Problem], headline: bool = True, stream: TextIO | None = None) -> None:
    """Print a refusal to standard error: into a file or a pipe in whole lines, without colours."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    plain = not terminal or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    lines = [*_laid_out(problems, width)]
    if headline:
        lines.insert(0, (RED, f"refused: {len(problems)} problem{'s' * (len(problems) != 1)}"))
    text = "\n".join(line if plain or not style else f"{style}{line}{END}" for style, line in lines)
    print(text, file=stream if plain else drawn_on(stream))


def _laid_out(problems: Sequence[Problem], width: int | None) -> Iterator[tuple[str, str]]:
    """The lines of a refusal with their styles, none longer than ``width`` unless a word is."""
    for name, text in answers(problems):
        if name == WHAT:
            for line in wrapped(text, width, "  "):
                yield STYLES[WHAT], line
            continue
        first = f"  {name:<8} "
        room = width - _INDENT if width else None
        lines = [text] if not name else _in_columns(text, room) or wrapped(text, room)
        style = STYLES.get(name, "")
        yield from ((style, f"{' ' * _INDENT if index else first}{line}") for index, line in enumerate(lines))


def wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    """A text in lines that are broken at blanks alone; as it is where there is no width."""
    if not width or len(text) <= width:
        return [text]
    broken: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": indent}
    return textwrap.wrap(text, max(width, 20), **broken)


def _in_columns(text: str, width: int | None) -> list[str]:
    """A list of names that is longer than a line, in columns read from the left; nothing for any other text."""
    names = text.split(", ")
    if not width or len(text) <= width or len(names) < LONG or not NAMES.fullmatch(text):
        return []
    column = max(map(len, names)) + 2
    count = max(width // column, 1)
    rows = [names[start : start + count] for start in range(0, len(names), count)]
    return ["".join(f"{name:<{column}}" for name in row).rstrip() for row in rows]
