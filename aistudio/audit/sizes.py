"""The size that labels refer to: what the image has, what the label file says, and what EXIF turns it into."""

from __future__ import annotations

import math
from collections.abc import Iterator

from aistudio.audit.corners import points_of, skew
from aistudio.audit.images import SOUND, ImageFacts
from aistudio.audit.records import Fault, ImageRecord, Labels, Place

Size = tuple[float, float]


def label_sizes(labels: Labels, facts: dict[str, ImageFacts]) -> dict[str, Size]:
    """Width and height in which the labels of each image are to be read."""
    found: dict[str, Size] = {}
    for image in labels.images:
        one = facts.get(image.name)
        if one and one.stored and one.size and one.fault in (*SOUND, "truncated_image"):
            found[image.name] = one.stored if _orientation_fault(image, one, labels) == "exif_rotation" else one.size
    return found


def check_sizes(labels: Labels, facts: dict[str, ImageFacts]) -> Iterator[Fault]:
    """Sizes that contradict the file, and images that EXIF turns away from their labels."""
    for image in labels.images:
        one = facts.get(image.name)
        if one is None or one.stored is None or one.fault not in SOUND:
            continue
        kind = _orientation_fault(image, one, labels)
        if kind:
            shown = f"EXIF orientation {one.orientation} shows {times(one.stored)} as {times(one.size)}"
            said = f"; the labels are for {times(image.size)}" if image.size else ""
            yield Fault(kind, Place(image.name), f"{shown}{said} ({image.place})")
        elif image.size and image.size != one.size:
            turned = ", with width and height changed over" if image.size[::-1] == one.size else ""
            said = f"{times(image.size)} is written, {image.name} has {times(one.size)}{turned}"
            yield Fault("wrong_size", image.place, said)


def _orientation_fault(image: ImageRecord, facts: ImageFacts, labels: Labels) -> str:
    """``exif_rotation`` where labels fit the image before it is turned, ``exif_unclear`` where they fit both, or ""."""
    if facts.orientation == 1 or not labels.positional or labels.format == "masks" or not facts.stored:
        return ""
    if not image.objects and not image.size:
        return ""
    stored, shown = facts.stored, facts.size
    if stored == shown:
        return "exif_unclear"
    if image.size:
        return "exif_rotation" if image.size == stored else ""
    before, after = (_misfits(image, size, labels) for size in (stored, shown))
    if before < after:
        return "exif_rotation"
    return "" if after < before else "exif_unclear"


def _misfits(image: ImageRecord, size: Size | None, labels: Labels) -> int:
    """How many objects leave an image of this size, or are no rectangles in it."""
    outside = sum(not inside(one, size, labels) for one in extents(image))
    turned = [points_of(one, size, labels) for one in image.objects if one.corners and labels.relative]
    return outside + sum(skew(points) > 0.1 for points in turned)


def extents(image: ImageRecord) -> list[list[float]]:
    """The coordinates x, y, x, y … of every object, as far as they are numbers."""
    found = [[*(one.box or one.corners or (one.rotated or ())[:2])] for one in image.objects]
    return [numbers for numbers in found if numbers and all(map(math.isfinite, numbers))]


def inside(numbers: list[float], size: Size | None, labels: Labels) -> bool:
    """Whether coordinates lie in an image of this size; shares of it always do, as far as anyone can tell."""
    if labels.relative or size is None:
        return True
    return max(numbers[::2]) <= size[0] + 1 and max(numbers[1::2]) <= size[1] + 1


def times(size: Size | None) -> str:
    """A size in words."""
    return f"{size[0]:g} x {size[1]:g}" if size else "an unknown size"
