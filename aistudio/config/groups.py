"""The groups of ``conf/`` and their files, read as plain data without composing them.

Interpolations stay as written and ``override`` entries are passed over, but a file that builds on another of its group
(``defaults: [quick]``) holds what that one says, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader

from aistudio.config.plain import as_dict
from aistudio.safety.conf_folder import conf_folder

GROUPS = ("runtime", "data", "sanity", "backbone", "architecture", "task", "gpu", "track", "experiment")
OPTIONAL = ("gpu", "track", "experiment")  # where null is a choice
Tree = dict[str, Any]


def options(group: str, folder: Path | None = None) -> list[str]:
    """Names of the files of a group, sorted; of the shipped configuration or of a user's folder."""
    return sorted(path.stem for path in ((folder or conf_folder()) / group).glob("*.yaml"))


@cache
def tree(group: str, option: str, folder: Path | None = None) -> Tree:
    """What a file of a group adds to the configuration, as a tree from the top (``{"backbone": {"name": …}}``).

    ``option="config"`` with ``group=""`` is the primary file. A user's file may build on a shipped one. Unresolved;
    treat as read-only, for it is cached. What is in neither folder is empty.
    """
    places = [place / group / f"{option}.yaml" for place in (folder, conf_folder()) if place]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    own = _read(path)
    defaults = own.pop("defaults", [])
    if not group or "@package _global_" in path.read_text(encoding="utf-8").split("\n\n")[0]:
        result: Tree = {}
    else:
        result, own = {}, {group: own}
    for parent in parents(defaults):
        result = merged(result, tree(group, parent, folder))
    return merged(result, own)


def _read(path: Path) -> Tree:
    """What a file says; of those that ship, whose keys are known to differ, by the parser in C, a tenth of the time."""
    if conf_folder() not in path.parents:
        return as_dict(OmegaConf.load(path))
    return yaml.load(path.read_text(encoding="utf-8"), quick_loader()) or {}


@cache
def quick_loader() -> Any:
    """PyYAML's parser in C, where it was built with it, that takes numbers for what OmegaConf takes them for."""
    theirs = get_yaml_loader()
    resolvers = {"yaml_implicit_resolvers": theirs.yaml_implicit_resolvers}
    return type("Loader", (yaml.CSafeLoader,), resolvers) if hasattr(yaml, "CSafeLoader") else theirs


def parents(defaults: Sequence[Any]) -> list[str]:
    """The files of its own group that a defaults list builds on."""
    return [entry.split("@")[0] for entry in defaults if isinstance(entry, str) and entry != "_self_"]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """Two trees in one: mappings are joined, anything else of ``over`` replaces what ``base`` has."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def available(group: str, folders: Sequence[Path]) -> list[str]:
    """All options of a group, the shipped ones and the user's."""
    return sorted({name for folder in (None, *folders) for name in options(group, folder)})
