"""The page of a run from its folder alone: ``report.json``, and the images beside it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from aistudio.files import write_whole
from aistudio.report import files, validation
from aistudio.report.html.images import embedded
from aistudio.report.html.run_page import run_page

PAGE = "report.html"


def write_page(folder: Path) -> Path:
    """Write ``report.html`` beside ``report.json``; the same files give the same bytes.

    Raises:
        Unreadable: where there is no report.
        OSError: where the page cannot be written.
    """
    report = files.whole(folder / files.REPORT)
    write_whole(folder / PAGE, run_page(report, *embedded(folder / "drawings")))
    return folder / PAGE


def leave_page(folder: Path) -> None:
    """Write the page where that is possible; the report says all that it would."""
    with suppress(OSError, validation.Unreadable):
        write_page(folder)
