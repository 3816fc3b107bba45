"""What a person reads of a run in the terminal. No torch."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from aistudio.report.figures_in_words import in_a_sentence, quantity, remark
from aistudio.report.listeners import Listener
from aistudio.report.records import CheckResult, Measurement, SanityReport
from aistudio.safety.encoding import let_go
from aistudio.safety.outlet import drawn_on, said

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "skipped": ("–", "dim")}
_NAMES = (24, 32)  # letters that the names of checks have room for
_NARROW = 30  # columns, below which what a check has seen stands in the next line
NO_WIDTH = 10_000  # columns where output is no terminal: a line is as long as what it says


class Terminal(Listener):
    """Prints a run as it goes: what was assembled, a line a check, the measurements, the verdict."""

    def __init__(self, console: Console | None = None):
        file = drawn_on(sys.stdout)
        self.console = console or Console(file=file, highlight=False, markup=False)
        self.status: Status | None = None
        self.steps: Mapping[str, str] = {}
        self.told: set[str] = set()
        if console is None and not self.console.is_terminal:
            self.console = Console(file=file, highlight=False, markup=False, width=NO_WIDTH)

    @property
    def width(self) -> int:
        """The columns that there are."""
        return self.console.width

    def print(self, *renderables: RenderableType, wrap: bool = True, width: int | None = None) -> None:
        """Print; where output is no terminal, without the spaces that fill a table's lines.

        Without ``wrap`` a line stays whole however long it is: paths, and what is searched for in logs. ``width`` is
        what a table needs, also where the terminal is narrower.
        """
        console = self.console if not width or width <= self.width else self._as_wide_as(width)
        try:
            if console.is_terminal:
                console.print(*renderables, soft_wrap=not wrap)
                return
            with console.capture() as captured:
                console.print(*renderables, soft_wrap=not wrap)
            lines = captured.get().splitlines()
            console.file.write("".join(f"{line.rstrip()}\n" for line in lines))
            console.file.flush()
        except OSError:  # `| head`, a full disk, a terminal that was closed: the reports are what counts
            let_go(console.file)

    def _as_wide_as(self, width: int) -> Console:
        """The same console, drawn on as if it were so wide; the terminal itself breaks the lines."""
        own = self.console
        drawn: dict[str, Any] = {"force_terminal": own.is_terminal, "color_system": own.color_system}
        return Console(file=own.file, width=width, highlight=False, markup=False, **drawn)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Within it ``started`` shows what goes on, on a terminal only; lines may be printed meanwhile."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status("") as self.status:
            yield
        self.status = None

    def plan(self, steps: Mapping[str, str]) -> None:
        """What a run will do, by the names that ``started`` is told, with a remark on each where there is one."""
        self.steps = steps

    def started(self, name: str) -> None:
        """Show the name of what begins now and how many there are, until the next or the end of ``busy``."""
        if self.status:
            self.status.update(words(self.step(name), "dim"))

    def step(self, name: str) -> str:
        """A step in words: ``3/21 input range``."""
        at = f"{[*self.steps].index(name) + 1}/{len(self.steps)} " if name in self.steps else ""
        return f"{at}{name.replace('_', ' ')}{self.steps.get(name, '')}"

    def head(self, task: str, backbone: str, architecture: str) -> None:
        """The first line, before anything slow: what is about to be checked."""
        self.print(Text.assemble(("aistudio", "bold"), words(f"  {task} · {backbone} · {architecture}")))

    def sweep(self, jobs: int, kept: int, refused: int, folder: Path) -> None:
        """The first line of a sweep: how many jobs there are, and how many of them need not run."""
        others = "".join(
            f", {count} {word}" for count, word in ((kept, "passed before"), (refused, "refused")) if count
        )
        self.print(
            Text.assemble(("aistudio", "bold"), words(f"  sweep of {jobs} job{'s' * (jobs != 1)}{others} · {folder}")),
            wrap=False,
        )

    def assembled(self, facts: Mapping[str, str]) -> None:
        """Names and what they are, in two columns."""
        table = grid()
        for name, text in facts.items():
            table.add_row(words(name, "dim"), words(text))
        self.print(Padding(table, (0, 0, 1, 2), expand=False))

    def checked(self, result: CheckResult) -> None:
        """One line for a check; where it failed, also what was seen and expected and the likely cause."""
        mark, style = MARKS[result.status]
        seen = said(result.cause if result.status == "skipped" else result.seen)
        longest = max((len(name) for name in self.steps), default=0)
        name = f"  {said(result.name):<{min(max(longest, _NAMES[0]), _NAMES[1])}}  "
        seconds = f"{f'{result.seconds:.2f} s':>8}  "
        head = 3 + len(name) + len(seconds)
        beside = self.width - head >= _NARROW
        lines = wrapped(seen, self.width - (head if beside else 6))
        first, more = (lines[0], lines[1:]) if beside else ("", lines)
        shade = "" if result.status == "failed" else "dim"
        self.print(Text.assemble("  ", words(mark, style), name, (seconds, "dim"), (first, shade)), wrap=False)
        for one in more:
            self.print(words(f"{' ' * (head if beside else 6)}{one}", shade), wrap=False)
        if result.status == "failed":
            parts = (("expected", result.expected), ("cause", result.cause), ("why", result.why))
            table = grid()
            for name, text in parts:
                if text:
                    table.add_row(words(name, "dim"), words(text))
            self.print(Padding(table, (0, 0, 0, 6), expand=False))

    def measured(self, measurements: Sequence[Measurement]) -> None:
        """A table of numbers; their definitions are in ``report.json``."""
        self.print()
        shown = [one for one in measurements if one.name != "time_to_verdict"]  # the last line says it
        rows = [
            (said(one.name.replace("_", " ")), said(quantity(one.value, one.unit)), said(remark(one))) for one in shown
        ]
        names, values = (max((len(row[place]) for row in rows), default=0) for place in (0, 1))
        for name, value, note in rows:
            line = Text.assemble("  ", (f"{name:<{names}}", "dim"), f"  {value:>{values}}")
            fits = line.cell_len + 2 + len(note) <= self.width
            self.print(line + words(f"  {note}", "dim") if fits else line, wrap=False)
            if not fits:
                self.print(Padding(words(note, "dim"), (0, 0, 0, 6), expand=False))

    def warned(self, warnings: Sequence[str]) -> None:
        """What is to be known before anything below is read."""
        self._warn(warnings)
        if warnings:
            self.print()

    def _warn(self, warnings: Sequence[str]) -> None:
        """Print warnings, each once in a run."""
        for warning in (one for one in warnings if one not in self.told):
            self.told.add(warning)
            self.print(Text.assemble(("warning  ", "yellow"), words(warning)))

    def ended(self, report: SanityReport) -> None:
        """The warnings that came up meanwhile, the verdict, and one sentence."""
        self.print()
        self._warn(report.warnings)
        counts = {status: sum(check.status == status for check in report.checks) for status in MARKS}
        ended = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        style = "bold green" if report.ok else "bold red"
        self.print(
            Text.assemble(
                (report.verdict.upper(), style),
                f"  {ended or 'nothing was checked'}; {report.seconds:.1f} s to the verdict",
            )
        )
        if said_of := in_a_sentence(report):
            self.print(words(said_of))

    def files(self, paths: Iterable[Path]) -> None:
        """Where the files of a run are."""
        for path in paths:
            self.print(words(f"  {path}", "dim"), wrap=False)


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines that are broken at blanks alone; an empty one has a line, too."""
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]


def words(text: object, style: str = "", justify: JustifyMethod | None = None) -> Text:
    """A text that is drawn as it is: nothing in it is markup, or obeyed by a terminal."""
    return Text(said(text), style, justify=justify)


def grid() -> Table:
    """A table without lines."""
    return Table.grid(padding=(0, 2))
