"""A set that was audited in parts: what each part leaves of its images, and the findings of all parts together.

A part is a text of lines, the first about the part and one for each of its sound images. It may come from anywhere:
what is not as written here is passed over, never believed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aistudio.audit.audit import Audit, parse_shard
from aistudio.audit.classes import check_counts, count_examples
from aistudio.audit.duplicates import HOW, Entry, check_duplicates
from aistudio.audit.findings import Finding, group, read_csv
from aistudio.audit.images import THUMBNAIL
from aistudio.audit.options import Options
from aistudio.audit.records import Fault, Labels, Place
from aistudio.errors import Refusal

SCHEMA = 1
BLOCK = 4096  # bytes at the start, in the middle and at the end of a file that its fingerprint is made of


@dataclass(frozen=True)
class Shard:
    """One audited part: ``number`` of ``shards`` of the set in ``root``, its faults, and its sound images."""

    number: int
    shards: int
    root: str
    format: str
    classes: tuple[str, ...]
    images: int
    decoded: int
    objects: int
    counts: dict[str, Counter]  # of masks that have each class, by split
    faults: tuple[Fault, ...]
    entries: list[Entry]


@dataclass(frozen=True)
class Merged:
    """All parts of one set: how many of them there are, those that are missing, and what is wrong."""

    root: str
    format: str
    shards: int
    missing: tuple[int, ...]
    images: int
    decoded: int
    objects: int
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        there = self.shards - len(self.missing)
        objects = f", {self.objects:,} objects" if self.objects else ""
        lost = f"; missing: {', '.join(f'{one}/{self.shards}' for one in self.missing)}" if self.missing else ""
        decoded = f"{self.decoded:,} of {self.images:,} decoded"
        return f"{self.format} · {there} of {self.shards} shards · {self.images:,} images{objects} · {decoded}{lost}"


def as_lines(audit: Audit, options: Options) -> Iterator[str]:
    """What a part leaves for the others. A hundred bytes an image, a thousand more for one that was decoded."""
    labels = audit.labels
    counts = count_examples(labels, audit.masks) if labels.format == "masks" else {}
    yield json.dumps(
        {
            "schema": SCHEMA,
            "shard": options.shard,
            "root": str(labels.root.resolve()),
            "format": labels.format,
            "classes": labels.classes,
            "images": audit.images,
            "decoded": audit.decoded,
            "objects": audit.objects,
            "counts": {split: dict(found) for split, found in counts.items()},
        }
    )
    for one in audit.entries:
        thumbnail = base64.b64encode(one.thumbnail.tobytes()).decode() if one.thumbnail is not None else ""
        fingerprint = fingerprint_of(labels.root / one.name, one.bytes)
        what = (one.name, one.split, [*one.place], one.bytes, one.stored, one.said, one.described)
        yield json.dumps([*what, fingerprint, thumbnail])


def fingerprint_of(path: Path, length: int) -> str:
    """A hash of some of a file's bytes; files of one length that share it are nearly always the same."""
    found = hashlib.blake2b(str(length).encode(), digest_size=12)
    try:
        with open(path, "rb") as file:
            for start in (0, length // 2, max(0, length - BLOCK)):
                file.seek(start)
                found.update(file.read(BLOCK))
    except OSError:
        return ""
    return found.hexdigest()


def read_shard(lines: Path, findings: Path) -> Shard | None:
    """A part from its two files; None where they are none."""
    try:
        with open(lines, encoding="utf-8", errors="replace") as file:
            head = json.loads(file.readline())
            if not isinstance(head, dict) or head.get("schema") != SCHEMA:
                return None
            number, shards = parse_shard(head["shard"])
            counts = {str(split): _counter(found) for split, found in head["counts"].items()}
            known = [one for one in map(_entry, file) if one is not None]
        images, decoded, objects = (int(head[name]) for name in ("images", "decoded", "objects"))
        classes = (*map(str, head["classes"]),)
        faults = (*read_csv(findings.read_text("utf-8", "replace")),)
        what = str(head["root"]), str(head["format"]), classes
        return Shard(number, shards, *what, images, decoded, objects, counts, faults, known)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, Refusal):
        return None


def _counter(found: dict[str, Any]) -> Counter:
    return Counter({int(number): int(count) for number, count in found.items()})


def _entry(line: str) -> Entry | None:
    """An image of a part, or None for a line that is none."""
    import numpy as np

    try:
        name, split, place, length, stored, said, described, fingerprint, thumbnail = json.loads(line)
        pixels = np.frombuffer(base64.b64decode(thumbnail), dtype=np.uint8) if thumbnail else None
        shape = THUMBNAIL, THUMBNAIL, 3
        size = (int(stored[0]), int(stored[1])) if stored else None
        where = Place(str(place[0]), *place[1:3])
        drawn = None if pixels is None else pixels.reshape(shape)
        return Entry(str(name), str(split), where, int(length), size, said, described, drawn, str(fingerprint))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None


def merge(parts: Sequence[Shard]) -> list[Merged]:
    """One answer for each set that parts are of; the last of several of one number counts."""
    sets: dict[tuple[str, str, int], dict[int, Shard]] = {}
    for one in parts:
        sets.setdefault((one.root, one.format, one.shards), {})[one.number] = one
    return [merge_set(root, kind, shards, some) for (root, kind, shards), some in sets.items()]


def merge_set(root: str, kind: str, shards: int, parts: dict[int, Shard]) -> Merged:
    """What all parts say, with images compared and classes counted among all of them."""
    those = [parts[number] for number in sorted(parts)]
    faults = [fault for one in those for fault in one.faults if not fault.message.startswith(HOW)]
    everything = sorted((entry for one in those for entry in one.entries), key=lambda entry: entry.name)
    faults += check_duplicates(Path(root), everything)
    if kind == "masks":
        labels = Labels(Path(root), kind, [], [*max((one.classes for one in those), key=len)], positional=True)
        counts: dict[str, Counter] = {}
        for one in those:
            for split, found in one.counts.items():
                counts.setdefault(split, Counter()).update(found)
        faults += check_counts(labels, counts)
    missing = (*sorted({*range(shards)} - {*parts}),)
    images, decoded = sum(one.images for one in those), sum(one.decoded for one in those)
    objects = sum(one.objects for one in those)
    return Merged(root, kind, shards, missing, images, decoded, objects, group(faults))
