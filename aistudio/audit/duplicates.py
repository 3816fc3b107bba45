"""One image twice: byte for byte, or in another size or quality; in one split or two, under one label or two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aistudio.audit.images import FORMATS, ImageFacts, digest
from aistudio.audit.records import Fault, ImageRecord, Labels, Place
from aistudio.audit.tree import Tree

if TYPE_CHECKING:
    import numpy as np

BLOCK = 40.0  # of 255: how far a sixteenth of the side may differ in the same image
ALIKE = 0.98  # correlation of thumbnails
SHARES = 3  # pixels of the smaller image to one of the details that are compared, which are 16 to 256 a side
SAME_DETAIL = 0.65  # correlation of details: another photograph of the same scene has other grain
FLAT = 4.0  # of 255: an image without more contrast is like any other
CANDIDATES = 20  # for each image
ROWS = 2048  # thumbnails that are compared with all others at a time


def check_duplicates(tree: Tree, labels: Labels, facts: dict[str, ImageFacts]) -> Iterator[Fault]:
    """Every image that is there before, in the order of the list."""
    images = {image.name: image for image in labels.images}
    sound = [name for name in images if name in facts and facts[name].fault in ("", "tiny_image")]
    first: dict[str, str] = {}
    for name, other in equal_files(tree, sound, facts):
        first[name] = other
        yield from compare(images[other], images[name], "the same bytes as")
    rest = [name for name in sound if name not in first and facts[name].thumbnail is not None]
    for name, other in alike(tree, rest, facts):
        yield from compare(images[other], images[name], "nearly the same image as")


def equal_files(tree: Tree, names: list[str], facts: dict[str, ImageFacts]) -> Iterator[tuple[str, str]]:
    """Pairs of a file and the first one with the same bytes; only files of one length are read."""
    by_size: dict[int, list[str]] = {}
    for name in names:
        by_size.setdefault(facts[name].bytes, []).append(name)
    for some in by_size.values():
        seen: dict[str, str] = {}
        for name in some if len(some) > 1 else ():
            other = seen.setdefault(digest(tree, name) or name, name)
            if other != name:
                yield name, other


def alike(tree: Tree, names: list[str], facts: dict[str, ImageFacts]) -> Iterator[tuple[str, str]]:
    """Pairs of images with the same content in another size or quality."""
    import numpy as np

    if len(names) < 2:
        return
    thumbnails = np.stack([facts[name].thumbnail for name in names]).astype(np.float32)
    flat = thumbnails.reshape(len(names), -1)
    centred = flat - flat.mean(1, keepdims=True)
    spread = centred.std(1)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    contrasted = spread >= FLAT
    for start in range(0, len(names), ROWS):
        close = (unit[start : start + ROWS] @ unit.T >= ALIKE) & contrasted
        for row in np.flatnonzero(contrasted[start : start + ROWS]):
            one = int(row) + start
            for other in np.flatnonzero(close[row, :one])[:CANDIDATES]:
                same = np.abs(flat[one] - flat[other]).max() <= BLOCK
                if same and same_details(tree, names[one], names[other], facts):
                    yield names[one], names[other]
                    break


def same_details(tree: Tree, one: str, other: str, facts: dict[str, ImageFacts]) -> bool:
    """Whether what is left of two images without their broad shapes is the same."""
    import numpy as np

    shortest = min(side for name in (one, other) for side in facts[name].stored or (0,))
    side = max(16, min(256, shortest // SHARES))
    a, b = detail(tree, one, side), detail(tree, other, side)
    if a is None or b is None:
        return False
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return scale > 0 and float((a * b).sum()) / scale >= SAME_DETAIL


def detail(tree: Tree, name: str, side: int) -> np.ndarray | None:
    """(side, side) float32: the grey image less what one of half the size says; None where it cannot be read."""
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(tree.path(name), formats=FORMATS) as file:
            grey = ImageOps.exif_transpose(file).convert("L")
    except Exception:  # it was read before; whatever changed since is not this check's matter
        return None
    fine = grey.resize((side, side), Image.Resampling.BOX)
    coarse = fine.resize((side // 2, side // 2), Image.Resampling.BOX).resize(fine.size, Image.Resampling.BILINEAR)
    return np.asarray(fine, dtype=np.float32) - np.asarray(coarse, dtype=np.float32)


def compare(first: ImageRecord, second: ImageRecord, how: str) -> Iterator[Fault]:
    """What it means that one image is another."""
    place, said = Place(second.name), f"{how} {first.name} ({first.place})"
    sides = [first.split or "no split", second.split or "no split"]
    if first.split != second.split:
        yield Fault("image_in_two_splits", place, f"{said}; {sides[1]} and {sides[0]}")
    exact = how.startswith("the same")
    if contradict(first, second, exact):
        yield Fault("image_with_two_labels", place, f"{said}, with another label")
    elif first.split == second.split:
        yield Fault("duplicate_image" if exact else "near_duplicate", place, said)


def contradict(first: ImageRecord, second: ImageRecord, exact: bool) -> bool:
    """Whether two records say different things of one image; objects are compared only in equal files."""
    if (first.label, first.values) != (second.label, second.values):
        return True
    return exact and described(first) != described(second)


def described(image: ImageRecord) -> list[tuple]:
    """The objects in an order of their own."""
    return sorted((one.label or 0, *(one.box or one.corners or one.rotated or ())) for one in image.objects)
