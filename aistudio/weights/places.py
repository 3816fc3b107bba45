"""Where files of published weights are looked for: a mirror (``weights_dir``), then torch's cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from aistudio.errors import Problem
from aistudio.weights.published import Published

_WITHIN = (Path("hub/checkpoints"), Path("checkpoints"), Path())


def torch_cache() -> Path:
    """The folder that torch downloads weights to; torch itself need not be there."""
    home = os.environ.get("TORCH_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def folders(weights_dir: str | None, cache: Path | None = None) -> Iterator[Path]:
    """The folders to look in, in this order; the first is where downloads go."""
    if weights_dir:
        mirror = Path(weights_dir).expanduser()
        there = [mirror / within for within in _WITHIN if (mirror / within).is_dir()]
        ours = [folder for folder in there if any(folder.glob("*.pth"))]
        yield from dict.fromkeys([*ours, mirror / _WITHIN[0], *there])
    yield cache or torch_cache()


def find(weights: Published, weights_dir: str | None, cache: Path | None = None) -> Path | None:
    """The file of published weights on this machine, or None."""
    places = (folder / weights.file for folder in folders(weights_dir, cache))
    return next((place for place in places if place.is_file()), None)


def absent(key: str, weights: Published, weights_dir: str | None, why: str, cache: Path | None = None) -> Problem:
    """The answer where published weights are not on this machine and cannot be had."""
    places = [*folders(weights_dir, cache)]
    searched = " and ".join(str(place) for place in places)
    what = f"{key}={weights.name} is not on this machine: {weights.file} ({weights.megabytes:.1f} MB)"
    get = f"python -m aistudio fetch on a machine with a network, then copy {weights.file} to {places[0]}"
    return Problem(what, f"{why}; looked for in {searched}", key, f"{get}; or {key}=null (random numbers)")
