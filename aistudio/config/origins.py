"""Who set what in a configuration: the command line, or which file, shipped or the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aistudio.config.groups import GROUPS
from aistudio.config.hydra import files_in_order
from aistudio.config.overrides import COMMAND_LINE, key_of
from aistudio.config.plain import leaves
from aistudio.errors import Problem
from aistudio.files import shown


def origins(config: Mapping[str, Any], overrides: Sequence[str], folders: Sequence[Path]) -> dict[str, str]:
    """Of keys of a resolved configuration, who set them and all that is below them.

    What comes by way of ``${…}`` is set by the file that says so.
    """
    setters: dict[str, str] = {}
    for folder, name, package, content in files_in_order(overrides, folders):
        for key, _ in leaves(content):
            setters[".".join(filter(None, (package, key)))] = called(folder, name, folders)
    for override in overrides:
        if key_of(override) not in GROUPS:
            setters[key_of(override).split("@")[0]] = COMMAND_LINE
    found = {key: nearest(key, setters) for key, _ in leaves(config)}
    return joined(config, found)


def track_problems(overrides: Sequence[str], folders: Sequence[Path]) -> Iterator[Problem]:
    """Files that say to which tracker runs are sent, or change what the file of the chosen one says.

    It is for the person at the keyboard to say where results and images go.
    """
    for folder, name, package, content in files_in_order(overrides, folders):
        said = package == "track" or package.startswith("track.") or "track" in (content if not package else ())
        if said and (name.split("/")[0] != "track" or "track" not in map(key_of, overrides)):
            what, why = "a file says where runs are sent", "results and images go where the command line says, only"
            where = called(folder, name, folders)
            yield Problem(what, why, where, "track=NAME and track.KEY=VALUE on the command line")


def nearest(key: str, setters: Mapping[str, str]) -> str:
    """Who set a key, or the nearest above it."""
    while key not in setters and "." in key:
        key = key.rpartition(".")[0]
    return setters.get(key, "")


def joined(node: Any, found: Mapping[str, str], path: str = "") -> dict[str, str]:
    """The same said once for a section of which all was set by one."""
    below = {setter for key, setter in found.items() if not path or key == path or key.startswith(f"{path}.")}
    if path and len(below) == 1:
        return {path: below.pop()}
    result: dict[str, str] = {}
    for key, value in node.items() if isinstance(node, Mapping) else ():
        result |= joined(value, found, f"{path}.{key}" if path else str(key))
    return result


def called(folder: Path, name: str, folders: Sequence[Path]) -> str:
    """A file of a group as people name it."""
    return str(shown(folder / f"{name}.yaml")) if folder in folders else f"conf/{name}.yaml"
