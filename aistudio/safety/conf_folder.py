"""Where the shipped configuration lies, and the words that it holds. Standard library only."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

OURS = "passed failed skipped refused broke interrupted unfinished unreadable none null true false"


def conf_folder() -> Path:
    """The folder with the shipped configuration: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


@cache
def words() -> frozenset[str]:
    """Everything that is a word in shipped files or in the verdicts of a report, in small letters: known to all."""
    found = set(OURS.split())
    for path in conf_folder().rglob("*.yaml"):
        text = path.read_text(encoding="utf-8").lower()
        found.update(path.stem.lower().split(), re.findall(r"\w+", text), re.findall(r"\w+(?:\.\w+)+", text))
    return frozenset(found)
