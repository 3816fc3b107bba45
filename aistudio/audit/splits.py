"""What the splits are to each other, and how they divide into batches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, splitext

from aistudio.audit.options import Options
from aistudio.audit.records import Fault, Labels, Place

_MASK = re.compile(r"[ _.-](mask|seg|segmentation|gt|groundtruth)(_?\d+)?$", re.IGNORECASE)


def check_splits(labels: Labels) -> Iterator[Fault]:
    """One file in two splits, names that differ in case only, and tests that know one side."""
    first: dict[str, str] = {}
    lower: dict[str, str] = {}
    for image in labels.images:
        if first.setdefault(image.name, image.split) != image.split:
            yield Fault("image_in_two_splits", image.place, f"{image.name} is in {first[image.name]} too")
        other = lower.setdefault(image.name.lower(), image.name)
        if other != image.name:
            yield Fault("names_differ_in_case", Place(image.name), f"and {other}")
    if labels.classes == ["normal", "anomalous"] and labels.format == "csv":
        yield from _check_test(labels)


def check_masks_among(labels: Labels) -> Iterator[Fault]:
    """Images that are named as the mask of an image beside them."""
    stems = {splitext(image.name)[0] for image in labels.images}
    for image in labels.images if labels.format != "masks" else ():
        stem = splitext(image.name)[0]
        plain = _MASK.sub("", stem)
        if plain != stem and plain in stems:
            yield Fault("mask_among_images", Place(image.name), f"named as the mask of {basename(plain)}")


def check_rows(labels: Labels) -> Iterator[Fault]:
    """A file that a table lists twice, with one label or two."""
    first: dict[str, int] = {}
    for index, image in enumerate(labels.images):
        other = labels.images[first.setdefault(image.name, index)]
        if other is image or other.split != image.split:
            continue
        same = (other.label, other.values) == (image.label, image.values)
        kind = "duplicate_entry" if same else "image_with_two_labels"
        yield Fault(kind, image.place, f"{image.name} is at {other.place} too")


def _check_test(labels: Labels) -> Iterator[Fault]:
    """A test split needs both normal and anomalous images."""
    test = [image for image in labels.images if image.split == "test" and image.label is not None]
    if test and len({image.label for image in test}) == 1:
        side = labels.classes[test[0].label or 0]
        yield Fault("one_sided_test", Place(test[0].place.file), f"all {len(test)} are {side}")


def check_batches(labels: Labels, options: Options) -> Iterator[Fault]:
    """A training split that leaves one image for the last batch."""
    splits = {image.split for image in labels.images}
    split = "train" if "train" in splits else ""
    count = len({image.name for image in labels.images if image.split == split})
    if options.batch_size > 1 and count > options.batch_size and count % options.batch_size == 1:
        said = f"{count} images in batches of {options.batch_size}: set data.batch_size, or drop the last"
        yield Fault("batch_of_one", Place(split or "."), said)
