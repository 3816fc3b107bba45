"""Polygons and run-length encodings: whole, uncrossed, inside the image, and where their box is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aistudio.audit.boxes import Size, shown
from aistudio.audit.images import ImageFacts
from aistudio.audit.records import Fault, Labels, ObjectRecord
from aistudio.audit.rle import box_of, read_counts

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 2.0  # pixels, or a twentieth of the box, between a box and what it surrounds
MANY = 400  # corners; a polygon with more is not looked at for crossings
PAIRS = 4_000_000  # of sides that are compared at a time
Box = tuple[float, float, float, float]


def check_polygons(labels: Labels, facts: dict[str, ImageFacts], sizes: dict[str, Size]) -> Iterator[Fault]:
    """Every polygon and every encoded mask."""
    sound: dict[int, list[tuple[list[float], ObjectRecord]]] = {}
    for image in labels.images:
        size = sizes.get(image.name)
        for one in image.objects:
            if one.rle is not None:
                yield from _check_rle(one, size)
            if one.polygons is None or one.rotated is not None:
                continue
            fault = _check_shape(one, size, labels)
            if fault:
                yield fault
                continue
            for polygon in one.polygons:
                sound.setdefault(len(polygon), []).append((polygon, one))
    for length, some in sound.items():
        if 8 <= length <= 2 * MANY:
            yield from _check_crossings(length // 2, some)


def _check_shape(one: ObjectRecord, size: Size | None, labels: Labels) -> Fault | None:
    """The first thing that is wrong with an object's polygons."""
    scale = size if labels.relative and size else (1.0, 1.0)
    left, top, right, bottom = math.inf, math.inf, -math.inf, -math.inf
    for polygon in one.polygons or ():
        if len(polygon) < 6 or len(polygon) % 2:
            return Fault("bad_polygon", one.place, f"{len(polygon)} numbers: {shown(polygon[:8])}")
        if not all(map(math.isfinite, polygon)):
            return Fault("not_finite", one.place, f"a polygon with {shown(polygon[:8])}")
        xs, ys = polygon[::2], polygon[1::2]
        left, right = min(left, *xs), max(right, *xs)
        top, bottom = min(top, *ys), max(bottom, *ys)
    if math.isinf(left):
        return None
    around = (left * scale[0], top * scale[1], right * scale[0], bottom * scale[1])
    if around[2] - around[0] < 1e-6 or around[3] - around[1] < 1e-6 or all(map(_is_flat, one.polygons or ())):
        return Fault("bad_polygon", one.place, f"it has no area: {shown((one.polygons or [[]])[0][:8])}")
    if size is not None and not labels.relative and max(around) <= 1 and min(size) > 16:
        return Fault("not_pixels", one.place, f"a polygon within {shown(around)}")
    if size is not None and leaves(around, size) and not (one.box and leaves(one.box, size) and not labels.relative):
        return Fault("polygon_outside", one.place, f"it spans {shown(around)} in an image of {size[0]:g} x {size[1]:g}")
    return None if labels.relative else _check_agreement(one, around, size)


def _is_flat(polygon: Sequence[float]) -> bool:
    """Whether the three or four corners of a polygon lie on one line; more hardly ever do."""
    if len(polygon) > 8:
        return False
    steps = [(polygon[i] - polygon[0], polygon[i + 1] - polygon[1]) for i in range(2, len(polygon), 2)]
    x, y = max(steps, key=lambda step: math.hypot(*step))
    return all(abs(x * b - y * a) <= 1e-6 * (x * x + y * y) for a, b in steps)


def leaves(box: Sequence[float], size: Size) -> bool:
    """Whether a box goes beyond an image by more than rounding does."""
    return min(box[0], box[1]) < -1 or box[2] > size[0] + 1 or box[3] > size[1] + 1


def _check_agreement(one: ObjectRecord, around: Box, size: Size | None) -> Fault | None:
    """Whether a box is where its polygon or mask is."""
    box = one.box
    if box is None or not all(map(math.isfinite, box)) or (size and leaves((*box,), size)):
        return None
    slack = max(TOLERANCE, 0.05 * max(around[2] - around[0], around[3] - around[1]))
    if max(abs(a - b) for a, b in zip(box, around, strict=True)) <= slack:
        return None
    said = f"the box spans {shown(box)}, what it surrounds {shown(around)}"
    written = (box[0], box[1], box[2] - box[0], box[3] - box[1])
    if max(abs(a - b) for a, b in zip(written, around, strict=True)) <= slack:
        return Fault("box_format", one.place, f"{said}: the box is written as x1, y1, x2, y2")
    return Fault("polygon_box_mismatch", one.place, said)


def _check_rle(one: ObjectRecord, size: Size | None) -> Iterator[Fault]:
    """An encoded mask: of the image's size, and filling it exactly."""
    rle = one.rle or {}
    stated = rle.get("size")
    if not isinstance(stated, list) or len(stated) != 2 or not all(type(s) is int and s > 0 for s in stated):
        yield Fault("bad_rle", one.place, f"size is {stated!r}, and should be [height, width]")
        return
    height, width = stated
    try:
        counts = read_counts(rle.get("counts"))
    except ValueError as error:
        yield Fault("bad_rle", one.place, str(error))
        return
    if size is not None and (width, height) != (*size,):
        turned = ": height comes first" if (height, width) == (*size,) else ""
        said = f"a mask of {width} x {height}, an image of {size[0]:g} x {size[1]:g}{turned}"
        yield Fault("rle_size", one.place, said)
    elif sum(counts) != height * width:
        yield Fault("bad_rle", one.place, f"its runs hold {sum(counts)} pixels, the mask {height * width}")
    elif (around := box_of(counts, height)) is None:
        yield Fault("empty_mask", one.place, "no pixel is set")
    elif fault := _check_agreement(one, around, size):
        yield fault


def _check_crossings(corners: int, polygons: list[tuple[list[float], ObjectRecord]]) -> Iterator[Fault]:
    """Which of the polygons with so many corners cross themselves."""
    import numpy as np

    block = max(1, PAIRS // corners**2)
    blamed = set()
    for start in range(0, len(polygons), block):
        some = polygons[start : start + block]
        points = np.array([polygon for polygon, _ in some], dtype=np.float64).reshape(len(some), corners, 2)
        bent = np.flatnonzero(~_is_convex(points))
        for index, first, second in _crossings(points[bent]):
            one = some[bent[index]][1]
            if one.place not in blamed:
                blamed.add(one.place)
                yield Fault("self_crossing", one.place, f"side {first + 1} of {corners} crosses side {second + 1}")


def _is_convex(points: np.ndarray) -> np.ndarray:
    """``points`` (N, K, 2): (N,) bool, which polygons turn one way and go round once, and so never cross themselves."""
    import numpy as np

    steps = np.roll(points, -1, axis=1) - points
    after = np.roll(steps, -1, axis=1)
    turns = steps[..., 0] * after[..., 1] - steps[..., 1] * after[..., 0]
    one_way = (turns > 0).all(1) | (turns < 0).all(1)
    right = steps[..., 0] > 0
    return one_way & ((right != np.roll(right, -1, axis=1)).sum(1) == 2)


def _crossings(points: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """``points`` (N, K, 2): the polygons that cross themselves, each with the first two sides that do."""
    import numpy as np

    ends = np.roll(points, -1, axis=1)
    x1, y1, x2, y2 = points[..., 0], points[..., 1], ends[..., 0], ends[..., 1]

    def side(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """On which side of each edge (axis 1) each point (axis 2) lies."""
        dx, dy = (x2 - x1)[:, :, None], (y2 - y1)[:, :, None]
        return np.sign(dx * (y[:, None] - y1[:, :, None]) - dy * (x[:, None] - x1[:, :, None]))

    apart = side(x1, y1) * side(x2, y2) < 0
    both = apart & apart.transpose(0, 2, 1)
    found: dict[int, tuple[int, int]] = {}
    for index, first, second in np.argwhere(both):
        found.setdefault(int(index), (int(first), int(second)))
    for index, (first, second) in found.items():
        yield index, first, second
