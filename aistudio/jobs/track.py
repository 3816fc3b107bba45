"""Runs that are over are given to the tracker that the command line named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from aistudio.config.plain import as_dict
from aistudio.report.files import REPORT, whole
from aistudio.report.terminal import Terminal, words
from aistudio.report.validation import Unreadable

if TYPE_CHECKING:
    from aistudio.report.track.entry import Entry


def track(folders: Sequence[Path], settings: Mapping[str, Any] | None, terminal: Terminal, group: str = "") -> None:
    """Give the runs in some folders to the configured tracker, if there is one; a warning where it does not take one.

    ``group`` is the name of the sweep that they belong to.
    """
    if settings:
        from aistudio.report.track.record import record  # a refusal needs no tracker

        known = as_dict(OmegaConf.create(dict(settings)), resolve=True)
        if warning := record(entries(folders, group), known):
            terminal.print(words(f"warning  {warning}", "yellow"), wrap=False)


def entries(folders: Sequence[Path], group: str) -> Iterator[Entry]:
    """What a tracker is told of runs that have left a report."""
    from aistudio.report.track.entry import entry

    for folder in folders:
        with suppress(Unreadable):
            yield entry(whole(folder / REPORT), folder, group)
