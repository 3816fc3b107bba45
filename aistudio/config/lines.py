"""The line of a YAML file that a problem is about."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from aistudio.errors import Problem


def line_of(file: Path, problem: Problem) -> int:
    """The line, from 1, of the key that a problem is about; 1 where the file does not have it."""
    try:
        tree = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        return mark.line + 1 if mark else 1
    lines = dict(keys(tree))
    for text in (problem.where, problem.what):
        for word in re.findall(r"[\w./]+", text):
            found = lines.get(word.strip("./")) or lines.get(f"defaults/{word.partition('/')[0]}")
            if found:
                return found
    return 1


def keys(node: yaml.Node | None, path: str = "") -> list[tuple[str, int]]:
    """The dotted keys of a YAML tree with their lines; ``override /task`` of a defaults list as ``defaults/task``."""
    found: list[tuple[str, int]] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{path}.{key.value}" if path else str(key.value)
            found.append((name, key.start_mark.line + 1))
            if name == "defaults" and isinstance(value, yaml.SequenceNode):
                found += [pair for entry in value.value for pair in choices(entry)]
            else:
                found += keys(value, name)
    return found


def choices(entry: yaml.Node) -> list[tuple[str, int]]:
    """The groups that an entry of a defaults list chooses from."""
    pairs = entry.value if isinstance(entry, yaml.MappingNode) else []
    names = ((str(key.value).split()[-1].strip("/"), key) for key, _ in pairs)
    return [(f"defaults/{name}", key.start_mark.line + 1) for name, key in names]
