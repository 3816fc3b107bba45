"""The worst findings to look at: what is wrong cut out of its image and framed, with what the audit says of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from aistudio.audit.audit import Audit
from aistudio.audit.findings import Finding
from aistudio.audit.images import FORMATS
from aistudio.audit.records import Fault, ImageRecord, Labels, ObjectRecord
from aistudio.audit.tree import printable
from aistudio.drawing import BAD, Canvas, Tile, colour, contact_sheet
from aistudio.drawing.colours import WHITE

if TYPE_CHECKING:
    from PIL import Image

MOST = 9  # cut-outs
COLUMNS, SIDE, LETTER = 3, 600, 28  # of the sheet, and pixels of a cut-out
MARGIN = 0.6  # of an object's longer side, on each side of it
LEAST = 24  # pixels of margin
GREY = (128, 128, 128)  # beyond the image
LISTED = 40  # objects drawn in a whole image
REACH = 0.5  # of the image: how much of what lies beyond it is shown
Points = list[tuple[float, float]]


def findings_sheet(audit: Audit) -> Image.Image | None:
    """A few places of every kind of finding, the worst kinds first; None where none of them can be shown."""
    tiles = [*islice(cut_outs(audit), MOST)]
    if not tiles:
        return None
    kinds, count = len(audit.findings), sum(finding.count for finding in audit.findings)
    heading = f"Findings: {kinds} kind{'s' * (kinds != 1)} in {count:,} place{'s' * (count != 1)}"
    return contact_sheet(tiles, heading, [f"{len(tiles)} of them cut out; findings.csv names all"], COLUMNS)


def cut_outs(audit: Audit) -> Iterator[Tile]:
    """A drawing of each place that can be drawn: the first of every kind, then the second, …"""
    objects = {one.place: (image, one) for image in audit.labels.images for one in image.objects}
    images = {name: image for image in audit.labels.images for name in (image.place, image.mask, image.name) if name}
    for finding, fault in _in_turn(audit.findings):
        image, one = objects.get(fault.place, (None, None))
        image = image or images.get(fault.place.file) or images.get(fault.place)
        if image is not None and (tile := _cut_out(audit, finding, fault, image, one)) is not None:
            yield tile


def _in_turn(findings: Sequence[Finding]) -> Iterator[tuple[Finding, Fault]]:
    """One place of each finding after another."""
    rounds = zip_longest(*([(finding, fault) for fault in finding.faults[:MOST]] for finding in findings))
    return (pair for pair in chain.from_iterable(rounds) if pair is not None)


def _cut_out(audit: Audit, finding: Finding, fault: Fault, image: ImageRecord, one: ObjectRecord | None) -> Tile | None:
    """The image, or the part of it around an object, framed; a grey field with words where it cannot be read."""
    from PIL import Image

    labels, is_mask = audit.labels, fault.place.file == image.mask
    opened = opened_mask(labels, image.mask or "") if is_mask else _opened_image(audit, image.name)
    unreadable = opened is None
    if unreadable and (one is not None or image.name not in audit.facts):
        return None  # another finding says that it cannot be read
    whole = opened or Image.new("RGB", (SIDE, SIDE * 2 // 3), GREY)
    outline = [] if one is None or unreadable else _outline_of(one, whole.size, labels)
    part = around(outline, whole.size) if outline else (0, 0, *whole.size)
    image_part, scale = framed(whole, part)
    drawn = Canvas(image_part, side=SIDE, letter=LETTER)
    others = () if is_mask or unreadable or outline else image.objects[:LISTED]
    for points in filter(None, (_outline_of(other, whole.size, labels) for other in others)):
        drawn.polygon([(x * scale, y * scale) for x, y in points], WHITE, dashed=True)
    if outline:
        drawn.polygon([((x - part[0]) * scale, (y - part[1]) * scale) for x, y in outline], BAD)
    if unreadable:
        drawn.corner("it cannot be shown")
    return Tile(drawn.finish([f"{finding.kind}: {printable(fault.message)}"]), printable(str(fault.place)))


def _opened_image(audit: Audit, name: str) -> Image.Image | None:
    """An image as its labels see it; None where it is broken."""
    from PIL import Image, ImageOps

    facts = audit.facts.get(name)
    if facts is None or facts.fault not in ("", "tiny_image"):
        return None
    try:
        with Image.open(audit.labels.path(name), formats=FORMATS) as file:
            return ImageOps.exif_transpose(file).convert("RGB")
    except Exception:  # a broken file makes decoders raise anything
        return None


def opened_mask(labels: Labels, name: str) -> Image.Image | None:
    """A mask with a colour for each id; None where it is broken."""
    from PIL import Image

    try:
        with Image.open(labels.path(name), formats=FORMATS) as file:
            if file.mode not in ("L", "P", "1"):
                return file.convert("RGB")
            ids = Image.frombytes("P", file.size, (file if file.mode != "1" else file.convert("L")).tobytes())
    except Exception:  # a broken file makes decoders raise anything
        return None
    ids.putpalette([0, 0, 0, *(part for index in range(1, 256) for part in colour(index))])
    return ids.convert("RGB")


def _outline_of(one: ObjectRecord, size: tuple[int, int], labels: Labels) -> Points:
    """The outline of an object in pixels of its image; none where it has no finite place near it."""
    if one.corners is not None:
        points = pairs(one.corners)
    elif one.rotated is not None:
        points = corners_of(*one.rotated[:5])
    elif one.box is not None:
        x1, y1, x2, y2 = one.box
        points = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    else:
        points = pairs((one.polygons or [[]])[0])
    scale = size if labels.relative else (1, 1)
    points = [(x * scale[0], y * scale[1]) for x, y in points]
    reach = 3 * max(size)
    near = all(math.isfinite(value) and -reach < value < reach for point in points for value in point)
    return points if near and len(points) > 2 else []


def pairs(numbers: Sequence[float]) -> Points:
    """x, y, x, y, … as points."""
    return [*zip(numbers[::2], numbers[1::2], strict=False)]


def corners_of(cx: float, cy: float, w: float, h: float, degrees: float) -> Points:
    """The corners of a rotated box; its angle counts counter-clockwise on the screen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    sides = [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]
    return [(cx + x * cos + y * sin, cy - x * sin + y * cos) for x, y in sides]


def around(points: Points, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of an image that shows an object with a margin; beyond the image only where the object is."""
    (x1, x2), (y1, y2) = ((min(values), max(values)) for values in zip(*points, strict=True))
    longer = max(x2 - x1, y2 - y1)
    half = longer / 2 + max(LEAST, MARGIN * longer)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    leaves = x1 < 0 or y1 < 0 or x2 > size[0] or y2 > size[1]
    beyond = [REACH * side if leaves else 0.0 for side in size]
    left, right = (min(max(value, -beyond[0]), size[0] + beyond[0]) for value in (x - half, x + half))
    top, bottom = (min(max(value, -beyond[1]), size[1] + beyond[1]) for value in (y - half, y + half))
    return math.floor(left), math.floor(top), math.ceil(max(right, left + 1)), math.ceil(max(bottom, top + 1))


def framed(image: Image.Image, part: tuple[int, int, int, int]) -> tuple[Image.Image, float]:
    """A part of an image, reduced to `SIDE` if it is larger, and by how much; what lies beyond the image is grey."""
    from PIL import Image

    left, top, right, bottom = part
    scale = min(1.0, SIDE / max(right - left, bottom - top))
    whole = Image.new("RGB", (math.ceil((right - left) * scale), math.ceil((bottom - top) * scale)), GREY)
    inside = max(0, left), max(0, top), min(image.width, right), min(image.height, bottom)
    if inside[0] < inside[2] and inside[1] < inside[3]:
        size = [max(1, round((inside[index + 2] - inside[index]) * scale)) for index in (0, 1)]
        seen = image.resize((size[0], size[1]), Image.Resampling.BILINEAR, inside, reducing_gap=2.0)
        whole.paste(seen, (round((inside[0] - left) * scale), round((inside[1] - top) * scale)))
    return whole, scale
