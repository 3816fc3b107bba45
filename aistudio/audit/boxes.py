"""Upright boxes: finite, with an area, inside the image, in the format that is stated, and each once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from aistudio.audit.images import ImageFacts
from aistudio.audit.records import Fault, Labels, ObjectRecord

TOLERANCE = 1.0  # pixels that a box may reach beyond the image, by rounding
TINY = 2.0  # pixels of the shorter side
_TINY_BOTH = 4.0  # or of the longer
SHARE = 0.2  # of all boxes: from here on the whole set is in another format
_SAME = 0.9  # intersection over union: other objects of one class hardly ever cover each other so far
ENOUGH = 8  # boxes from which a rule about all of them means something
OTHER = {"coco": "x1, y1, x2, y2", "yolo": "x1, y1, x2, y2", "voc": "x, y, w, h"}
Size = tuple[float, float]
Judged = tuple[ObjectRecord, str, str, bool]  # a box, what is wrong with it, and whether it fits otherwise


def check_boxes(labels: Labels, facts: dict[str, ImageFacts], sizes: dict[str, Size]) -> Iterator[Fault]:
    """Every upright box by itself, then all of a file or of a split together."""
    groups: dict[str, list[Judged]] = {}
    for image in labels.images:
        size = sizes.get(image.name)
        sound, judged_here = [], []
        for one in image.objects:
            if one.box is None:
                continue
            scaled = _in_pixels(one.box, size, labels.relative)
            kind, message = judge(one, scaled, size, labels)
            other = kind in ("box_outside", "inverted_box") and _fits_otherwise(one, size, labels)
            judged_here.append((one, kind, message, other))
            if not kind or kind == "tiny_box":
                sound.append((scaled, one))
        yield from check_duplicates(sound, labels)
        if _are_corners(judged_here, labels):
            said = "all boxes of this image look like corners"
            judged_here = [
                (one, "box_format", f"{shown(written(one, labels))}: {said}", True) for one, *_ in judged_here
            ]
        groups.setdefault(image.place.file if labels.format == "coco" else image.split, []).extend(judged_here)
    for judged in groups.values():
        yield from _check_format(judged, labels)
        yield from (fault for one, kind, *_ in judged if not kind for fault in _check_area(one))


def _check_area(one: ObjectRecord) -> Iterator[Fault]:
    """An area as it is written: more than nothing, and not far larger than its box."""
    if one.area is None or one.box is None:
        return
    most = (one.box[2] - one.box[0]) * (one.box[3] - one.box[1])
    if not 0 < one.area <= 2.1 * most + 2:
        yield Fault("area_mismatch", one.place, f"area {one.area:g}, its box has {most:g}")


def _check_format(judged: list[Judged], labels: Labels) -> Iterator[Fault]:
    """The faults of boxes that one program wrote, which may all be in another format than stated."""
    leaves = any(other for *_, other in judged)  # boxes that are all near the first corner look like corners, too
    if leaves and len(judged) >= ENOUGH and all(_looks_like_corners(one, labels) for one, *_ in judged):
        for one, *_ in judged:
            said = f"{shown(written(one, labels))}: in every box the last two exceed the first two, as corners do"
            yield Fault("box_format", one.place, said)
        return
    doubtful = sum(other for *_, other in judged) >= max(2, SHARE * len(judged))
    for one, kind, message, other in judged:
        if kind:
            hint = f"; read as {OTHER.get(labels.format, 'corners')} it would fit" if other else ""
            yield Fault("box_format" if other and doubtful else kind, one.place, message + hint)


def _are_corners(judged: list[Judged], labels: Labels) -> bool:
    """Whether the boxes of one image look like corners, all of them, and some would leave it otherwise."""
    doubtful = len(judged) >= 2 and any(other for *_, other in judged)
    return doubtful and all(_looks_like_corners(one, labels) for one, *_ in judged)


def judge(one: ObjectRecord, box: Sequence[float], size: Size | None, labels: Labels) -> tuple[str, str]:
    """The kind of fault of a box in pixels, and what is seen; "" for a sound one."""
    x1, y1, x2, y2 = box
    said = shown(written(one, labels))
    if not all(map(math.isfinite, one.box or ())):
        return "not_finite", said
    if x2 < x1 or y2 < y1:
        return "inverted_box", f"{said}: {x2 - x1:.5g} wide, {y2 - y1:.5g} high"
    if x2 - x1 < 1e-6 or y2 - y1 < 1e-6:
        return "empty_box", f"{said}: {x2 - x1:.5g} wide, {y2 - y1:.5g} high"
    if size is None:
        return "", ""
    width, height = size
    if labels.relative and max(map(abs, one.box or ())) > 2:
        return "not_normalised", f"{said}: shares of the image are between 0 and 1"
    if labels.relative and min(width, height) > 16 and min(box) >= 0 and max(box) <= 1:
        return "box_format", f"{said}: all of it in the first pixel, as if divided twice by the image's size"
    if not labels.relative and min(width, height) > 16 and min(box) >= 0 and max(box) <= 1:
        return "not_pixels", f"{said} in an image of {width:g} x {height:g} pixels"
    if min(x1, y1) < -TOLERANCE or x2 > width + TOLERANCE or y2 > height + TOLERANCE:
        if _surrounds_as_corners(one, labels):
            return "box_format", f"{said}: as x1, y1, x2, y2 it surrounds its polygon"
        return "box_outside", f"{said} leaves the image of {width:g} x {height:g}"
    if min(x2 - x1, y2 - y1) < TINY or max(x2 - x1, y2 - y1) <= _TINY_BOTH:
        return "tiny_box", f"{said}: {x2 - x1:.3g} x {y2 - y1:.3g} pixels"
    return "", ""


def _in_pixels(box: Sequence[float], size: Size | None, relative: bool) -> Sequence[float]:
    """x1, y1, x2, y2 in pixels; as they are where the size is not known."""
    if not relative or size is None:
        return box
    width, height = size
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def written(one: ObjectRecord, labels: Labels) -> tuple[float, ...]:
    """The four numbers as the format writes them."""
    x1, y1, x2, y2 = one.box or ()
    if labels.format == "coco":
        return x1, y1, x2 - x1, y2 - y1
    if labels.format == "yolo":
        return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    return x1, y1, x2, y2


def _looks_like_corners(one: ObjectRecord, labels: Labels) -> bool:
    """Whether the third and fourth number exceed the first two, where they are a width and a height."""
    if labels.format not in ("coco", "yolo") or one.polygons or one.rle:
        return False
    a, b, c, d = written(one, labels)
    return c > a > 0 and d > b > 0


def _surrounds_as_corners(one: ObjectRecord, labels: Labels) -> bool:
    """Whether the numbers, taken for corners, are the box around the object's polygons."""
    if not one.polygons or labels.relative:
        return False
    xs, ys = ([v for polygon in one.polygons for v in polygon[axis::2]] for axis in (0, 1))
    around = (min(xs, default=0), min(ys, default=0), max(xs, default=0), max(ys, default=0))
    return all(abs(a - b) <= TOLERANCE for a, b in zip(written(one, labels), around, strict=True))


def _fits_otherwise(one: ObjectRecord, size: Size | None, labels: Labels) -> bool:
    """Whether the numbers are a box inside the image in the format that they are most often mistaken for."""
    if size is None or labels.format not in OTHER:
        return False
    a, b, c, d = written(one, labels)
    x1, y1, x2, y2 = (a, b, a + c, b + d) if labels.format == "voc" else (a, b, c, d)
    width, height = (1.0, 1.0) if labels.relative else size
    return 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height


def check_duplicates(boxes: list[tuple[Sequence[float], ObjectRecord]], labels: Labels) -> Iterator[Fault]:
    """Boxes that are equal within a pixel: one object written twice, or one as two classes; and nearly equal ones."""
    boxes.sort(key=lambda pair: pair[0][0])
    for index, (box, one) in enumerate(boxes):
        slack = min(1.0, 0.02 * (box[2] - box[0]), 0.02 * (box[3] - box[1])) + 1e-9
        furthest = box[0] + max(slack, (1 - _SAME) * (box[2] - box[0]))
        for other, second in boxes[index + 1 :]:
            if other[0] > furthest:
                break
            if one.crowd != second.crowd:
                continue
            if all(abs(a - b) <= slack for a, b in zip(box, other, strict=True)):
                yield duplicate(one, second, labels)
            elif one.label == second.label and overlap(box, other) >= _SAME:
                yield near_duplicate(one, second, overlap(box, other))


def duplicate(one: ObjectRecord, second: ObjectRecord, labels: Labels) -> Fault:
    """The fault of two objects in one place."""
    first, later = (one, second) if _position(one) <= _position(second) else (second, one)
    if one.label == second.label:
        return Fault("duplicate_box", later.place, f"the same as {first.place}")
    names = [labels.classes[o.label] if o.label is not None else "no class" for o in (first, later)]
    return Fault("box_with_two_classes", later.place, f"{names[1]}, and {names[0]} at {first.place}")


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """The intersection of two boxes as a share of their union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (both - width * height)


def near_duplicate(one: ObjectRecord, second: ObjectRecord, share: float) -> Fault:
    """The fault of two boxes of one class that are hardly apart."""
    first, later = (one, second) if _position(one) <= _position(second) else (second, one)
    return Fault("near_duplicate_box", later.place, f"{share:.0%} of it and of {first.place} are the same")


def _position(one: ObjectRecord) -> tuple:
    return one.place.line or 0, len(one.place.id or ""), one.place.id or ""


def shown(numbers: Sequence[float]) -> str:
    """Numbers as one writes them."""
    return ", ".join(f"{number:.6g}" for number in numbers)
