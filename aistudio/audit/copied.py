"""Labels of one image that are another's, and masks that are nothing but boxes: exports that went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aistudio.audit.alike import correlation
from aistudio.audit.duplicates import objects_of
from aistudio.audit.records import Fault, ImageRecord, Labels, Place

if TYPE_CHECKING:
    from aistudio.audit.images import ImageFacts
    from aistudio.audit.masks import MaskFacts

_OTHER = 0.5  # correlation of thumbnails: below it, two images show different things
_OBJECTS = 2  # the same ones, from which on nobody has drawn them twice
_FEW = 0.2  # of all images: up to here copies are a mistake
_BOXES = 0.9  # of the masks of a file
_ENOUGH = 8


def check_copied(labels: Labels, facts: dict[str, ImageFacts], masks: dict[str, MaskFacts]) -> Iterator[Fault]:
    """Images that show something else than an earlier one, with exactly its objects or its mask.

    Where many do, it was meant: forms have their fields in one place.
    """
    first: dict[str, ImageRecord] = {}
    found = []
    for image in labels.images if labels.format != "mvtec" else ():
        what = _labels_of(image, masks)
        one = facts.get(image.name)
        if not what or one is None or one.thumbnail is None:
            continue
        other = first.setdefault(what, image)
        if image.mask is not None and image.mask == other.mask:
            continue
        if other.name != image.name and _likeness(one.thumbnail, facts[other.name].thumbnail) < _OTHER:
            said = f"the same as {other.mask or other.place}, and {image.name} shows something else than {other.name}"
            found.append(Fault("same_labels", image.place if image.mask is None else Place(image.mask), said))
    if len(found) <= _FEW * len(labels.images):
        yield from found


def _labels_of(image: ImageRecord, masks: dict[str, MaskFacts]) -> str:
    """What is equal for the same objects or the same mask; "" for too little to tell."""
    if image.mask is not None:
        mask = masks.get(image.mask)
        return mask.digest if mask is not None and len(mask.ids) > 1 else ""
    return objects_of(image) if len(image.objects) >= _OBJECTS else ""


def _likeness(one: Any, other: Any) -> float:
    """Of two thumbnails (16, 16, 3), in grey; 1 where one of them shows nothing."""
    grey = [thumbnail.astype("float64").mean(-1) for thumbnail in (one, other)]
    a, b = (thumbnail - thumbnail.mean() for thumbnail in grey)
    return correlation(a, b) if a.any() and b.any() else 1.0


def check_rectangles(labels: Labels) -> Iterator[Fault]:
    """Files whose polygons are upright rectangles, as where boxes were converted to masks."""
    files: dict[str, list[bool]] = {}
    for image in labels.images:
        for one in image.objects:
            if one.polygons:
                files.setdefault(image.place.file, []).append(all(map(_is_rectangle, one.polygons)))
    for file, found in files.items():
        if len(found) >= _ENOUGH and sum(found) >= _BOXES * len(found):
            yield Fault("mask_is_box", Place(file), f"{sum(found)} of {len(found)} polygons are upright rectangles")


def _is_rectangle(polygon: list[float]) -> bool:
    """Whether a polygon of four corners, closed or not, has upright sides."""
    return len(polygon) in (8, 10) and len({*polygon[::2]}) == len({*polygon[1::2]}) == 2
