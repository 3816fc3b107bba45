"""What label files say, as plain records that remember where they were written. No image is opened for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A file below the root, with a line (from 1) or the id that an entry has in it."""

    file: str
    line: int | None = None
    id: str | None = None

    def __str__(self) -> str:
        if self.line is not None:
            return f"{self.file}:{self.line}"
        return f"{self.file}, {self.id}" if self.id else self.file


class Fault(NamedTuple):
    """One thing that is wrong at one place; ``kind`` is a key of `aistudio.audit.kinds.KINDS`."""

    kind: str
    place: Place
    message: str


@dataclass(slots=True)
class ObjectRecord:
    """An object in an image. Coordinates are what the file says: pixels, or shares of the image in `Labels.relative`.

    ``label`` counts from 0 in `Labels.classes`; None is a class that does not exist. ``box`` is x1, y1, x2, y2;
    ``corners`` four points of a rotated box; ``rotated`` cx, cy, w, h, angle as written; ``polygons`` lists of x, y.
    """

    place: Place
    label: int | None
    box: Sequence[float] | None = None
    corners: Sequence[float] | None = None
    rotated: Sequence[float] | None = None
    polygons: list[list[float]] | None = None
    rle: dict[str, Any] | None = None
    area: float | None = None
    crowd: bool = False
    difficult: bool = False


@dataclass(slots=True)
class ImageRecord:
    """An image that has labels, or ought to have them.

    ``name`` is its path below the root, with slashes. ``size`` (width, height) is what the labels say, not the file.
    ``labelled`` is False where nothing was written about it at all.
    """

    name: str
    split: str
    place: Place
    label: int | None = None
    values: tuple[float, ...] | None = None
    mask: str | None = None
    size: tuple[float, float] | None = None
    objects: list[ObjectRecord] = field(default_factory=list)
    labelled: bool = True


@dataclass
class Labels:
    """A data set as its label files describe it.

    ``split_classes`` is the list of classes as each split alone would number them. ``positional`` tells whether labels
    name places in the image. ``class_places`` says where each class was declared, if it was.
    """

    root: Path
    format: str
    images: list[ImageRecord]
    classes: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    split_classes: dict[str, list[str]] = field(default_factory=dict)
    class_places: dict[str, Place] = field(default_factory=dict)
    declared: bool = False
    relative: bool = False
    positional: bool = False
    value_names: tuple[str, ...] = ()
    ignore_index: int | None = None
    unlisted: list[str] = field(default_factory=list)

    def path(self, name: str) -> str:
        """The path of a file below the root."""
        return f"{self.root}/{name}"

    def blame(self, kind: str, place: Place, message: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(kind, place, message))
