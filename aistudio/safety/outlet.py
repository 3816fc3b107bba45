"""The few ways by which text leaves this program: what came from the environment stays, what is hidden is shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from aistudio.safety.environment import scrub, scrubbed
from aistudio.safety.text import as_data, in_json, visible


def said(text: object, lines: bool = False) -> str:
    """A text for people."""
    return visible(scrub(str(text)), lines)


def data(node: Any) -> Any:
    """Plain containers as they are written into files, whatever the form of the file."""
    return as_data(scrubbed(node))


def as_json(node: Any) -> str:
    """The text of a file of JSON."""
    return in_json(json.dumps(data(node), indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def as_yaml(node: Any) -> str:
    """The text of a file of YAML; in ASCII alone where it holds what is hidden."""
    import yaml
    from omegaconf._utils import get_omega_conf_dumper

    def dumped(unicode: bool) -> str:
        return yaml.dump(data(node), Dumper=get_omega_conf_dumper(), allow_unicode=unicode, sort_keys=False)

    text = dumped(True)
    return text if visible(text, lines=True) == text else dumped(False)


class Outlet:
    """A stream that says what is printed to it as text; ``draws`` lets pass how a terminal is told to draw it.

    A carriage return that begins what is printed stays: progress bars need it, and it hides nothing that they wrote.
    """

    def __init__(self, stream: TextIO, draws: bool = False):
        self.stream, self.draws = stream, draws

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text; how long it was."""
        start = "\r" if text.startswith("\r") else ""
        rest = text.removeprefix(start).replace("\r\n", "\n")
        self.stream.write(scrub(text) if self.draws else start + said(rest, lines=True))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)


def guarded(stream: TextIO) -> TextIO:
    """The stream as an outlet."""
    return stream if isinstance(stream, Outlet) else cast(TextIO, Outlet(stream))


def drawn_on(stream: TextIO) -> TextIO:
    """The stream for those who draw on a terminal, and make every text visible themselves."""
    return cast(TextIO, Outlet(stream.stream if isinstance(stream, Outlet) else stream, draws=True))


def guard() -> None:
    """Let this process print through outlets alone, to its end: also a bug's traceback, which Python prints last."""
    sys.stdout, sys.stderr = guarded(sys.stdout), guarded(sys.stderr)
