"""What there is to choose: every backbone with its figures, every task and architecture with what it takes.

With words, only the rows that hold all of them: aistudio catalog object_detection resnet
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from aistudio.cli.line import Parser
from aistudio.config import rules
from aistudio.config.groups import options
from aistudio.config.shipped import default_architecture, section
from aistudio.errors import PASSED, Problem, Refusal
from aistudio.report.terminal import Terminal

_FIGURES = ("parameters", "GMACs", "at px", "top-1 %")  # columns of numbers


@dataclass(frozen=True)
class Listing:
    """A group, and what its table says of every one: headings and rows."""

    group: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def main(arguments: Sequence[str]) -> int:
    """Print the catalog, or the part of it that some words name; the exit code."""
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser("aistudio catalog", description=__doc__, formatter_class=form)
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a name, a family, a task, an architecture")
    words = parser.parse_args(arguments).words
    found = [Listing(one.group, one.headings, [row for row in one.rows if holds(row, words)]) for one in _listings()]
    if not any(one.rows for one in found):
        what, why = f"nothing in the catalog holds {' and '.join(words)}", "words are parts of names"
        raise Refusal([Problem(what, why, "the command line", "aistudio catalog, which lists all")])
    terminal = Terminal()
    for one in found:
        if one.rows:
            terminal.print(table(one))
    terminal.print("Parameters, GMACs and ImageNet top-1 are torchvision's published figures of the full classifier.")
    return PASSED


def holds(row: Sequence[str], words: Sequence[str]) -> bool:
    """Whether a row of a table holds every word, in whatever capitals."""
    return all(any(word.lower() in cell.lower() for cell in row) for word in words)


def _listings() -> Iterator[Listing]:
    """All that the catalog says."""
    yield Listing("backbone", ("name", "family", *_FIGURES, "channels at strides 4, 8, 16, 32"), [*backbones()])
    yield Listing("task", ("name", "architecture by default", "backbones"), [*tasks()])
    yield Listing("architecture", ("name", "for", "backbones"), [*architectures()])


def backbones() -> Iterator[Sequence[str]]:
    """Every backbone, by family and size, with its published figures and the channels that it gives."""
    facts = [section("backbone", name) for name in options("backbone")]
    for one in sorted(facts, key=lambda fact: (fact["published"]["family"], fact["published"]["parameters"])):
        known = one["published"]
        figures = (f"{known['parameters'] / 1e6:.1f} M", f"{known['gmacs']:.2f}", str(known["gmacs_at"]))
        channels = ", ".join(str(count) for count in one["taps"].values())
        yield (one["name"], known["family"], *figures, f"{known['top1']:.1f}", channels)


def tasks() -> Iterator[Sequence[str]]:
    """Every task with the architecture that it brings and the backbones that it takes."""
    for name in options("task"):
        yield name, default_architecture(name), _backbones_in_words(section("task", name))


def architectures() -> Iterator[Sequence[str]]:
    """Every architecture with the tasks that it is for and the backbones that it takes."""
    for name in options("architecture"):
        facts = section("architecture", name)
        yield name, ", ".join(facts["tasks"]), _backbones_in_words(facts)


def _backbones_in_words(facts: Mapping[str, Any]) -> str:
    """The backbones that a task or an architecture takes."""
    allow = rules.allowed_backbones(facts)["allow"]
    return "any" if allow == "any" else ", ".join(allow)


def table(listing: Listing) -> Table:
    """A listing under the name of its group, as it is typed."""
    title = f"{listing.group}="
    drawn = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in listing.headings:
        drawn.add_column(heading, justify="right" if heading in _FIGURES else "left", overflow="fold")
    for row in listing.rows:
        drawn.add_row(*row)
    return drawn
