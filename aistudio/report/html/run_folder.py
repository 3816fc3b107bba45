"""The page of a run from its folder alone: ``report.json``, and the images beside it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from aistudio.files import write_whole
from aistudio.report import files, validation
from aistudio.report.html.images import embedded
from aistudio.report.html.pages import fragment
from aistudio.report.html.run_page import run_page, shown
from aistudio.report.receipt import receipt
from aistudio.report.records import SanityReport
from aistudio.safety.outlet import as_yaml, data


def write_page(folder: Path) -> Path:
    """Write ``report.html`` beside ``report.json``; the same files give the same bytes.

    Raises:
        Unreadable: where there is no report.
        OSError: where the page cannot be written.
    """
    report = files.whole(folder / files.REPORT)
    write_whole(folder / files.PAGE, run_page(report, *embedded(drawings_in(folder))))
    return folder / files.PAGE


def drawings_in(folder: Path) -> Path:
    """Where a run has left its drawings; ``pictures`` in one of before the folder had its name."""
    before = folder / "pictures"
    return before if before.is_dir() and not (folder / files.DRAWINGS).exists() else folder / files.DRAWINGS


def save(report: SanityReport, folder: Path) -> Path:
    """Leave a report as a run does, but for the overrides of its receipt, which only a command line has."""
    folder.mkdir(parents=True, exist_ok=True)
    report = replace(report, config=data(dict(report.config)))
    write_whole(folder / "config.yaml", as_yaml(report.config))
    known = receipt(report.config, ())
    files.write(folder / files.REPORT, report, {key: value for key, value in known.items() if key != "overrides"})
    write_page(folder)
    return folder


def in_notebook(report: SanityReport) -> str:
    """The report as a piece of a page: the verdict, a row a check, a row a figure."""
    return fragment("notebook.html.j2", **shown(files.as_dict(report)))


def leave_page(folder: Path) -> None:
    """Write the page where that is possible; the report says all that it would."""
    with suppress(OSError, validation.Unreadable):
        write_page(folder)
