"""Reading what a ``report.json`` may hold: anything may be missing, of another type, infinite or not a number."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from aistudio.report.figures_in_words import quantity


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return list(value) if isinstance(value, list | tuple) else []


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Those entries of a list that are mappings."""
    return [one for one in items(value) if isinstance(one, Mapping)]


def text(value: Any) -> str:
    """A value in a cell: words as they are, containers as JSON, nothing as nothing."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a number that can be drawn."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def number(value: Any, unit: Any = "") -> str:
    """A number for people, whatever it is."""
    unit = unit if isinstance(unit, str) else ""
    if is_number(value):
        whole = isinstance(value, int) and not unit and abs(value) < 10_000
        return str(value) if whole else quantity(value, unit)
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return "not known" if value is None else "a number beyond 1e308" if isinstance(value, int) else text(value)


def metrics(value: Any) -> str:
    """The task's metrics before and after a training, in words."""
    pairs = {name: items(pair) for name, pair in mapping(value).items()}
    told = [
        f"{text(name)} {number(pair[0])} before, {number(pair[1])} after"
        for name, pair in pairs.items()
        if len(pair) == 2
    ]
    return "; ".join(told)


def written(value: Any) -> str:
    """A value of a configuration as YAML would say it on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys of a configuration and their values; lists, and mappings without keys, are values."""
    if isinstance(tree, Mapping) and (tree or not path):
        for key, value in tree.items():
            yield from flat(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, tree


def named(config: Mapping[str, Any], group: str) -> str:
    """The name of what a group chose."""
    return text(mapping(config.get(group)).get("name"))


def counted(values: Sequence[str]) -> dict[str, int]:
    """How often each value is there, in the order of their first."""
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found
