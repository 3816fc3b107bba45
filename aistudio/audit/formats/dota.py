"""DOTA: ``x1 y1 x2 y2 x3 y3 x4 y4 class difficulty`` a line in pixels, ``labelTxt/NAME.txt``."""

from __future__ import annotations

from posixpath import basename, dirname, splitext

from aistudio.audit.numbered import named_classes
from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, ObjectRecord, Place
from aistudio.audit.tree import Tree, label_lines, printable, split_of

_HEADERS = ("imagesource", "gsd")
NO_LABELS = ("classes", "train", "val", "test", "readme")


def read(tree: Tree, options: Options) -> Labels:
    """Every image with the label file of its name in the same split."""
    labels = Labels(tree.root, "dota", [], positional=True, declared=bool(options.names()))
    texts = [n for n in tree.files if n.endswith(".txt") and splitext(basename(n))[0].lower() not in NO_LABELS]
    by_stem = {(splitext(basename(name))[0], split_of(dirname(name))): name for name in texts}
    images = [name for name in tree.images() if "labeltxt" not in dirname(name).lower()]
    if not any((splitext(basename(name))[0], split_of(dirname(name))) in by_stem for name in images):
        what = f"data.root={printable(tree.root)} has no labelled image"
        refuse(what, "labelTxt/NAME.txt belongs to images/NAME.png", "data.root", "another folder")
    named: list[tuple[ObjectRecord, str]] = []
    used = set()
    for name in images:
        split = split_of(dirname(name))
        file = by_stem.get((splitext(basename(name))[0], split))
        image = ImageRecord(name, split, Place(file or name), labelled=file is not None)
        labels.images.append(image)
        if file is None:
            labels.blame("missing_label", Place(name), "no label file belongs to this image")
            continue
        used.add(file)
        named += read_objects(tree, file, labels, image)
    for file in texts:
        if file not in used:
            labels.blame("missing_image", Place(file), "no image belongs to this label file")
    named_classes(labels, named, options)
    return labels


def read_objects(tree: Tree, file: str, labels: Labels, image: ImageRecord) -> list[tuple[ObjectRecord, str]]:
    """The objects of one file, each with the name of its class."""
    found = []
    for place, text, words in label_lines(tree, file, labels):
        if words[0].partition(":")[0].lower() in _HEADERS and ":" in text:
            continue
        record, wrong = _read_line(words, place)
        if wrong:
            labels.blame("bad_line", place, f"{wrong}: {text[:80]!r}")
            continue
        image.objects.append(record)
        found.append((record, words[8]))
    return found


def _read_line(words: list[str], place: Place) -> tuple[ObjectRecord, str]:
    """An object, and what is wrong with its line, or ""."""
    record = ObjectRecord(place, None)
    if len(words) not in (9, 10):
        return record, f"{len(words)} columns where there are ten, four corners, class and difficulty"
    try:
        record.corners = [float(word) for word in words[:8]]
    except ValueError:
        hint = ", which have a point, no comma" if "," in "".join(words[:8]) else ""
        return record, f"the first eight are not all numbers{hint}"
    if is_number(words[8]):
        return record, "the ninth is a number, and should be a class"
    if len(words) == 10 and words[9] not in ("0", "1", "2"):
        return record, "the difficulty is none of 0, 1, 2"
    record.difficult = len(words) == 10 and words[9] != "0"
    return record, ""


def is_number(word: str) -> bool:
    """Whether a word is a number."""
    try:
        float(word)
        return True
    except ValueError:
        return False
