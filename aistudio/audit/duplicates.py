"""One image twice: byte for byte, or in another size or quality; in one split or two, under one label or two."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aistudio.audit.images import FORMATS, SOUND, ImageFacts, digest
from aistudio.audit.records import Fault, ImageRecord, Labels, Place

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

BLOCK = 40.0  # of 255: how far a sixteenth of the side may differ in the same image
ALIKE = 0.98  # correlation of thumbnails
_SHARES = 3  # pixels of the smaller image to one of the details that are compared, which are 16 to 256 a side
_SAME_DETAIL = 0.65  # correlation of details: another photograph of the same scene has other grain
_FLAT = 4.0  # of 255: an image without more contrast is like any other
_CANDIDATES = 20  # for each image
GREY = (0.299, 0.587, 0.114)  # shares of red, green and blue, as PIL has them
WAYS = [(mirrored, quarters) for mirrored in (False, True) for quarters in range(4)]
HOW = ("the same bytes as", "nearly the same image as")  # how the message of every such fault begins
ROWS = 2048  # thumbnails that are compared with all others at a time


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
        yield from compare(earlier, later, False)


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


def alike(root: Path, those: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Pairs of images with the same content in another size, quality, brightness or orientation."""
    import numpy as np

    if len(those) < 2:
        return
    thumbnails = np.stack([one.thumbnail for one in those]).astype(np.float32)
    grey = thumbnails @ np.asarray(GREY, dtype=np.float32)
    centred = grey - grey.mean((1, 2), keepdims=True)
    contrast = centred.std((1, 2))
    unit = centred / np.maximum(contrast, 1e-6)[:, None, None]
    contrasted = np.flatnonzero(contrast >= _FLAT)
    found: dict[int, list[tuple[int, int]]] = {}
    for way in range(len(WAYS)):
        for one, other in _close_pairs(unit, contrasted, way):
            difference = np.abs(turned(unit[one], way) - unit[other]).max() * min(contrast[one], contrast[other])
            if difference <= BLOCK and len(found.setdefault(one, [])) < _CANDIDATES:
                found[one].append((other, way))
    for one in sorted(found):
        same = (other for other, way in sorted(found[one]) if _same_details(root, those[one], those[other], way))
        if (copied := next(same, None)) is not None:
            yield those[one], those[copied]


def _close_pairs(unit: np.ndarray, those: np.ndarray, way: int) -> Iterator[tuple[int, int]]:
    """Each of those images, turned one way, with the earlier ones that it is like; ``unit`` (N, 16, 16)."""
    import numpy as np

    flat = unit[those].reshape(len(those), -1)
    other_way = turned(unit[those], way).reshape(flat.shape)
    for start in range(0, len(those), ROWS):
        close = other_way[start : start + ROWS] @ flat.T >= ALIKE * flat.shape[1]
        for row, column in np.argwhere(close):
            if column < row + start:
                yield int(those[row + start]), int(those[column])


def turned(images: np.ndarray, way: int) -> np.ndarray:
    """Images (..., H, W), H = W, mirrored and turned by quarters."""
    import numpy as np

    mirrored, quarters = WAYS[way]
    return np.rot90(images[..., ::-1] if mirrored else images, quarters, axes=(-2, -1))


def _same_details(root: Path, one: Entry, other: Entry, way: int) -> bool:
    """Whether what is left of two images without their broad shapes is the same, one of them turned."""
    import numpy as np

    shortest = min(side for image in (one, other) for side in image.stored or (0,))
    side = max(16, min(256, shortest // _SHARES))
    a, b = detail(root / one.name, side), detail(root / other.name, side)
    if a is None or b is None:
        return False
    a = turned(a, way)
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return scale > 0 and float((a * b).sum()) / scale >= _SAME_DETAIL


def detail(path: Path, side: int) -> np.ndarray | None:
    """(side, side) float32: the grey image less what one of half the size says; None where it cannot be read."""
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=FORMATS) as file:
            grey = ImageOps.exif_transpose(file).convert("L")
    except Exception:  # it was read before; whatever changed since is not this check's matter
        return None
    fine = grey.resize((side, side), Image.Resampling.BOX)
    coarse = fine.resize((side // 2, side // 2), Image.Resampling.BOX).resize(fine.size, Image.Resampling.BILINEAR)
    return np.asarray(fine, dtype=np.float32) - np.asarray(coarse, dtype=np.float32)


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
