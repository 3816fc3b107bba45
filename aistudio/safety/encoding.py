"""Standard output that takes what it can: no mark that a terminal lacks, and no reader that has gone, ends a run."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

PLAIN = {"✓": "+", "✗": "x", "–": "-", "−": "-", "·": "-", "…": "...", "→": "->", "≥": ">=", "≤": "<=", "×": "x"}


@contextmanager
def plain_where_needed() -> Iterator[None]:
    """Within it, characters that the standard streams cannot encode are written in others; then it is put back."""
    streams = [one for one in (sys.stdout, sys.stderr) if hasattr(one, "reconfigure")]  # not a notebook's, for example
    codecs.register_error("aistudio.plain", plain)
    before = [one.errors for one in streams]
    for one in streams:
        one.reconfigure(errors="aistudio.plain")
    try:
        yield
    finally:
        for one, errors in zip(streams, before, strict=True):
            one.reconfigure(errors=errors)


def plain(error: UnicodeError) -> tuple[str, int]:
    """What is written in place of characters, for ``codecs``: our marks in ASCII, anything else by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in letters), error.end


def let_go(stream: IO[str]) -> None:
    """Lead to nowhere what is written from now on to a stream whose reader has gone, or whose disk is full."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
