"""One image twice: byte for byte, or in another size or quality; in one split or two, under one label or two."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aistudio.audit.alike import alike
from aistudio.audit.images import SOUND, ImageFacts, digest
from aistudio.audit.records import Fault, ImageRecord, Labels, Place

if TYPE_CHECKING:
    from pathlib import Path

HOW = ("the same bytes as", "nearly the same image as")  # how the message of every such fault begins


@dataclass(slots=True)
class Entry:
    """What is compared of an image: where its label stands, what is said of it, and what its file holds.

    ``said`` is of the image as a whole, ``described`` of its objects. ``fingerprint`` is of the file's length and some
    of its bytes, where files cannot be compared; ``thumbnail`` (16, 16, 3) uint8 is there where it was decoded.
    """

    name: str
    split: str
    place: Place
    bytes: int
    stored: tuple[int, int] | None
    said: str
    described: str
    thumbnail: Any = None
    fingerprint: str = ""


def entries(labels: Labels, facts: dict[str, ImageFacts], everything: bool = False) -> list[Entry]:
    """Every sound image once, in the order of the list; ``described`` where its length is not its own, or of all."""
    images = {image.name: image for image in labels.images}
    lengths = Counter(facts[name].bytes for name in images if name in facts)
    found = []
    for name, image in images.items():
        one = facts.get(name)
        if one is not None and one.fault in SOUND:
            said = repr((image.label, image.values))
            described = objects_of(image) if everything or lengths[one.bytes] > 1 else ""
            what = one.bytes, one.stored, said, described, one.thumbnail
            found.append(Entry(name, image.split, image.place, *what))
    return found


def check_duplicates(root: Path, those: Sequence[Entry]) -> Iterator[Fault]:
    """Every image that is there before, in the order of the list."""
    known = {one.name: one for one in those}
    first: dict[str, str] = {}
    for name, other in _equal_files(root, those):
        first[name] = other
        yield from compare(known[other], known[name], True)
    rest = [one for one in those if one.name not in first and one.thumbnail is not None]
    for later, earlier in alike(root, rest):
        yield from compare(rest[earlier], rest[later], False)


def _equal_files(root: Path, those: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Pairs of a file and the first one with the same bytes; only files of one length are read.

    Where files are not to be reached their fingerprints decide.
    """
    alike: dict[tuple[int, str], list[Entry]] = {}
    for one in those:
        alike.setdefault((one.bytes, one.fingerprint), []).append(one)
    for some in alike.values():
        seen: dict[str, str] = {}
        for one in some if len(some) > 1 else ():
            other = seen.setdefault(digest(root / one.name) or one.fingerprint or one.name, one.name)
            if other != one.name:
                yield one.name, other


def compare(first: Entry, second: Entry, exact: bool) -> Iterator[Fault]:
    """What it means that one image is another; objects are compared only in equal files."""
    how = HOW[0] if exact else HOW[1]
    place, said = Place(second.name), f"{how} {first.name} ({first.place})"
    if first.split != second.split:
        yield Fault(
            "image_in_two_splits", place, f"{said}; {second.split or 'no split'} and {first.split or 'no split'}"
        )
    if first.said != second.said or (exact and first.described != second.described):
        yield Fault("image_with_two_labels", place, f"{said}, with another label")
    elif first.split == second.split:
        yield Fault("duplicate_image" if exact else "near_duplicate", place, said)


def objects_of(image: ImageRecord) -> str:
    """The objects of an image, the same in whatever order they are written."""
    told = sorted((one.label or 0, *(one.box or one.corners or one.rotated or ())) for one in image.objects)
    return hashlib.blake2b(repr(told).encode(), digest_size=8).hexdigest() if told else ""
