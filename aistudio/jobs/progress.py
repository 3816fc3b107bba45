"""What a sweep shows while its jobs run, wherever they run: a line for every job as soon as its report is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from aistudio.errors import first_line
from aistudio.report.files import REPORT
from aistudio.report.summary import Row, row
from aistudio.report.terminal import MARKS, Terminal, words
from aistudio.safety.outlet import said


class Progress:
    """Watches the reports of the jobs in a thread, within ``with``.

    It looks at files alone, so that it tells the same of jobs in this process, in others and on other machines.
    """

    def __init__(self, folders: Sequence[Path], terminal: Terminal):
        self.total, self.terminal = len(folders), terminal
        self.reports = {folder / REPORT: changed(folder / REPORT) for folder in folders}
        self.widest = max([*(min(len(folder.name), 40) for folder in folders), 10])
        self.pause = 0.2 + len(folders) * 1e-4  # seconds; a look at 10,000 files takes a tenth of one
        self.started = time.monotonic()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self) -> Progress:
        self.busy = self.terminal.busy()
        self.busy.__enter__()
        self.terminal.started(f"0 of {self.total} jobs done")
        self.thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.over.set()
        self.thread.join()
        self.look()
        self.busy.__exit__(None, None, None)

    def watch(self) -> None:
        """Look again and again until it is over."""
        while not self.over.wait(self.pause):
            self.look()

    def look(self) -> None:
        """Tell of the jobs that have ended since the last look."""
        for path in [path for path, before in self.reports.items() if changed(path) != before]:
            self.reports[path] = changed(path)
            if (ended := row(path)).outcome != "unfinished":
                del self.reports[path]
                self.tell(ended)

    def tell(self, ended: Row) -> None:
        """A line: how a job ended, how many have, and for how long the rest will take at this pace."""
        done = self.total - len(self.reports)
        left = (time.monotonic() - self.started) / done * len(self.reports)
        ahead = f"about {duration(left)} left" if self.reports else ""
        mark, style = MARKS.get(ended.outcome, MARKS["failed"])
        count = f"{done}/{self.total}".rjust(2 * len(str(self.total)) + 1)
        seconds = f"{ended.seconds:.1f} s" if ended.seconds is not None else ""
        name = said(Path(ended.folder).name)
        parts = ((count, "dim"), "  ", (mark, style), f"  {name:<{self.widest}}  ", (f"{seconds:>8}  {ahead}", "dim"))
        self.terminal.print(Text.assemble(*parts), wrap=False)
        if ended.outcome != "passed" and ended.reason:
            first = first_line(ended.reason)
            self.terminal.print(words(f"{' ' * (2 * len(str(self.total)) + 6)}{ended.outcome}: {first}"), wrap=False)
        self.terminal.started(f"{done} of {self.total} jobs done {ahead}")


def changed(path: Path) -> int:
    """When a file was last written, in nanoseconds; 0 where it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def duration(seconds: float) -> str:
    """Seconds for people: ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
