"""What the overrides of a sweep span, one axis each, and the names of the folders that its jobs get."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, QuotedString

from aistudio.config import groups
from aistudio.config.groups import available
from aistudio.config.key_problems import NOT_READ
from aistudio.config.overrides import key_of, quoted
from aistudio.config.values import MISSING
from aistudio.errors import Problem, Refusal

LONGEST = 100  # characters of a folder's name
_UNFIT = re.compile(r"[^A-Za-z0-9._=+-]+")  # for the name of a folder
SCALARS = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Axis:
    """What one override spans: single-valued overrides, and the plain values that they set.

    ``values`` is None where only composing tells what an override does: it chooses files, adds or deletes a key, or its
    values are no numbers and words.
    """

    key: str
    choices: tuple[str, ...]
    values: tuple[Any, ...] | None

    @property
    def sets_values(self) -> bool:
        """Whether the axis varies a value that can be set on a composed configuration."""
        return self.values is not None and len(self.choices) > 1


def last_of_each(overrides: Sequence[str]) -> list[str]:
    """Of a key that was given twice the last counts, as in Hydra's own sweeps."""
    return [*{key_of(override): override for override in overrides}.values()]


def read_axis(override: str, folders: Sequence[Path]) -> Axis:
    """What one override spans: ``a=1,2`` two choices; ``range`` and ``glob`` are written out."""
    try:
        parsed = OverridesParser.create().parse_override(override)
    except NOT_READ:  # composing says what is wrong with it
        return Axis(key_of(override), (override,), None)
    key = parsed.key_or_group
    if parsed.is_sweep_override() and not parsed.is_discrete_sweep():
        what, why = f"{override} is no list of values", "a sweep runs every combination of its values"
        raise Refusal([Problem(what, why, "the command line", f"{key}=1,2,3 or {key}=range(1,10)")])
    if isinstance(parsed.value(), Glob):
        return Axis(key, tuple(f"{key}={quoted(name)}" for name in _globbed(parsed, folders)), None)
    values = [*parsed.sweep_iterator()] if parsed.is_sweep_override() else [parsed.value()]
    texts = [*parsed.sweep_string_iterator()] if parsed.is_sweep_override() else []
    if not values:
        raise Refusal([Problem(f"{override} names no value", "a sweep of nothing has no job", "the command line")])
    plain = key not in groups.GROUPS and "/" not in key and parsed.is_force_add() is parsed.is_add() is False
    plain = plain and not parsed.is_delete() and all(isinstance(value, SCALARS) for value in values)
    plain = plain and not any(isinstance(value, str) and ("${" in value or value == MISSING) for value in values)
    choices = tuple(f"{parsed.get_key_element()}={text}" for text in texts) or (override,)
    return Axis(key, choices, tuple(values) if plain else None)


def _globbed(parsed: Override, folders: Sequence[Path]) -> list[str]:
    """The options of a group that a ``glob(…)`` names."""
    glob = cast(Glob, parsed.value())
    names = available(parsed.key_or_group, folders)
    kept = [name for name in names if any(fnmatch(name, pattern) for pattern in map(_unquoted, glob.include))]
    kept = [name for name in kept if not any(fnmatch(name, pattern) for pattern in map(_unquoted, glob.exclude))]
    if not kept:
        what, group = f"{parsed.input_line} names no file", parsed.key_or_group
        raise Refusal([Problem(what, "no name matches", f"conf/{group}/", ", ".join(names))])
    return kept


def _unquoted(text: str | QuotedString) -> str:
    """A text of Hydra's grammar without its quotation marks."""
    return text.text if isinstance(text, QuotedString) else text


def names_of(axes: Sequence[Axis], lines: Sequence[Sequence[int]]) -> Iterator[str]:
    """A folder's name for every combination: the options of groups alone, of other keys ``key=value``."""
    varied = [(index, one) for index, one in enumerate(axes) if len(one.choices) > 1]
    for places in lines:
        parts = [(one, one.choices[places[index]]) for index, one in varied]
        words = [text.partition("=")[2] if one.key in groups.GROUPS else text.lstrip("+~") for one, text in parts]
        yield folder_name("-".join(words))


def folder_name(words: str) -> str:
    """The name of a folder right inside the sweep's: dots alone would name that one, or the one above."""
    name = _UNFIT.sub("_", words)[:LONGEST] or "job"
    return name if name.strip(".") else "_" * len(name)


def distinct(names: Iterable[str]) -> list[str]:
    """Names that differ also where capitals do not count; those that do not are numbered."""
    seen: Counter[str] = Counter()
    found: dict[str, str] = {}
    for name in names:
        unlike = name
        while unlike.lower() in found:
            seen[name.lower()] += 1
            unlike = f"{name}-{seen[name.lower()] + 1}"
        found[unlike.lower()] = unlike
    return [*found.values()]
