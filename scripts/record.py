"""Record docs/first_minute.svg: commands of the README, run in a terminal of their own and kept as one animated image.

python scripts/record.py            # some 40 seconds; needs pyte (pip install pyte) and a machine that is quiet

Every frame is what a terminal showed, at the time it showed it; only the typing is made up. Where a reader asked for
less motion, the last frame stands still.
"""

from __future__ import annotations

import argparse
import os
import pty
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

import pyte

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "first_minute.svg"
COMMANDS = (
    "aistudio task=segmentation backbone=resnet18 task.num_clases=21",
    "aistudio backbone=efficientnet_b3 task=regression sanity=quick",
    "aistudio backbone=resnet50 data.batch_size=256 gpu=t4 sanity=forecast",
)
COLUMNS, ROWS = 100, 36
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 14  # pixels at a font size of 14
SHORTEST_FRAME = 0.1  # seconds; what changes sooner is one frame
KEYSTROKE, READING = 0.03, 3.0  # seconds: a letter typed; the pause after a command's last line
BACKGROUND, FOREGROUND = "#0d1117", "#e6edf3"
COLOURS = {
    "black": "#484f58",
    "red": "#ff7b72",
    "green": "#3fb950",
    "brown": "#d29922",
    "yellow": "#d29922",
    "blue": "#58a6ff",
    "magenta": "#bc8cff",
    "cyan": "#39c5cf",
    "white": "#b1bac4",
    "brightblack": "#6e7681",
}

Row = tuple[tuple[str, str, bool], ...]  # runs of text, each with its colour and whether it is bold
Frame = tuple[float, tuple[Row, ...]]  # seconds since the start, and every row


def main() -> None:
    """Run the commands and write the image."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=TARGET)
    target = parser.parse_args().into
    with tempfile.TemporaryDirectory() as folder:
        frames = list(record(COMMANDS, folder))
    target.write_text(animate(thin(frames)), encoding="utf-8")
    print(f"{target}: {len(frames)} frames seen, {target.stat().st_size / 1024:.0f} kB")


def record(commands: Sequence[str], folder: str) -> Iterator[Frame]:
    """What the terminal shows while the commands are typed and run, one after the other, in ``folder``."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    clock = 0.0
    for command in commands:
        for text in ("\x1b[32m$\x1b[0m ", *command, "\r\n"):
            stream.feed(text.encode())
            clock += KEYSTROKE
            yield clock, rows(screen)
        for seconds, seen in run(command, folder):
            stream.feed(seen)
            yield clock + seconds, rows(screen)
            last = seconds
        clock += last + READING
    yield clock, rows(screen)


def run(command: str, folder: str) -> Iterator[tuple[float, bytes]]:
    """What a command prints into a terminal, and when; it starts as `aistudio` would from a shell."""
    head, tail = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    arguments = [sys.executable, "-m", *shlex.split(command)]
    started = time.perf_counter()
    process = subprocess.Popen(arguments, stdin=tail, stdout=tail, stderr=tail, cwd=folder, env=environment)
    os.close(tail)
    try:
        while seen := os.read(head, 65536):
            yield time.perf_counter() - started, seen
    except OSError:  # how Linux says that the other end was closed
        pass
    finally:
        os.close(head)
        process.wait()


def rows(screen: pyte.Screen) -> tuple[Row, ...]:
    """The screen as runs of equal looks, blanks at the end of a row left out."""
    found = []
    for number in range(ROWS):
        cells = [screen.buffer[number][column] for column in range(COLUMNS)]
        runs = groupby(cells, key=lambda cell: (COLOURS.get(cell.fg, FOREGROUND), cell.bold))
        row = [("".join(cell.data for cell in group), colour, bold) for (colour, bold), group in runs]
        if row and not row[-1][0].strip():
            row.pop()
        found.append(tuple(row))
    return tuple(found)


def thin(frames: Sequence[Frame]) -> list[Frame]:
    """Without the frames that nobody could have seen: gone within a tenth of a second, or equal to the one before."""
    lasting = [
        one for one, following in zip(frames, frames[1:], strict=False) if following[0] - one[0] >= SHORTEST_FRAME
    ]
    kept = [frames[0], *lasting, frames[-1]]
    changed = [frame for index, frame in enumerate(kept) if not index or frame[1] != kept[index - 1][1]]
    return [*changed, frames[-1]]


def animate(frames: Sequence[Frame]) -> str:
    """Frames as one SVG: all of them in a column that jumps up by a screen where the next one begins."""
    width, height = COLUMNS * CELL_WIDTH + 2 * MARGIN, ROWS * CELL_HEIGHT + 2 * MARGIN
    lines: dict[Row, str] = {}
    for _, seen in frames:
        for row in seen:
            if row:
                lines.setdefault(row, f"r{len(lines)}")
    end = frames[-1][0]
    jumps = [(100 * at / end, -n * height) for n, (at, _) in enumerate(frames)]
    steps = "".join(f"{percent:.3f}%{{transform:translateY({pixels:.0f}px)}}" for percent, pixels in jumps)
    last = f"transform:translateY({-(len(frames) - 1) * height:.0f}px)"
    defined = "".join(f'<text id="{name}">{"".join(_spans(row))}</text>' for row, name in lines.items())
    drawn = "".join(
        f'<use href="#{lines[row]}" x="{MARGIN}" y="{n * height + MARGIN + (line + 0.8) * CELL_HEIGHT:.0f}"/>'
        for n, (_, seen) in enumerate(frames)
        for line, row in enumerate(seen)
        if row
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'role="img" aria-label="{escape("A terminal: " + "; ".join(COMMANDS))}">\n<style>\n'
        f"text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre;fill:{FOREGROUND}}}\n"
        f".b{{font-weight:bold}}\n@keyframes play{{0%{{transform:translateY(0)}}{steps}}}\n"
        f"#frames{{animation:play {end:.2f}s step-end infinite}}\n"
        f"@media (prefers-reduced-motion:reduce){{#frames{{animation:none;{last}}}}}\n</style>\n"
        f'<defs>{defined}</defs>\n<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n'
        f'<g id="frames">{drawn}</g>\n</svg>\n'
    )


def _spans(row: Row) -> Iterator[str]:
    column = 0
    for text, colour, bold in row:
        if text.strip():
            looks = ("" if colour == FOREGROUND else f' fill="{colour}"') + (' class="b"' if bold else "")
            length = f' textLength="{len(text) * CELL_WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
            yield f'<tspan x="{column * CELL_WIDTH:.1f}"{looks}{length}>{escape(text)}</tspan>'
        column += len(text)


if __name__ == "__main__":
    main()
