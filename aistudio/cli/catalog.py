"""What there is to choose: the files of ``conf/``, read as plain data; ``python -m aistudio.cli.catalog`` prints them.

Reading a file here does not compose it: interpolations stay as written and ``override`` entries are passed over, but
a file that builds on another of its group (``defaults: [quick]``) holds what that one says, too.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aistudio.config import rules
from aistudio.config.groups import options
from aistudio.config.shipped import default_architecture, section

if TYPE_CHECKING:
    from rich.table import Table


def main() -> int:
    """Print the catalog: backbones with their facts, tasks and architectures with what they take."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    for table in (backbone_table(), task_table(), architecture_table()):
        console.print(table)
    console.print("Parameters, GMACs and ImageNet top-1 are torchvision's published figures of the full classifier.")
    return 0


def backbone_table() -> Table:
    """Every backbone, by family and size, with its published figures and the channels that it gives."""
    columns = ("name", "family", "parameters", "GMACs", "at px", "top-1 %", "channels at strides 4, 8, 16, 32")
    table = ruled("backbone=", columns, right=range(2, 6))
    facts = [section("backbone", name) for name in options("backbone")]
    for one in sorted(facts, key=lambda fact: (fact["published"]["family"], fact["published"]["parameters"])):
        known = one["published"]
        size, arithmetic = f"{known['parameters'] / 1e6:.1f} M", f"{known['gmacs']:.2f}"
        channels = ", ".join(str(count) for count in one["taps"].values())
        top1 = f"{known['top1']:.1f}"
        table.add_row(one["name"], known["family"], size, arithmetic, str(known["gmacs_at"]), top1, channels)
    return table


def task_table() -> Table:
    """Every task with the architecture that it brings and the backbones that it takes."""
    table = ruled("task=", ("name", "architecture by default", "backbones"))
    for name in options("task"):
        table.add_row(name, default_architecture(name), backbones_in_words(section("task", name)))
    return table


def architecture_table() -> Table:
    """Every architecture with the tasks that it is for and the backbones that it takes."""
    table = ruled("architecture=", ("name", "for", "backbones"))
    for name in options("architecture"):
        facts = section("architecture", name)
        table.add_row(name, ", ".join(facts["tasks"]), backbones_in_words(facts))
    return table


def backbones_in_words(facts: Mapping[str, Any]) -> str:
    """The backbones that a task or an architecture takes."""
    allow = rules.allowed_backbones(facts)["allow"]
    return "any" if allow == "any" else ", ".join(allow)


def ruled(title: str, columns: Sequence[str], right: Container[int] = ()) -> Table:
    """An empty table under a title; the columns in ``right`` hold numbers."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    return table
