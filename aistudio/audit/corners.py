"""Rotated boxes: four corners that go round a rectangle inside the image, or centre, size and an angle in degrees."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from aistudio.audit.boxes import Size, shown
from aistudio.audit.images import ImageFacts
from aistudio.audit.records import Fault, Labels, ObjectRecord

_OVERHANG = 2.0  # pixels, or a tenth of the longer side: a turned box may leave the image by a corner
ENOUGH = 5
Points = list[tuple[float, float]]


def check_corners(labels: Labels, facts: dict[str, ImageFacts], sizes: dict[str, Size]) -> Iterator[Fault]:
    """Every rotated box by itself, doubles, and the unit of all angles."""
    for image in labels.images:
        size = sizes.get(image.name)
        seen: dict[tuple, ObjectRecord] = {}
        for one in image.objects:
            numbers = one.corners or one.rotated
            if numbers is None:
                continue
            kind, message = judge(one, numbers, size, labels)
            if kind:
                yield Fault(kind, one.place, f"{shown(numbers)}{message}")
            elif (key := key_of(one, size, labels)) in seen:
                first = seen[key]
                same = first.label == one.label
                yield Fault("duplicate_box" if same else "box_with_two_classes", one.place, f"at {first.place} too")
            else:
                seen[key] = one
    yield from _check_units(labels)


def key_of(one: ObjectRecord, size: Size | None, labels: Labels) -> tuple:
    """What is equal for the same box, whichever corner comes first."""
    points = points_of(one, size, labels)
    return (*sorted((round(x), round(y)) for x, y in points),)


def points_of(one: ObjectRecord, size: Size | None, labels: Labels) -> Points:
    """The four corners in pixels."""
    if one.corners is None:
        return corners_of(*(one.rotated or ()))
    width, height = size if size and labels.relative else (1.0, 1.0)
    return [(one.corners[i] * width, one.corners[i + 1] * height) for i in range(0, 8, 2)]


def corners_of(cx: float, cy: float, w: float, h: float, degrees: float) -> Points:
    """The corners of a box that is turned counter-clockwise on the screen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = (cos * w / 2, -sin * w / 2), (sin * h / 2, cos * h / 2)
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [(cx + a * across[0] + b * down[0], cy + a * across[1] + b * down[1]) for a, b in signs]


def judge(one: ObjectRecord, numbers: Sequence[float], size: Size | None, labels: Labels) -> tuple[str, str]:
    """The kind of fault, and what is seen; "" for a sound box."""
    if not all(map(math.isfinite, numbers)):
        return "not_finite", ""
    if one.rotated is not None:
        cx, cy, w, h, angle = one.rotated
        if w < 0 or h < 0:
            return "inverted_box", f": {w:g} wide, {h:g} high"
        if abs(angle) > 180:
            return "angle_range", f": {angle:g} degrees"
    coordinates = one.corners if one.corners is not None else one.rotated[:4] if one.rotated else ()
    if labels.relative and max(map(abs, coordinates)) > 2:
        return "not_normalised", ": shares of the image are between 0 and 1"
    if not labels.relative and size and min(size) > 16 and min(coordinates) >= 0 and max(coordinates) <= 1:
        return "not_pixels", f" in an image of {size[0]:g} x {size[1]:g} pixels"
    points = points_of(one, size, labels)
    if labels.relative and size and min(size) > 16 and min(map(min, points)) >= 0 and max(map(max, points)) <= 1:
        return "box_format", ": all of it in the first pixel, as if divided twice by the image's size"
    return _judge_points(points, size)


def _judge_points(points: Points, size: Size | None) -> tuple[str, str]:
    """The corners of one box, in pixels."""
    if crosses(points[0], points[1], points[2], points[3]) or crosses(points[1], points[2], points[3], points[0]):
        return "corner_order", ": its sides cross"
    area = abs(_area_of(points))
    longest = max(math.dist(points[i], points[i - 1]) for i in range(4))
    if area < 1e-9 or area < 1e-3 * longest * longest:
        return "empty_box", f": an area of {area:.3g}"
    if size is not None:
        slack = max(_OVERHANG, 0.1 * longest)
        width, height = size
        xs, ys = [x for x, _ in points], [y for _, y in points]
        if min(*xs, *ys) < -slack or max(xs) > width + slack or max(ys) > height + slack:
            return "box_outside", f" leaves the image of {width:g} x {height:g}"
        if area < 4 or longest <= 4:
            return "tiny_box", f": {area:.3g} square pixels"
    if skew(points) > 0.3:
        return "not_a_rectangle", f": its diagonals differ by {skew(points):.0%}"
    return "", ""


def skew(points: Points) -> float:
    """How far from a rectangle: 0 where the diagonals are of one length and halve each other."""
    first, second = math.dist(points[0], points[2]), math.dist(points[1], points[3])
    middle = [((points[i][0] + points[i + 2][0]) / 2, (points[i][1] + points[i + 2][1]) / 2) for i in (0, 1)]
    longer = max(first, second)
    return max(abs(first - second), 2 * math.dist(*middle)) / longer if longer else 0.0


def crosses(a: Sequence[float], b: Sequence[float], c: Sequence[float], d: Sequence[float]) -> bool:
    """Whether the segments ab and cd cross."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _area_of(points: Points) -> float:
    """The signed area of a polygon."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True)) / 2


def _check_units(labels: Labels) -> Iterator[Fault]:
    """Angles in radians: of the whole set, or of one image; and angles that a polygon contradicts."""
    images = [[one for one in image.objects if one.rotated is not None] for image in labels.images]
    everything = [one for some in images for one in some]
    flat = _is_flat(everything, ENOUGH)
    for some in images:
        for one in some:
            angle = one.rotated[4] if one.rotated else 0.0
            kind = contradiction(one)
            if kind:
                yield Fault(kind, one.place, f"angle {angle:g}: the polygon says otherwise")
            elif flat or _is_flat(some, 3):
                which = "every angle of the set" if flat else "every angle of this image"
                yield Fault("angle_unit", one.place, f"angle {angle:g}: {which} is between -pi and pi")


def _is_flat(objects: list[ObjectRecord], enough: int) -> bool:
    """Whether so many angles are small enough for radians, and not all zero or whole numbers."""
    angles = [one.rotated[4] for one in objects if one.rotated and one.rotated[4] != 0]
    small = len(angles) >= enough and all(abs(angle) <= math.pi for angle in angles)
    return small and any(angle != int(angle) for angle in angles)


def contradiction(one: ObjectRecord) -> str:
    """The kind of fault of an angle that a polygon of four corners contradicts, or ""."""
    if not one.rotated or not one.polygons or len(one.polygons[0]) != 8 or not all(map(math.isfinite, one.rotated)):
        return ""
    cx, cy, w, h, angle = one.rotated
    if abs(angle) > 180:  # is wrong by itself
        return ""
    polygon = [(one.polygons[0][i], one.polygons[0][i + 1]) for i in range(0, 8, 2)]
    slack = max(2.0, 0.1 * max(w, h))
    if near(polygon, corners_of(cx, cy, w, h, angle), slack):
        return ""
    if near(polygon, corners_of(cx, cy, w, h, -angle), slack):
        return "angle_direction"
    return (
        "angle_unit" if near(polygon, corners_of(cx, cy, w, h, math.degrees(angle)), slack) else "polygon_box_mismatch"
    )


def near(one: Points, other: Points, slack: float) -> bool:
    """Whether each corner of one lies at a corner of the other."""
    return all(min(math.dist(p, q) for q in other) <= slack for p in one)


def _side(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
