"""The audit of a data set: read its labels, look at its files, and say everything that is wrong."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from aistudio.audit.boxes import check_boxes
from aistudio.audit.classes import check_counts, check_names, count_examples
from aistudio.audit.copied import check_copied, check_rectangles
from aistudio.audit.corners import check_corners
from aistudio.audit.duplicates import Entry, check_duplicates, entries
from aistudio.audit.findings import Finding, group
from aistudio.audit.formats import coco, csv_table, dota, image_folder, masks, mvtec, own, voc, yolo, yolo_obb
from aistudio.audit.images import ImageFacts, check_images, inspect_images
from aistudio.audit.masks import MaskFacts, check_masks, count_classes, read_masks
from aistudio.audit.options import Options, refuse
from aistudio.audit.polygons import check_polygons
from aistudio.audit.records import Fault, ImageRecord, Labels, Place
from aistudio.audit.sizes import check_sizes, label_sizes
from aistudio.audit.splits import check_batches, check_masks_among, check_rows, check_splits
from aistudio.audit.tree import Tree
from aistudio.audit.values import check_values

READERS = {
    "image_folder": image_folder.read,
    "csv": csv_table.read,
    "mvtec": mvtec.read,
    "coco": coco.read,
    "yolo": yolo.read,
    "voc": voc.read,
    "dota": dota.read,
    "yolo_obb": yolo_obb.read,
    "masks": masks.read,
    "own": own.read,
}
FORMATS = (*READERS,)
BACKGROUND = 0.5  # of the labelled images of a split; data sets with negative examples have up to a half


@dataclass(frozen=True)
class Audit:
    """What was found, and in how much: ``decoded`` of ``images`` were decoded to the last pixel."""

    findings: tuple[Finding, ...]
    labels: Labels
    images: int
    decoded: int
    objects: int
    facts: dict[str, ImageFacts]
    masks: dict[str, MaskFacts]
    entries: list[Entry]


def read_labels(options: Options) -> tuple[Tree, Labels]:
    """What the label files of a set say, or of the shard that is named. Raises `Refusal` where they say nothing."""
    tree, labels = _read_all(options)
    return tree, part_of(labels, options)


def _read_all(options: Options) -> tuple[Tree, Labels]:
    """What the label files say, of every shard."""
    if options.format not in READERS:
        refuse(f"data.format={options.format} is unknown", "", "data.format", ", ".join(FORMATS))
    tree = Tree(options.root)
    labels = READERS[options.format](tree, options)
    if not labels.images:
        refuse(f"data.root={options.root} has no labelled image", "", "data.root", "another folder")
    return tree, labels


def part_of(labels: Labels, options: Options) -> Labels:
    """The same labels with the images of one shard, which are told by their names."""
    if options.shard is None:
        return labels
    number, shards = parse_shard(options.shard)
    return replace(labels, images=[image for image in labels.images if shard_of(image.name, shards) == number])


def audit(options: Options, tell: Callable[[str], object] = len) -> Audit:
    """Everything that is wrong with a data set; ``tell`` is given words about what goes on."""
    with _no_collection():
        return _audit_all(options, tell)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Look for no garbage among a million records, none of which is any: a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _audit_all(options: Options, tell: Callable[[str], object]) -> Audit:
    """Read, inspect, check. Of a shard the files and what is marked in them, of the set what only all of it tells."""
    tell("reading labels")
    tree, everything = _read_all(options)
    if options.shard is not None and everything.format == "masks":
        name_classes(tree, everything, options)  # every shard counts the same ones
    labels = part_of(everything, options)
    names = [image.name for image in labels.images]
    facts = inspect_images(tree, names, sample(names, options.limit), tell)
    tell("checking labels")
    marked = sample([image.mask for image in labels.images if image.mask], options.limit)
    masks_found = read_masks(tree, marked)
    faults = [*labels.faults, *_check_files(labels, facts, masks_found, options)]
    if options.shard is None or everything.format != "masks":
        faults += check_counts(everything, count_examples(everything, masks_found))
    faults += _check_set(everything, options)
    those = entries(labels, facts, everything=options.shard is not None)
    tell("comparing images")
    faults += check_duplicates(tree.root, those)
    decoded = sum(one.decoded for one in facts.values())
    objects = sum(len(image.objects) for image in labels.images)
    return Audit(group(faults), labels, len(set(names)), decoded, objects, facts, masks_found, those)


def _check_files(
    labels: Labels, facts: dict[str, ImageFacts], masks_found: dict[str, MaskFacts], options: Options
) -> Iterator[Fault]:
    """The cheap checks on every file and what is marked in it, those of pixels on what was decoded."""
    sizes = label_sizes(labels, facts)
    yield from check_images(facts)
    yield from check_sizes(labels, facts)
    yield from check_boxes(labels, facts, sizes)
    yield from check_corners(labels, facts, sizes)
    yield from check_polygons(labels, facts, sizes)
    yield from check_masks(labels, facts, masks_found, options)
    yield from check_copied(labels, facts, masks_found)
    if options.task in ("segmentation", "instance_segmentation"):
        yield from check_rectangles(labels)


def _check_set(labels: Labels, options: Options) -> Iterator[Fault]:
    """What labels say of a set as a whole."""
    yield from (Fault("unlisted_image", Place(name), "no label file lists it") for name in labels.unlisted)
    yield from _check_presence(labels)
    yield from check_names(labels)
    yield from check_values(labels)
    yield from check_splits(labels)
    yield from check_masks_among(labels)
    yield from check_rows(labels) if labels.format == "csv" else ()
    yield from check_batches(labels, options)


def name_classes(tree: Tree, labels: Labels, options: Options) -> None:
    """Name the classes of masks after the ids in a sample of them, where nobody has named them."""
    if not labels.classes:
        names = sample([image.mask for image in labels.images if image.mask], options.limit)
        count_classes(labels, read_masks(tree, names), options)


def _check_presence(labels: Labels) -> Iterator[Fault]:
    """Splits in which most images are background. A few are welcome: a detector learns from them what is no object."""
    if not labels.positional or labels.format == "masks":
        return
    splits: dict[str, list[ImageRecord]] = {}
    for image in labels.images:
        if image.labelled:
            splits.setdefault(image.split, []).append(image)
    for images in splits.values():
        empty = [image for image in images if not image.objects]
        if len(empty) > BACKGROUND * len(images):
            said = f"nothing is marked in {len(empty)} of {len(images)} images, such as {empty[0].name}"
            yield Fault("no_objects", empty[0].place, said)


def sample(names: list[str], limit: int | None) -> list[str]:
    """At most so many names, evenly spread over the list."""
    different = [*dict.fromkeys(names)]
    if limit is None or len(different) <= limit:
        return different
    return [different[index * len(different) // limit] for index in range(limit)]


def parse_shard(text: str) -> tuple[int, int]:
    """``0/8`` as two numbers."""
    number, _, shards = str(text).partition("/")
    if not (number.isdigit() and shards.isdigit() and int(number) < int(shards)):
        refuse(f"data.shard={text} is no shard", "it is a number from 0 and how many there are", "data.shard", "0/8")
    return int(number), int(shards)


def shard_of(name: str, shards: int) -> int:
    """The shard of a file: by its name, so that it stays when others come. A checksum puts numbered names together."""
    found = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(found.digest(), "big") % shards
