"""The combinations of a sweep, taken apart as Hydra's own sweeper does, so that all can be judged before the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from itertools import product
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from aistudio.search import available, user_folders


def combinations(overrides: Sequence[str], config_dir: str | Path | None = None) -> Iterator[tuple[str, ...]]:
    """Every combination that ``overrides`` spans, as overrides for one run each, in the order of the jobs."""
    folders = user_folders(overrides, config_dir)
    yield from product(*(alternatives(override, folders) for override in overrides))


def alternatives(override: str, folders: Sequence[Path]) -> list[str]:
    """The single-valued overrides that one spans: ``a=1,2`` gives two; ``range`` and ``glob`` are written out."""
    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException:  # composing says what is wrong with it
        return [override]
    if not parsed.is_sweep_override():
        return [override]
    if isinstance(parsed.value(), Glob):
        return [f"{parsed.key_or_group}={name}" for name in globbed(parsed, folders)]
    return [f"{parsed.get_key_element()}={value}" for value in parsed.sweep_string_iterator()]


def globbed(parsed: Override, folders: Sequence[Path]) -> list[str]:
    """The options of a group that a ``glob(…)`` names."""
    glob = parsed.value()
    names = available(parsed.key_or_group, folders)
    kept = [name for name in names if any(fnmatch(name, pattern) for pattern in glob.include)]
    return [name for name in kept if not any(fnmatch(name, pattern) for pattern in glob.exclude)]
