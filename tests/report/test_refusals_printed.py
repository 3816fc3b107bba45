"""A refusal as it is printed: in a terminal of some columns, with and without colours, and into a pipe."""

import io
import sys

import pytest

from aistudio.errors import Problem, refusal_text
from aistudio.report.refusals import tell
from aistudio.safety.encoding import plain_where_needed

LIST = ", ".join(f"architecture_number_{number}" for number in range(9))
PROBLEMS = [
    Problem("a=b does not exist", "no file of that name is in the group " * 3, "conf/a/", LIST, ("x: 1",)),
    Problem("é=\x1b[31m is odd", instead=f"https://example.org/{'x' * 90}"),
]


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def printed(monkeypatch, terminal, columns=80, **environment):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Stream(terminal)
    tell(PROBLEMS, stream=stream)
    return stream.getvalue()


def test_a_pipe_gets_whole_lines_without_colours(monkeypatch):
    text = printed(monkeypatch, terminal=False)
    assert text == f"refused: 2 problems\n{refusal_text(PROBLEMS)}\n" and LIST in text and "\x1b" not in text


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_gets_lines_that_break_at_blanks_and_lists_in_columns(columns, monkeypatch):
    text = printed(monkeypatch, terminal=True, columns=columns, NO_COLOR="1")
    assert "\x1b" not in text
    longest = [line for line in text.splitlines() if len(line) > columns]
    assert all("xxxx" in line for line in longest), "only what is one word"
    assert all(name in text for name in LIST.split(", ")) and "           x: 1\n" in text
    listed = [line for line in text.splitlines() if "architecture_number" in line]
    starts = {line.index("architecture_number") for line in listed}
    assert starts == {11} and len(listed) < 9 and not any("," in line for line in listed)


def test_colours_are_in_a_terminal_alone_and_a_name_brings_none(monkeypatch):
    text = printed(monkeypatch, terminal=True)
    assert text.startswith("\x1b[1;31mrefused: 2 problems\x1b[0m\n") and "\x1b[32m  instead" in text
    assert r"\x1b[31m" in text and "\x1b[31m is" not in text
    for off in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in printed(monkeypatch, terminal=True, **off)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_any_encoding_takes_what_is_printed(encoding, monkeypatch):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    with plain_where_needed():
        for stream in streams.values():
            print("✓ a · b → 日本", file=stream)
            stream.flush()
    for stream in streams.values():
        text = stream.buffer.getvalue().decode(encoding)
        assert text == ("✓ a · b → 日本\n" if encoding == "utf-8" else text) and "\\u2713" not in text
        assert encoding != "ascii" or text.startswith("+ a - b -> \\u65e5")
