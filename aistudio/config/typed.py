"""Overrides as a person typed them: a path or the name of a file stands for itself, whatever signs it holds.

Hydra's grammar has signs of its own (``, ( = [ {``) and takes letters of ASCII alone; such a value is quoted for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

from aistudio.config.groups import GROUPS, available
from aistudio.config.key_problems import NOT_READ
from aistudio.config.overrides import NO_WORDS, key_of, quoted, user_folders, without_plus

PATHS = (
    *(f"data.{key}" for key in ("root", "annotations", "images", "masks")),
    *("weights_dir", "backbone.weights", "architecture.weights", "track.folder", "hydra.run.dir", "hydra.sweep.dir"),
)
SIGNS = ("/", "\\", ".")  # what tells a path from the name of a set of weights


def as_typed(overrides: Sequence[str], config_dir: str | Path | None = None, several: bool = False) -> list[str]:
    """The overrides with paths and names of files quoted where Hydra would read them otherwise.

    Where ``several`` values may be meant, ``a,b`` is one only if there is such a path.
    """
    lines = without_plus(overrides)
    odd = [one for one in lines if key_of(one) in GROUPS and not _is_plain(one)]
    folders = user_folders(lines, config_dir) if odd else []
    return [_as_one(one, folders, several) if one.partition("=")[2] else one for one in lines]


def _is_plain(override: str) -> bool:
    """Whether a value is a word of letters and digits."""
    value = override.partition("=")[2]
    return value.replace("-", "_").isidentifier() and value.isascii() and value.lower() not in NO_WORDS


def _as_one(override: str, folders: Sequence[Path], several: bool) -> str:
    """One override, quoted where its value is a path or a file's name that Hydra would read otherwise."""
    key, _, value = override.partition("=")
    name = key_of(override)
    taken = value.startswith(("'", '"')) or "${" in value or value == "null" or _is_plain(override)
    if taken or (name not in PATHS and name not in GROUPS):
        return override
    meant, sweeps = read(override)
    if meant == value:
        return override
    if name in GROUPS:
        is_one = value in available(name, folders)
    else:
        is_one = os.path.exists(os.path.expanduser(value)) if several and sweeps else is_path(name, value)
    return f"{key}={quoted(value)}" if is_one else override


def is_path(name: str, value: str) -> bool:
    """Whether the value of a key is a path; of weights it may be a name, too."""
    return not name.endswith(".weights") or any(sign in value for sign in SIGNS)


def read(override: str) -> tuple[object, bool]:
    """The value that Hydra reads, None where it reads none; and whether it is several."""
    try:
        parsed = OverridesParser.create().parse_override(override)
    except NOT_READ:
        return None, False
    value = parsed.value()
    return (value.text if isinstance(value, QuotedString) else value), parsed.is_sweep_override()
