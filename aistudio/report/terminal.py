"""What a person reads of a run in the terminal. No torch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from aistudio.report.records import CheckResult, Listener, Measurement, SanityReport
from aistudio.safety.encoding import let_go
from aistudio.safety.outlet import drawn_on, said

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "skipped": ("–", "dim")}
PLAIN_WIDTH = 110  # columns where output is no terminal: files and logs are not to depend on the window
SI = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Terminal(Listener):
    """Prints a run as it goes: what was assembled, a line a check, the measurements, the verdict."""

    def __init__(self, console: Console | None = None):
        file = drawn_on(sys.stdout)
        self.console = console or Console(file=file, highlight=False, markup=False)
        self.status: Status | None = None
        if console is None and not self.console.is_terminal:
            self.console = Console(file=file, highlight=False, markup=False, width=PLAIN_WIDTH)

    def print(self, *renderables: RenderableType, wrap: bool = True) -> None:
        """Print; where output is no terminal, without the spaces that fill a table's lines.

        Without ``wrap`` a line stays whole however long it is: paths, and what is searched for in logs.
        """
        try:
            if self.console.is_terminal:
                self.console.print(*renderables, soft_wrap=not wrap)
                return
            with self.console.capture() as captured:
                self.console.print(*renderables, soft_wrap=not wrap)
            lines = captured.get().splitlines()
            self.console.file.write("".join(f"{line.rstrip()}\n" for line in lines))
            self.console.file.flush()
        except OSError:  # `| head`, a full disk, a terminal that was closed: the reports are what counts
            let_go(self.console.file)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Within it ``started`` shows what goes on, on a terminal only; lines may be printed meanwhile."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status("") as self.status:
            yield
        self.status = None

    def started(self, name: str) -> None:
        """Show the name of what begins now, until the next or the end of ``busy``."""
        if self.status:
            self.status.update(words(name.replace("_", " "), "dim"))

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
        seen = result.cause if result.status == "skipped" else result.seen
        row = grid()
        row.add_column()
        row.add_column(min_width=24)
        row.add_column(min_width=8, justify="right")
        row.add_column(overflow="fold")
        row.add_row(
            words(mark, style),
            words(result.name),
            words(f"{result.seconds:.2f} s", "dim"),
            words(seen, "" if result.status == "failed" else "dim"),
        )
        self.print(Padding(row, (0, 0, 0, 2), expand=False))
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
        table = grid()
        for one in measurements:
            if one.name == "time_to_verdict":  # the last line says it
                continue
            spread = (
                f"{quantity(one.low, one.unit)} … {quantity(one.high, one.unit)}"
                if one.low is not None and one.high is not None
                else ""
            )
            table.add_row(
                words(one.name.replace("_", " "), "dim"),
                words(quantity(one.value, one.unit), justify="right"),
                words(spread, "dim"),
            )
        self.print(Padding(table, (0, 0, 0, 2), expand=False))

    def ended(self, report: SanityReport) -> None:
        """Warnings and the verdict."""
        self.print()
        for warning in report.warnings:
            self.print(Text.assemble(("warning  ", "yellow"), words(warning)))
        counts = {status: sum(check.status == status for check in report.checks) for status in MARKS}
        ended = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        style = "bold green" if report.ok else "bold red"
        self.print(
            Text.assemble(
                (report.verdict.upper(), style),
                f"  {ended or 'nothing was checked'}; {report.seconds:.1f} s to the verdict",
            )
        )

    def files(self, paths: Iterable[Path]) -> None:
        """Where the files of a run are."""
        for path in paths:
            self.print(words(f"  {path}", "dim"), wrap=False)


def words(text: object, style: str = "", justify: JustifyMethod | None = None) -> Text:
    """A text that is drawn as it is: nothing in it is markup, or obeyed by a terminal."""
    return Text(said(text), style, justify=justify)


def grid() -> Table:
    """A table without lines."""
    return Table.grid(padding=(0, 2))


def quantity(value: float | int | None, unit: str) -> str:
    """A number with its unit for people: ``11.7 M``, ``1.81 GMACs``, ``35.2 ms``, ``1.2 GiB``."""
    if value is None:
        return "not known"
    if unit == "s":
        return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "bytes":
        return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.1f} MiB"
    for factor, letter in SI:
        if abs(value) >= factor:
            return f"{value / factor:.2f} {letter}{unit}".rstrip()
    return f"{value:.4g} {unit}".rstrip()
