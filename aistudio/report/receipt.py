"""What is needed to believe a run and to repeat it: what was asked for, by which code, from which weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aistudio.report.git import git

NO_SETTINGS = ("sweep", "track")  # sections that do not change what a run does


def receipt(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The receipt of a run from the current folder.

    Args:
        config: the resolved configuration as plain containers.
        overrides: what the command line said; ``config`` already holds it.

    Returns:
        ``config_sha256`` (of the sorted keys as JSON, ``sweep`` and ``track`` left out, which change nothing in a run),
        ``overrides``, and ``git``: the commit of the repository around the current folder and whether files that it
        knows had changed; None outside of one (see ``git.py``).
    """
    return {"config_sha256": digest(config), "overrides": [*overrides], "git": git(Path.cwd())}


def digest(config: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration, the same for the same settings in any order."""
    settings = {key: value for key, value in config.items() if key not in NO_SETTINGS}
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
