"""``aistudio doctor FILE``: what a file of weights is, which models it fits, and the line that uses it.

Nothing in the file is run: its list of tensors is read as data. Exit codes: 0 it can be loaded, 1 it fits no model
that ships, 2 it cannot be read.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aistudio.cli.line import Parser
from aistudio.errors import FAILED, PASSED, REFUSED, Problem, Refusal
from aistudio.files import file_digest
from aistudio.safety.outlet import said
from aistudio.weights.describe import facts, part_of, shapes_of, whole_numbers
from aistudio.weights.header import Unreadable, read_header
from aistudio.weights.layouts import recognise
from aistudio.weights.match import plain_names

if TYPE_CHECKING:
    from aistudio.assembly.fits import Fit

MOST = 3  # models that a file fits alike are named; resnet18's fits many a head


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a file is; the exit code."""
    parser = Parser("aistudio doctor", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path, help="a file of weights: .pth, .pt, .ckpt, .safetensors")
    path = parser.parse_args(arguments).file.expanduser()
    try:
        header = read_header(path)
    except Unreadable as fault:
        raise Refusal([Problem(f"{path} is no file of weights", fault.why, str(path), fault.instead)]) from None
    part = part_of(header)
    show(facts(path, header, part, file_digest(path)).items())
    if part is None or header.code:
        return REFUSED
    if quantised := whole_numbers(part):
        show(zip(("refused", "instead"), quantised, strict=True))
        return REFUSED
    from aistudio.assembly.fits import fits  # imports torch, which takes seconds

    found = fits(shapes_of(part))
    layout = recognise(plain_names(part.tensors))
    show(verdict(found, path, layout.advice))
    return PASSED if any(one.whole for one in found) else FAILED


def verdict(found: Sequence[Fit], path: Path, advice: str) -> Iterator[tuple[str, str]]:
    """What the file fits, how its names are changed for that, and how to use it."""
    if not found:
        yield "fits", "none of the models that ship"
    for one in found[:MOST]:
        yield "fits" if one.whole else "nearest", f"{one.settings}: {how(one)}"
    if any(one.whole for one in found):
        yield "use it", f"python -m aistudio {found[0].settings} {found[0].key}={shlex.quote(str(path.absolute()))}"
    elif advice:
        yield "instead", advice


def how(one: Fit) -> str:
    """In a few words how a file fits a model."""
    words = [f"{one.filled} of {one.wanted} tensors"]
    if one.match.removed:
        words.append(f"without {one.match.removed} before the names")
    if one.match.added:
        words.append(f"with {one.match.added} before the names")
    if one.remade:
        words.append(f"made anew for other classes: {', '.join(one.remade[:2])}{' …' * (len(one.remade) > 2)}")
    if one.adapted:
        words.append(f"adapted: {', '.join(one.adapted)}")
    if one.match.left_over:
        words.append(f"left over: {', '.join(one.match.left_over[:2])}{' …' * (len(one.match.left_over) > 2)}")
    return "; ".join(words)


def show(rows: Iterable[tuple[str, str]]) -> None:
    """Names and what they are, in two columns."""
    for name, text in rows:
        print(f"{name:<12}{said(text)}")  # names in a file may hold anything
