"""COCO: JSON with ``images``, ``annotations`` and ``categories``; boxes x, y, w, h or cx, cy, w, h, degrees.

Every entry is looked at for itself: what is broken is blamed and passed over, and the rest is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, ObjectRecord, Place
from aistudio.audit.tree import Tree, folder_of, nearest, printable, split_of

HUGE = re.compile(rb"\d{19}")
NUMBERS = frozenset((int, float))
KEYS = ("images", "annotations", "categories")


def read(tree: Tree, options: Options) -> Labels:
    """All files of instances, each one a split."""
    labels = Labels(tree.root, "coco", [], positional=True, declared=True)
    documents = [(name, load(tree, name)) for name in _find_documents(tree, options)]
    others = [(name, found) for name, found in documents if not _is_coco(found)]
    meant = [(name, found) for name, found in others if options.annotations or _is_named_as_instances(name)]
    if meant or len(others) == len(documents):
        _refuse_kind(meant or others)
    documents = [(name, found) for name, found in documents if _is_coco(found)]
    numbers: dict[str, Hashable] = {}
    listed: dict[str, set[str]] = {}
    for name, document in documents:
        categories = _read_categories(document["categories"], name, labels, numbers)
        folder, images = _read_images(document["images"], name, tree, labels, options)
        _read_annotations(document["annotations"], name, labels, categories, images, options)
        listed.setdefault(folder, set()).update(image.name for image in images.values())
    for folder, names in listed.items():
        labels.unlisted += [name for name in tree.images(folder) if name not in names]
    everything = {image.name for image in labels.images}
    labels.unlisted = sorted({name for name in labels.unlisted if name not in everything})
    return labels


def _find_documents(tree: Tree, options: Options) -> list[str]:
    """The JSON files that are named, or those that hold instances by their names, or all."""
    there = [name for name in tree.files if name.lower().endswith(".json")]
    if options.annotations:
        named = [options.annotations] if isinstance(options.annotations, str) else [*options.annotations]
        for name in named:
            if name not in tree.names:
                refuse(f"data.annotations={name} is not there", "", "data.annotations", nearest(str(name), there[:10]))
        return [str(name) for name in named]
    if not there:
        what = f"data.root={printable(tree.root)} has no JSON file"
        refuse(what, "COCO's labels are in one, annotations/instances_train.json", "data.annotations", "another folder")
    return [name for name in there if _is_named_as_instances(name)] or there


def _is_named_as_instances(name: str) -> bool:
    """Whether a file has one of the names that files of objects have."""
    return name.rpartition("/")[2].startswith(("instances", "_annotations.coco"))


def load(tree: Tree, name: str) -> Any:
    """A JSON document. Refuses half of one."""
    text = tree.path(name).read_bytes()
    try:
        return json.loads(text, parse_int=whole) if HUGE.search(text) else json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{name}:{error.lineno}:{error.colno}"
        refuse(f"{where} is where the JSON breaks off or goes wrong", error.msg, "data.annotations", "the whole file")
    except UnicodeDecodeError as error:
        refuse(f"{name} is not UTF-8", f"{error.reason} at byte {error.start}", "data.annotations", "the file in UTF-8")
    except RecursionError:
        refuse(f"{name} is nested too deeply", "no COCO file is", "data.annotations", "another file")
    except ValueError as error:  # integers of thousands of digits
        refuse(f"{name} holds a number that nobody can read", str(error), "data.annotations", "another file")


def whole(digits: str) -> int | float:
    """A whole number; one that no float can hold would overflow in every sum."""
    return int(digits) if len(digits) <= 18 else float(digits)


def _is_coco(document: Any) -> bool:
    """Whether it has COCO's three lists."""
    return isinstance(document, dict) and all(isinstance(document.get(key), list) for key in KEYS)


def _refuse_kind(documents: list[tuple[str, Any]]) -> list:
    """Refuse JSON of another kind."""
    name, document = documents[0]
    has = (
        f"an object with {', '.join([*document][:8])}" if isinstance(document, dict) else f"a {type(document).__name__}"
    )
    refuse(f"{name} is no COCO file", f"it holds {has}", "data.annotations", f"an object with {', '.join(KEYS)}")


def _read_categories(entries: list, file: str, labels: Labels, numbers: dict[str, Hashable]) -> dict[Hashable, int]:
    """The class of every category id. ``numbers`` keeps the id of each name across files."""
    found: dict[Hashable, int] = {}
    names: list[tuple[str, Any]] = []
    for index, entry in enumerate(entries):
        number, name = (entry.get("id"), entry.get("name")) if isinstance(entry, dict) else (None, None)
        place = Place(file, id=f"category {number if number is not None else f'at index {index}'}")
        if not isinstance(number, int) or not isinstance(name, str):
            labels.blame("bad_entry", place, f"a category needs a whole number as id and a name: {short(entry)}")
            continue
        if number in found:
            labels.blame("duplicate_id", place, f"category id {number} is {names[0][0]} or {name}")
            continue
        same = [other for known, other in names if known == name]
        if same:
            labels.blame("same_class_name", place, f"categories {same[0]} and {number} are both named {name!r}")
        if numbers.setdefault(name, number) != number and not same:
            said = f"{name} is category {number} here, and {numbers[name]} in another split"
            labels.blame("class_index_shift", place, said)
        if name not in labels.classes:
            labels.classes.append(name)
            labels.class_places[name] = place
        names.append((name, number))
        found[number] = labels.classes.index(name)
    return found


def _read_images(
    entries: list, file: str, tree: Tree, labels: Labels, options: Options
) -> tuple[str, dict[Hashable, ImageRecord]]:
    """The images by their ids, and the folder in which they lie."""
    split = split_of(file.rpartition("/")[2]) or split_of(file)
    named = [
        entry["file_name"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("file_name"), str)
    ]
    folders = [options.images] if options.images else folder_of(named, tree, split, file.rpartition("/")[0])
    images: dict[Hashable, ImageRecord] = {}
    seen: dict[str, Any] = {}
    for index, entry in enumerate(entries):
        number, name = (entry.get("id"), entry.get("file_name")) if isinstance(entry, dict) else (None, None)
        place = Place(file, id=f"image {number if number is not None else f'at index {index}'}")
        if not isinstance(number, int | str) or not isinstance(name, str):
            labels.blame("bad_entry", place, f"an image needs id and file_name: {short(entry)}")
            continue
        if number in images:
            labels.blame("duplicate_id", place, f"image id {number} is {images[number].name} and {name}")
            continue
        path, kind = tree.resolve(name, folders)
        if kind:
            labels.blame(kind, place, name + (f" is {path}" if kind == "name_case" else ""))
        if path in seen:
            labels.blame("duplicate_entry", place, f"{name} is image {seen[path]} already")
        seen[path] = number
        images[number] = image = ImageRecord(path, split, place)
        image.size = stated_size(entry, place, labels)
        labels.images.append(image)
    return folders[0], images


def stated_size(entry: dict, place: Place, labels: Labels) -> tuple[float, float] | None:
    """Width and height as the entry says; None and a fault where it does not."""
    width, height = entry.get("width"), entry.get("height")
    if isinstance(width, int | float) and isinstance(height, int | float) and min(width, height) > 0:
        return width, height
    labels.blame("bad_entry", place, f"width={short(width)}, height={short(height)}")
    return None


def _read_annotations(
    entries: list, file: str, labels: Labels, categories: dict, images: dict[Hashable, ImageRecord], options: Options
) -> None:
    """Give every image its objects."""
    seen: set[Any] = set()
    for index, entry in enumerate(entries):
        number = entry.get("id") if isinstance(entry, dict) else None
        place = Place(file, id=f"annotation {number}" if number is not None else f"annotation at index {index}")
        if not isinstance(entry, dict):
            labels.blame("bad_entry", place, f"an annotation is an object: {short(entry)}")
            continue
        if isinstance(number, int | str):
            if number in seen:
                labels.blame("duplicate_id", place, f"annotation id {number} is there already")
            seen.add(number)
        else:
            labels.blame("bad_entry", place, f"an annotation needs an id: {short(number)}")
        image = images.get(entry.get("image_id")) if isinstance(entry.get("image_id"), int | str) else None
        if image is None:
            labels.blame("unknown_image", place, f"image_id {short(entry.get('image_id'))} is no image of this file")
            continue
        image.objects.append(read_object(entry, place, labels, categories, options))


def read_object(entry: dict, place: Place, labels: Labels, categories: dict, options: Options) -> ObjectRecord:
    """One annotation; what cannot be read is blamed and left out."""
    category, box, shape = entry.get("category_id"), entry.get("bbox"), entry.get("segmentation")
    label = categories.get(category) if isinstance(category, int) else None
    if label is None:
        labels.blame("class_out_of_range", place, f"category_id {short(category)} is no category of this file")
    found = ObjectRecord(place, label, crowd=entry.get("iscrowd") in (1, True))
    if entry.get("iscrowd", 0) not in (0, 1):
        labels.blame("bad_entry", place, f"iscrowd is {short(entry['iscrowd'])}, and should be 0 or 1")
    found.area = entry.get("area") if _are_numbers([entry.get("area")]) else None
    _read_box(box, found, labels, place, options)
    if isinstance(shape, dict):
        found.rle = shape
    elif isinstance(shape, list) and shape:
        polygons = shape
        found.polygons = [polygon for polygon in polygons if isinstance(polygon, list) and _are_numbers(polygon)]
        if len(found.polygons) < len(polygons):
            labels.blame(
                "bad_polygon", place, f"it should be a list of polygons, each a list of numbers: {short(shape)}"
            )
    elif shape not in (None, [], {}):
        labels.blame("bad_polygon", place, f"segmentation is {short(shape)}")
    if options.task in ("instance_segmentation", "segmentation") and shape in (None, [], {}):
        labels.blame("missing_mask", place, f"segmentation is {short(shape)}")
    return found


def _read_box(box: Any, found: ObjectRecord, labels: Labels, place: Place, options: Options) -> None:
    """An upright box of four numbers, or a rotated one of five."""
    rotated = options.task == "oriented_object_detection"
    if not isinstance(box, list) or len(box) != 4 + rotated or not _are_numbers(box):
        asked = "cx, cy, w, h, degrees" if rotated else "x, y, w, h"
        if box is not None or options.task != "segmentation":
            labels.blame("bad_entry", place, f"bbox {short(box)} is not {asked}")
    elif rotated:
        found.rotated = box
    else:
        x, y, w, h = box
        found.box = (x, y, x + w, y + h)


def _are_numbers(values: list) -> bool:
    """Whether all are numbers; NaN and infinity are."""
    return NUMBERS.issuperset(map(type, values))


def short(value: Any) -> str:
    """A value in a few words."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
