"""The audit of a data set: read its labels, look at its files, and say everything that is wrong."""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aistudio.audit.boxes import check_boxes, check_objects_present
from aistudio.audit.classes import check_counts, check_names
from aistudio.audit.corners import check_corners
from aistudio.audit.duplicates import check_duplicates
from aistudio.audit.findings import Finding, group
from aistudio.audit.formats import coco, csv_table, dota, image_folder, masks, mvtec, voc, yolo, yolo_obb
from aistudio.audit.images import ImageFacts, check_images, inspect_images
from aistudio.audit.masks import MaskFacts, check_masks, read_masks
from aistudio.audit.options import Options, refuse
from aistudio.audit.polygons import check_polygons
from aistudio.audit.records import Fault, Labels, Place
from aistudio.audit.sizes import check_sizes, label_sizes
from aistudio.audit.splits import check_batches, check_rows, check_splits
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
}
FORMATS = (*READERS,)


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


def read_labels(options: Options) -> tuple[Tree, Labels]:
    """What the label files of a set say, or of the shard that is named. Raises `Refusal` where they say nothing."""
    if options.format not in READERS:
        refuse(f"data.format={options.format} is unknown", "", "data.format", ", ".join(FORMATS))
    tree = Tree(options.root)
    labels = READERS[options.format](tree, options)
    if not labels.images:
        refuse(f"data.root={options.root} has no labelled image", "", "data.root", "another folder")
    if options.shard is not None:
        number, shards = parse_shard(options.shard)
        labels.images = [image for image in labels.images if shard_of(image.name, shards) == number]
    return tree, labels


def audit(options: Options) -> Audit:
    """Everything that is wrong with a data set."""
    with no_collection():
        return audit_all(options)


@contextmanager
def no_collection() -> Iterator[None]:
    """Look for no garbage among a million records, none of which is any: a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def audit_all(options: Options) -> Audit:
    """Read, inspect, check."""
    tree, labels = read_labels(options)
    names = [image.name for image in labels.images]
    facts = inspect_images(tree, names, sample(names, options.limit))
    marked = sample([image.mask for image in labels.images if image.mask], options.limit)
    masks_found = read_masks(tree, marked)
    findings = group([*labels.faults, *check(tree, labels, facts, masks_found, options)])
    decoded = sum(one.decoded for one in facts.values())
    objects = sum(len(image.objects) for image in labels.images)
    return Audit(findings, labels, len(set(names)), decoded, objects, facts, masks_found)


def check(
    tree: Tree, labels: Labels, facts: dict[str, ImageFacts], masks_found: dict[str, MaskFacts], options: Options
) -> Iterator[Fault]:
    """All checks, the cheap ones on everything, those of pixels on what was decoded."""
    sizes = label_sizes(labels, facts)
    yield from (Fault("unlisted_image", Place(name), "no label file lists it") for name in labels.unlisted)
    yield from check_images(facts)
    yield from check_sizes(labels, facts)
    yield from check_boxes(labels, facts, sizes)
    yield from check_corners(labels, facts, sizes)
    yield from check_polygons(labels, facts, sizes)
    yield from check_masks(labels, facts, masks_found, options)
    yield from check_presence(labels)
    yield from check_names(labels)
    yield from check_counts(labels, masks_found)
    yield from check_values(labels)
    yield from check_splits(labels)
    yield from check_rows(labels) if labels.format == "csv" else ()
    yield from check_batches(labels, options)
    yield from check_duplicates(tree, labels, facts)


def check_presence(labels: Labels) -> Iterator[Fault]:
    """Images in which nothing is marked, unless their label file was blamed for it."""
    if not labels.positional or labels.format == "masks":
        return
    blamed = {fault.place.file for fault in labels.faults} if labels.format != "coco" else set()
    for image in labels.images:
        if image.place.file not in blamed:
            yield from check_objects_present(image)


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
    """The shard of a file: by its name, so that it stays when others come."""
    return zlib.crc32(name.encode("utf-8", "surrogateescape")) % shards
