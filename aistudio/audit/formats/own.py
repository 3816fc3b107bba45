"""A format of one's own: a class with ``read(root)``, which yields an `ImageRecord` for every image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from aistudio.audit.numbered import plausible_count
from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, ObjectRecord
from aistudio.audit.tree import Tree

KEY = "data.reader"
EXAMPLE = "a class with read(root) that yields aistudio.audit.ImageRecord, as in docs/data.md"


class Reader(Protocol):
    """What ``data.reader`` must be.

    It may have ``classes``, the names in the order of their numbers, ``value_names`` of what is measured, and
    ``relative``: whether coordinates are shares of the image and not pixels.
    """

    def read(self, root: Path) -> Iterable[ImageRecord]:
        """The images of the data set in the folder ``root``; each name is a path below it, with slashes."""


def read(tree: Tree, options: Options) -> Labels:
    """The records as they come, each with its file looked up below the root."""
    reader = made(options.reader)
    if not callable(getattr(reader, "read", None)):
        refuse(f"{KEY} makes a {type(reader).__name__}", "it has no read(root)", KEY, EXAMPLE)
    labels = Labels(tree.root, "own", [], relative=bool(getattr(reader, "relative", False)))
    labels.value_names = (*map(str, getattr(reader, "value_names", ())),)
    for record in reader.read(tree.root):
        if not isinstance(record, ImageRecord):
            refuse(f"{KEY} yields a {type(record).__name__}", "a record of an image is an ImageRecord", KEY, EXAMPLE)
        record.name, kind = tree.resolve(record.name, [""])
        if kind:
            labels.blame(kind, record.place, record.name)
        labels.images.append(record)
    complete(labels, options, [*map(str, getattr(reader, "classes", ()))])
    return labels


def complete(labels: Labels, options: Options, classes: list[str]) -> None:
    """What follows from the records: whether they name places, how many classes and values there are."""
    masks = any(image.mask for image in labels.images)
    if masks:  # whose checks are those of the format of masks
        labels.format, labels.ignore_index = "masks", options.ignore_index
        for image in labels.images:
            image.labelled = image.labelled and image.mask is not None
    labels.positional = masks or any(image.objects for image in labels.images)
    labels.classes, labels.declared = options.names() or classes, bool(options.names() or classes)
    values = next((image.values for image in labels.images if image.values), ())
    if values and not labels.value_names:
        labels.value_names = (*(f"value {number}" for number in range(len(values))),)
    if not masks and not labels.value_names:
        number_labels(labels)


def number_labels(labels: Labels) -> None:
    """Blame classes that there are not, by their number; those that nobody has named are called by theirs."""
    those: list[ImageRecord | ObjectRecord] = []
    for image in labels.images:
        those += [image, *image.objects]
    if not labels.classes:
        labels.classes = [
            str(number) for number in range(plausible_count([one.label for one in those if one.label is not None]))
        ]
    for one in those:
        if one.label is not None and not 0 <= one.label < len(labels.classes):
            said = f"class {one.label} where there are {len(labels.classes)}, 0 … {len(labels.classes) - 1}"
            labels.blame("class_out_of_range", one.place, said)
            one.label = None


def made(reader: Any) -> Any:
    """The reader itself, made of a ``_target_`` entry where it is one; who may be named there was judged before."""
    if not isinstance(reader, Mapping):
        return reader
    target = str(reader.get("_target_", "???"))
    package, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(package), name)
    except (ImportError, AttributeError, ValueError) as error:
        refuse(f"{KEY}._target_={target} cannot be imported", str(error), f"{KEY}._target_", "my_package.MyFormat")
    settings = {key: value for key, value in reader.items() if key != "_target_"}
    try:
        return found(**settings)
    except TypeError as error:
        refuse(f"{KEY} does not fit its _target_", str(error), KEY, "the arguments that the class takes")
