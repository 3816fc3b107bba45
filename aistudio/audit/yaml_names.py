"""YOLO's ``data.yaml``: where each split lies, and the names of the classes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from posixpath import dirname, normpath
from typing import Any

from aistudio.audit.options import Options, refuse
from aistudio.audit.records import Labels, Place
from aistudio.audit.tree import Tree, nearest, read_text


@dataclass
class DataYaml:
    """``splits`` maps train, val and test to folders or lists of images, below the root."""

    file: str = ""
    names: list[str] = field(default_factory=list)
    splits: dict[str, list[str]] = field(default_factory=dict)


def read_data_yaml(tree: Tree, options: Options, labels: Labels) -> DataYaml:
    """The file that is named, or ``data.yaml``, or the only YAML file in the root; nothing where there is none."""
    top = [name for name in tree.files if "/" not in name and name.lower().endswith((".yaml", ".yml"))]
    stated = options.annotations
    if stated is not None and stated not in tree.names:
        refuse(f"data.annotations={stated} is not there", "", "data.annotations", nearest(str(stated), top))
    usual = [name for name in top if name.lower() in ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")]
    file = stated or next(iter(usual or top), "")
    if not file:
        return DataYaml(names=names_in_text(tree))
    content = parse(tree, file)
    found = DataYaml(file, _read_names(content, file, labels))
    for split in ("train", "val", "test"):
        entry = content.get(split)
        if entry:
            found.splits[split] = _find_split(tree, content, entry, Place(file, line_of(tree, file, split)), labels)
    return found


def parse(tree: Tree, file: str) -> dict[str, Any]:
    """A mapping, or a refusal."""
    import yaml

    try:
        content = yaml.safe_load(read_text(tree, file))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        refuse(f"{where} is no YAML", str(getattr(error, "problem", error)), "data.annotations", "names: [cat, dog]")
    if not isinstance(content, dict):
        refuse(
            f"{file} is no data.yaml", f"it holds a {type(content).__name__}", "data.annotations", "names: [cat, dog]"
        )
    return content


def _read_names(content: dict[str, Any], file: str, labels: Labels) -> list[str]:
    """The names in the order of their numbers."""
    names, count, place = content.get("names"), content.get("nc"), Place(file)
    if isinstance(names, dict):
        numbers = [number for number in names if isinstance(number, int) and 0 <= number < 100_000]
        missing = sorted(set(range(len(names))) - set(numbers))
        if missing:
            labels.blame("class_count", place, f"names jumps over {', '.join(map(str, missing))}")
        names = [names.get(number, f"class {number}") for number in range(max(numbers, default=-1) + 1)]
    if isinstance(names, str):
        labels.blame("class_count", place, f"names is one text, {names[:60]!r}, and should be a list")
        names = [name.strip() for name in names.split(",")]
    names = [str(name) for name in names] if isinstance(names, list) else []
    if isinstance(count, int) and names and count != len(names):
        labels.blame("class_count", place, f"nc is {count}, and there are {len(names)} names")
    if isinstance(count, int) and not names:
        names = [str(number) for number in range(min(count, 100_000))]
    return names


def names_in_text(tree: Tree) -> list[str]:
    """A name a line in ``classes.txt``."""
    for file in ("classes.txt", "obj.names", "labels/classes.txt", "classes.names"):
        if file in tree.names:
            return [line.strip() for line in read_text(tree, file).splitlines() if line.strip()]
    return []


def _find_split(tree: Tree, content: dict, entry: Any, place: Place, labels: Labels) -> list[str]:
    """The folders or lists that a split names, as names below the root."""
    found = []
    for one in entry if isinstance(entry, list) else [entry]:
        base = str(content.get("path") or "")
        candidates = [below(tree, f"{base}/{one}" if base else str(one)), below(tree, str(one).lstrip("./"))]
        candidates.append(normpath(f"{dirname(place.file)}/{one}").lstrip("./"))
        known = [name for name in candidates if name is not None and (tree.has_folder(name) or name in tree.names)]
        if known:
            found.append(known[0])
        else:
            labels.blame("missing_split", place, f"{one} is not below the root")
    return found


def below(tree: Tree, written: str) -> str | None:
    """A path as a name below the root, whether it is absolute or starts there."""
    root = os.fspath(tree.root.resolve())
    plain = normpath(written.replace("\\", "/"))
    if plain.startswith("/"):
        return plain[len(root) + 1 :] if plain.startswith(f"{root}/") else "" if plain == root else None
    return "" if plain == "." else None if plain.startswith("..") else plain


def line_of(tree: Tree, file: str, key: str) -> int | None:
    """The line on which a key stands."""
    lines = read_text(tree, file).splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{key}:")), None)
