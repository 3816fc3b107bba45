"""Sections of a report as tables, whatever is in them: so what the page has no form of its own for is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aistudio.report.html.values import is_number, mappings, number, text

ROWS = 300  # in one table at most
COLUMNS = 12
_DEEPEST = 3  # tables inside tables; below that, JSON
LONG = 400  # characters of a cell


@dataclass(frozen=True)
class Block:
    """A part of a section: words under each other, or a table, with a heading of its own where it has one."""

    title: str = ""
    pairs: list[tuple[str, str]] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    rows: list[list[tuple[str, bool]]] = field(default_factory=list)
    note: str = ""


def words(name: str) -> str:
    """A key as people read it."""
    return name.replace("_", " ")


def blocks(value: Any, title: str = "", depth: int = 0) -> list[Block]:
    """The blocks that show a value."""
    if isinstance(value, Mapping):
        return _of_mapping(value, title, depth)
    if isinstance(value, list | tuple):
        rows = mappings(value)
        if value and len(rows) == len(value):
            return [_table(rows, title)]
        lines = [("", cell(one)) for one in value[:ROWS]]
        return [Block(title, pairs=lines, note=_more(len(value)))] if lines else []
    return [Block(title, pairs=[("", cell(value))])] if value not in (None, "") else []


def _of_mapping(value: Mapping[str, Any], title: str, depth: int) -> list[Block]:
    entries = list(value.items())[:ROWS]
    inner = [(key, one) for key, one in entries if isinstance(one, Mapping | list | tuple) and one and depth < _DEEPEST]
    plain = [(words(str(key)), cell(one)) for key, one in entries if not any(one is other for _, other in inner)]
    found = [Block(title, pairs=plain, note=_more(len(value)))] if plain else []
    for key, one in inner:
        name = words(str(key))
        found += blocks(one, f"{title} · {name}" if title else name, depth + 1)
    return found


def _table(value: list[Mapping[str, Any]], title: str) -> Block:
    headings: list[str] = []
    for one in value[:ROWS]:
        headings += [str(key) for key in one if str(key) not in headings]
    filled = [key for key in headings if any(one.get(key) not in (None, "", [], {}) for one in value[:ROWS])]
    kept = filled[:COLUMNS]
    rows = [[(cell(one.get(key)), is_number(one.get(key))) for key in kept] for one in value[:ROWS]]
    return Block(title, headings=[words(key) for key in kept], rows=rows, note=_more(len(value)))


def cell(value: Any) -> str:
    """A value in a cell, cut where it is long."""
    shown = number(value) if is_number(value) else text(value)
    return shown if len(shown) <= LONG else f"{shown[:LONG]} …"


def _more(count: int) -> str:
    return f"and {count - ROWS:,} more in report.json" if count > ROWS else ""
