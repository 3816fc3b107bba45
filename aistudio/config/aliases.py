"""Aliases that unfold: ten lines of YAML can stand for a billion values, and OmegaConf writes out every one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from aistudio.errors import Problem

MOST = 100_000  # values of a file; the largest that ships has a few hundred
_FINE: set[Path] = set()  # folders that were looked through: a sweep composes for every job


def unfolding_files(folders: Sequence[Path]) -> Iterator[Problem]:
    """The files of a user whose aliases stand for more than `MOST` values."""
    for folder in folders:
        if folder in _FINE:
            continue
        counted = [(path, _values(path)) for path in sorted(folder.rglob("*.yaml"))]
        if not (large := [(path, values) for path, values in counted if values > MOST]):
            _FINE.add(folder)
        for path, values in large:
            what = f"{path.name} stands for {values:.0e} values"
            why = "its aliases hold aliases, each of which is written out where it stands"
            yield Problem(what, why, str(path), f"at most {MOST:,} values; an interpolation, ${{key}}, copies nothing")


def _values(path: Path) -> int:
    """How many values a file has once its aliases are written out; 0 where it has none, or is no YAML."""
    try:
        text = path.read_text(encoding="utf-8")
        if "&" not in text or "*" not in text:
            return 0
        return _below(yaml.compose(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})
    except (OSError, ValueError, yaml.YAMLError, RecursionError):  # composing says what is wrong with it
        return 0


def _below(node: object, known: dict[int, int]) -> int:
    """The same for a node and what is below it; one that holds itself counts once."""
    if id(node) not in known:
        known[id(node)] = 1
        inner = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = [part for one in inner for part in (one if isinstance(one, tuple) else (one,))]
        known[id(node)] = 1 + sum(_below(part, known) for part in parts)
    return known[id(node)]
