"""Classes: their names, and how many examples each has in each split."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from aistudio.audit.masks import MaskFacts
from aistudio.audit.records import Fault, ImageRecord, Labels, Place

BACKGROUND = {
    "background",
    "bg",
    "back_ground",
    "_background_",
    "__background__",
    "void",
    "none",
    "nothing",
    "unlabeled",
}
_IMBALANCE = 20  # times as many examples of the most frequent class
_JOINED = re.compile(r"[|;,]")  # what people write between several labels in one cell
_LOOK_ALIKE = str.maketrans("аеорсухіѕјԁοαν", "aeopcyxisjdoav")  # letters of other alphabets that look Latin
LONG = 5  # letters of names in which one may be mistyped


def check_names(labels: Labels) -> Iterator[Fault]:
    """Names that are one name, look like one, or mean the background."""
    names = [*dict.fromkeys(labels.classes)]
    for split in labels.split_classes.values():
        names += [name for name in split if name not in names]
    examples = Counter(labels.classes[i] for image in labels.images for i in _numbers_in(image, labels, {}))
    for index, name in enumerate(names):
        place = _place_of_name(labels, name)
        if labels.positional and plain(name) in BACKGROUND and not (labels.format == "masks" and index == 0):
            yield Fault("background_class", place, f"class {index} is named {name!r}")
        for other in names[:index]:
            rarer, commoner = (other, name) if examples[other] < examples[name] else (name, other)
            said = f"{rarer!r} ({examples[rarer]} examples) and {commoner!r} ({examples[commoner]})"
            if plain(name) == plain(other) or _singular(name) == _singular(other):
                yield Fault("same_class_name", _place_of_name(labels, rarer), said)
            elif _is_similar(plain(name), plain(other)):
                yield Fault("similar_class_names", _place_of_name(labels, rarer), said)
        if joined := _joined(name, names):
            yield Fault("similar_class_names", place, f"{name!r}: several labels in one, {' and '.join(joined)}?")
    for name, count in Counter(labels.classes).items():
        if count > 1:
            yield Fault(
                "same_class_name", labels.class_places.get(name, Place(".")), f"{count} classes are named {name!r}"
            )


def _place_of_name(labels: Labels, name: str) -> Place:
    """Where a class was declared."""
    return labels.class_places.get(name, Place(".", id=f"class {name}"))


def plain(name: str) -> str:
    """A name without what people write now one way, now another, nor letters that cannot be seen."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return "_".join(seen.casefold().translate(_LOOK_ALIKE).replace("-", " ").replace("_", " ").split())


def _joined(name: str, names: Iterable[str]) -> list[str]:
    """The classes that a name is made of, where it is several of them."""
    parts = [part.strip() for part in _JOINED.split(name)]
    return parts if len(parts) > 1 and {*map(plain, parts)} <= {*map(plain, names)} else []


def _singular(name: str) -> str:
    """A plain name without the s of a plural."""
    one = plain(name)
    return one[:-1] if len(one) > 3 and one.endswith("s") and not one.endswith("ss") else one


def _is_similar(one: str, other: str) -> bool:
    """Whether two names differ by one letter: two changed over, one left out, or one mistyped in a long name."""
    if any(letter.isdigit() for letter in one + other) or abs(len(one) - len(other)) > 1 or one == other:
        return False
    if len(one) != len(other):
        shorter, longer = sorted((one, other), key=len)
        return len(shorter) >= LONG and any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))
    wrong = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(wrong) == 1:
        return len(one) > LONG
    swapped = len(wrong) == 2 and (wrong[1] == wrong[0] + 1 or len(one) > LONG)
    return swapped and one[wrong[0]] == other[wrong[1]] and one[wrong[1]] == other[wrong[0]]


def check_counts(labels: Labels, splits: Mapping[str, Counter]) -> Iterator[Fault]:
    """Classes without an example, with one, or with far fewer than others; ``splits`` is from `count_examples`."""
    if labels.format == "mvtec" or not labels.classes or labels.classes == ["normal", "anomalous"]:
        return
    total = sum(splits.values(), Counter())
    train = splits.get("train") or total
    unnamed = {n for n in range(len(labels.classes)) if not total[n]}
    for number in sorted(unnamed):
        yield Fault("unused_class", _place_of(labels, number), f"{labels.classes[number]!r} has no example")
    for number in sorted(total):
        if not train[number]:
            said = f"{labels.classes[number]!r} has {total[number]} examples, none of them in train"
            yield Fault("class_missing_in_train", _place_of(labels, number), said)
        elif train[number] == 1:
            yield Fault("single_example", _place_of(labels, number), f"{labels.classes[number]!r} has one example")
    many = [number for number in train if train[number] > 1]
    rarest = min(many, key=train.__getitem__, default=0)
    commonest = max(many, key=train.__getitem__, default=0)
    if many and train[commonest] >= _IMBALANCE * train[rarest]:
        few, most = labels.classes[rarest], labels.classes[commonest]
        said = f"{train[rarest]} examples of {few!r}, {train[commonest]} of {most!r}"
        yield Fault("imbalance", _place_of(labels, rarest), said)
    if len(labels.classes) == 1 and not labels.positional:
        yield Fault("single_class", _place_of(labels, 0), f"{labels.classes[0]!r} alone")


def count_examples(labels: Labels, masks: Mapping[str, MaskFacts]) -> dict[str, Counter[int]]:
    """The examples of each class in each split: images, objects, or images whose mask has it."""
    found: dict[str, Counter[int]] = {}
    for image in labels.images:
        found.setdefault(image.split, Counter()).update(_numbers_in(image, labels, masks))
    return found


def _numbers_in(image: ImageRecord, labels: Labels, masks: Mapping[str, MaskFacts]) -> list[int]:
    """The class of everything in an image."""
    if labels.format == "masks":
        mask = masks.get(image.mask or "")
        return [i for i in mask.ids if 0 <= i < len(labels.classes)] if mask else []
    if image.label is not None:
        return [image.label]
    return [one.label for one in image.objects if one.label is not None]


def _place_of(labels: Labels, number: int) -> Place:
    """Where a class was declared, or its first example."""
    name = labels.classes[number]
    if name in labels.class_places:
        return labels.class_places[name]
    first = next(
        (i.place for i in labels.images if i.label == number or any(o.label == number for o in i.objects)), None
    )
    return first or Place(".", id=f"class {name}")
