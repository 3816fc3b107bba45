"""Classes as text or as numbers that nobody has named."""

from __future__ import annotations

from collections import Counter
from statistics import median

from aistudio.audit.options import Options
from aistudio.audit.records import ImageRecord, Labels, ObjectRecord

NOTHING = ("nan", "<na>", "null", "n/a", "#n/a", "?", "#ref!", "#value!", "#name?", "#div/0!")  # for an empty cell


def number_classes(labels: Labels, written: list[tuple[ImageRecord, str]], options: Options) -> None:
    """Number the labels of images: by the stated names, by their own numbers, or in the order of the alphabet."""
    written = [(image, "" if text.strip().lower() in NOTHING else text) for image, text in written]
    texts = [text for _, text in written]
    stated = options.names()
    ids = [_number_of(text) for text in texts]
    filled = [text for text in texts if text.strip()]
    numeric = sum(_number_of(text) is not None for text in filled) * 2 > len(filled)
    if stated:
        known = {name: index for index, name in enumerate(stated)}
        numbers = [
            known.get(t, i if i is not None and 0 <= i < len(stated) else None) for t, i in zip(texts, ids, strict=True)
        ]
        labels.classes, labels.declared = stated, True
    elif numeric:
        many = options.num_classes or plausible_count([i for i in ids if i is not None])
        numbers = [i if i is not None and 0 <= i < many else None for i in ids]
        labels.classes, labels.declared = [str(i) for i in range(many)], True
    else:
        labels.classes = sorted({text for text in texts if text.strip()})
        numbers = [labels.classes.index(text) if text.strip() else None for text in texts]
    for (image, text), number in zip(written, numbers, strict=True):
        image.label = number
        if number is None and text.strip():
            said = f"{text!r} is no class of the {len(labels.classes)}: {', '.join(labels.classes[:20])}"
            labels.blame("class_out_of_range", image.place, said)
        elif number is None:
            labels.blame("missing_value", image.place, "the label is empty")
        if number is not None:
            labels.class_places.setdefault(labels.classes[number], image.place)


def named_classes(labels: Labels, named: list[tuple[ObjectRecord, str]], options: Options) -> None:
    """Number the classes of objects that are called by their names: as stated, or in the order of the alphabet."""
    labels.classes = options.names() or sorted({name for _, name in named})
    numbers = {name: index for index, name in enumerate(labels.classes)}
    for record, name in named:
        record.label = numbers.get(name)
        labels.class_places.setdefault(name, record.place)
        if record.label is None:
            labels.blame("class_out_of_range", record.place, f"{name} is none of {', '.join(labels.classes)}")


def _number_of(text: str) -> int | None:
    """A whole number, or None."""
    try:
        value = float(text)
        return int(value) if value == int(value) else None
    except (ValueError, OverflowError):
        return None


def plausible_count(ids: list[int]) -> int:
    """How many classes there are, where only their numbers are known.

    Numbers go up from 0 with hardly a gap. One after a gap is no class if the gap is wider than what came before, or
    if it has hardly an example.
    """
    counts = Counter(i for i in ids if i >= 0)
    usual = median(counts.values()) if counts else 0
    highest = -1
    for seen, number in enumerate(sorted(counts)):
        gap = number - highest - 1
        if gap > max(seen, 1) or (gap and counts[number] * 4 <= usual):
            break
        highest = number
    return highest + 1
