"""How faults are planted in clean sets, and what must then be found: these kinds at these places, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from labelled_sets import SETS
from PIL import Image

from aistudio.audit import Options, audit

ORIENTATION = 0x0112


class Fault(NamedTuple):
    set: str
    kind: str
    places: tuple[str, ...]
    plant: Callable[[Path], object]
    options: dict = {}
    also: tuple[str, ...] = ()  # kinds that the same mistake is, too

    def __str__(self):
        return f"{self.set}-{self.kind}-{getattr(self.plant, '__name__', '')}"


def name_of(fault: Fault) -> str:
    return f"{fault.set}-{fault.kind}-{'+'.join(fault.places)[:50]}"


def expect(fault: Fault, root: Path) -> None:
    """Plant one fault; its kind is found at its places, and no kind but those that it is."""
    write, kind, task = SETS[fault.set]  # no last batch, or it would change with every file
    write(root)
    fault.plant(root)
    found = audit(Options(str(root), kind, task, **{"batch_size": 1, **fault.options})).findings
    seen = {one.kind: [str(fault.place) for fault in one.faults] for one in found}
    assert sorted(seen.get(fault.kind, [])) == sorted(fault.places), seen
    assert set(seen) <= {fault.kind, *fault.also}, seen


def edit_json(path: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        document = json.loads((root / path).read_text())
        change(document)
        (root / path).write_text(json.dumps(document))

    return plant


def annotation(number: int, **values) -> Callable[[Path], None]:
    """Change one annotation of train; a callable is given the old value. An ellipsis deletes."""

    def change(document: dict) -> None:
        change_entry(document["annotations"][number - 1], values)

    return edit_json("annotations/instances_train.json", change)


def image_entry(number: int, **values) -> Callable[[Path], None]:
    return edit_json(
        "annotations/instances_train.json", lambda document: change_entry(document["images"][number - 1], values)
    )


def change_entry(entry: dict, values: dict) -> None:
    for key, value in values.items():
        if value is ...:
            del entry[key]
        else:
            entry[key] = value(entry[key]) if callable(value) else value


def line(path: str, number: int, new: str | Callable[[str], str]) -> Callable[[Path], None]:
    """Replace one line of a text file; one past the end is added."""

    def plant(root: Path) -> None:
        lines = (root / path).read_text().splitlines()
        lines += [""] * (number - len(lines))
        lines[number - 1] = new(lines[number - 1]) if callable(new) else new
        (root / path).write_text("\n".join(lines) + "\n")

    return plant


def word(number: int, new: str, separator: str | None = None) -> Callable[[str], str]:
    """Replace one word of a line."""

    def change(text: str) -> str:
        words = text.split(separator)
        words[number] = new
        return (separator or " ").join(words)

    return change


def text(path: str, content: str | bytes) -> Callable[[Path], object]:
    def plant(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)

    return plant


def replace(path: str, old: str, new: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text((root / path).read_text().replace(old, new, 1))


def truncate(path: str, share: float = 0.5) -> Callable[[Path], object]:
    def plant(root: Path) -> None:
        data = (root / path).read_bytes()
        (root / path).write_bytes(data[: int(len(data) * share)])

    return plant


def delete(path: str) -> Callable[[Path], object]:
    return lambda root: (root / path).unlink()


def rename(path: str, other: str) -> Callable[[Path], object]:
    return lambda root: (root / path).rename(root / other)


def copy(path: str, other: str) -> Callable[[Path], object]:
    return lambda root: (root / other).write_bytes((root / path).read_bytes())


def repaint(
    path: str, change: Callable[[Image.Image], Image.Image], to: str | None = None, **how
) -> Callable[[Path], object]:
    """Save an image again, changed, under its own name or another."""

    def plant(root: Path) -> None:
        with Image.open(root / path) as image:
            changed = change(image.copy())
        changed.save(root / (to or path), **how)

    return plant


def turn(path: str, orientation: int = 6, stored: bool = True) -> Callable[[Path], object]:
    """Let EXIF turn an image; ``stored`` leaves its pixels, so that it is shown with its sides changed over."""

    def plant(root: Path) -> None:
        with Image.open(root / path) as image:
            pixels = image.copy()
        if not stored:
            pixels = pixels.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        pixels.save(root / path, exif=exif)

    return plant


def all_of(*plants: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda root: [plant(root) for plant in plants] and None
