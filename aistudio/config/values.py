"""The words to speak of single values, and how they are looked up: pure functions, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

Config = Mapping[str, Any]

MISSING = "???"


def lookup(config: Config, key: str) -> tuple[bool, Any]:
    """Whether a dotted key is there, and its value."""
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False, None
        node = node[part]
    return True, node


def is_a(value: Any, kind: type) -> bool:
    """Whether a value from YAML has a type; ``true`` is no number, a whole number is a number, NaN is none."""
    if isinstance(value, bool):
        return kind is bool
    if kind in (bool, str):
        return isinstance(value, kind)
    return isinstance(value, (int, kind)) and value == value


def suggest(word: str, choices: Iterable[str]) -> str:
    """The nearest choice first (``"resnet50 (nearest), resnet101, …"``), then all the others."""
    choices = list(choices)
    near = get_close_matches(str(word), choices, n=1, cutoff=0.5)
    return ", ".join([*(f"{name} (nearest)" for name in near), *(name for name in choices if name not in near)])


def show(value: Any) -> str:
    """A value as it would be written on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
