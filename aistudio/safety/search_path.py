"""Where Python looks for code: in its own environment, and in the current folder only for what the person trusts.

A folder that a stranger filled may hold a ``selectors.py`` or a ``joblib``; neither this process nor one that it
starts imports it. Standard library only, and no more of it than is loaded already: this is imported first of all.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

_SAFE = "PYTHONSAFEPATH"  # Python from 3.11 on leaves the current folder out of the path of what starts with it


def leave_out_the_current_folder() -> None:
    """Take back what ``python -m aistudio`` has put first on the path; nothing where another program imports us."""
    if sys.argv[:1] != ["-m"] or getattr(sys.flags, "safe_path", False):  # runpy sets argv[0] once it has found us
        return
    module = sys.orig_argv[-len(sys.argv)].partition(".")[0]
    if module == "aistudio" or (module.startswith("-") and module.endswith("maistudio")):
        sys.path[:1] = []


class SafeChildren:
    """Within it, what this process starts imports nothing from the current folder; the environment is put back."""

    def __enter__(self) -> None:
        self.before = os.environ.get(_SAFE)
        os.environ[_SAFE] = "1"

    def __exit__(self, *raised: object) -> None:
        os.environ.pop(_SAFE)
        if self.before is not None:
            os.environ[_SAFE] = self.before


def reach(packages: frozenset[str]) -> None:
    """Look in the current folder, last of all, where one of these trusted packages lies there and nowhere else."""
    here = os.getcwd()
    if any(found(name, None) is None and found(name, [here]) for name in packages) and here not in sys.path:
        sys.path.append(here)


def found(package: str, path: list[str] | None) -> object:
    """Where a top-level package is, without importing it; None where it is not."""
    return PathFinder.find_spec(package, path) if package.isidentifier() else None
