"""The page of a sweep from its rows and the folders of its jobs."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aistudio.files import no_link, write_whole
from aistudio.report import files, validation
from aistudio.report.files import LOG
from aistudio.report.html.difference import Difference, Job, settings_of
from aistudio.report.html.sweep_page import GROUPS, sweep_page
from aistudio.report.summary import Row

PAGE = "summary.html"
TAIL = 3000  # bytes of the end of a log
_LOGS = 5 * GROUPS  # jobs whose logs are looked at


def write_sweep_page(rows: Sequence[Row], folder: Path, against: Difference | None = None) -> Path:
    """Write ``summary.html`` into the folder, with the ends of the logs of jobs that did not pass."""
    failed = [row for row in rows if row.outcome != "passed"][:_LOGS]
    logs = {row.folder: tail(Path(row.folder) / LOG) for row in failed}
    write_whole(folder / PAGE, sweep_page(rows, folder, logs=logs, against=against))
    return folder / PAGE


def tail(path: Path) -> str:
    """The last lines of a log; nothing where there is none, or something else in its place."""
    with suppress(OSError, ValueError), open(path, "rb", opener=no_link) as file:
        size = os.fstat(file.fileno()).st_size
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.seek(max(0, size - TAIL))
            text = file.read(TAIL).decode(errors="backslashreplace")
            return text if size <= TAIL else f"…{text.partition(chr(10))[2]}"
    return ""


def jobs(rows: Sequence[Row]) -> list[Job]:
    """The rows with everything that their runs were told, as their reports say it."""
    return [Job(row, told(Path(row.folder) / files.REPORT)) for row in rows]


def told(path: Path) -> dict[str, str]:
    """What a run was told; nothing where there is no report."""
    with suppress(validation.Unreadable, ValueError):
        return settings_of(files.whole(path))
    return {}
