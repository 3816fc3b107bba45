"""What a data set holds, in numbers: examples of each class, sizes, places and angles of objects, values. No images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aistudio.audit.audit import Audit
from aistudio.audit.classes import count_examples
from aistudio.audit.records import Labels, ObjectRecord
from aistudio.audit.sizes import label_sizes


@dataclass(frozen=True)
class Distribution:
    """``classes`` maps a class to its examples in each split, in the order of the classes; ``counted`` says what of.

    ``sizes`` are width and height of objects in pixels, ``places`` their centres as shares of the image, ``angles`` in
    degrees, ``objects`` how many there are in each image; ``values`` maps the name of a value to all of them.
    """

    splits: tuple[str, ...]
    counted: str
    classes: dict[str, tuple[int, ...]]
    sizes: list[tuple[float, float]] = field(default_factory=list)
    places: list[tuple[float, float]] = field(default_factory=list)
    angles: list[float] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)


def distribution(audit: Audit) -> Distribution:
    """The numbers of an audited data set; what is broken is left out."""
    labels = audit.labels
    splits = tuple(sorted({image.split for image in labels.images}))
    examples = count_examples(labels, audit.masks)
    none: Counter[int] = Counter()
    classes = {
        name: tuple(examples.get(split, none)[number] for split in splits)
        for number, name in enumerate([] if labels.value_names else labels.classes)
    }
    counted = "images" if labels.format == "masks" or not labels.positional else "objects"
    found = Distribution(splits, counted, classes, values=_values_of(labels))
    if labels.positional and labels.format != "masks":
        sizes = label_sizes(labels, audit.facts)
        for image in labels.images:
            found.objects.append(len(image.objects))
            for one in image.objects:
                note(found, one, sizes.get(image.name) or image.size, labels)
    return found


def _values_of(labels: Labels) -> dict[str, list[float]]:
    """The finite values of each column."""
    rows = [image.values for image in labels.images if image.values is not None]
    return {
        name: [row[index] for row in rows if math.isfinite(row[index])] for index, name in enumerate(labels.value_names)
    }


def note(found: Distribution, one: ObjectRecord, size: tuple[float, float] | None, labels: Labels) -> None:
    """Add an object's size, place and angle, where they are finite."""
    scale = size if labels.relative and size else (1.0, 1.0)
    if labels.relative and not size:
        return
    if one.rotated is not None:
        cx, cy, w, h, angle = one.rotated[:5]
    elif one.corners is not None:
        cx, cy, w, h, angle = of_corners([value * scale[index % 2] for index, value in enumerate(one.corners)])
    else:
        xs, ys = spans(one)
        if not xs:
            return
        x1, x2, y1, y2 = min(xs) * scale[0], max(xs) * scale[0], min(ys) * scale[1], max(ys) * scale[1]
        cx, cy, w, h, angle = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, math.nan
    if not all(map(math.isfinite, (cx, cy, w, h))) or w <= 0 or h <= 0:
        return
    found.sizes.append((w, h))
    if size:
        found.places.append((cx / size[0], cy / size[1]))
    if math.isfinite(angle):
        found.angles.append((angle + 90) % 180 - 90)


def spans(one: ObjectRecord) -> tuple[list[float], list[float]]:
    """All x and all y of an object's box, or of its polygons."""
    numbers: Sequence[float] = one.box if one.box is not None else [v for p in one.polygons or () for v in p]
    return list(numbers[::2]), list(numbers[1::2])


def of_corners(corners: Sequence[float]) -> tuple[float, float, float, float, float]:
    """Centre, sides and angle (counter-clockwise on the screen) of a box from its four corners."""
    xs, ys = corners[::2], corners[1::2]
    along, across = (xs[1] - xs[0], ys[1] - ys[0]), (xs[2] - xs[1], ys[2] - ys[1])
    angle = math.degrees(math.atan2(-along[1], along[0]))
    return sum(xs) / 4, sum(ys) / 4, math.hypot(*along), math.hypot(*across), angle
