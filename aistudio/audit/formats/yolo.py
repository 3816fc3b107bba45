"""YOLO: a text file an image, a line an object, ``class cx cy w h`` in shares of the image; polygons are read too."""

from __future__ import annotations

from collections.abc import Callable
from posixpath import basename, splitext

from aistudio.audit.numbered import plausible_count
from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, ObjectRecord, Place
from aistudio.audit.tree import Tree, folder_of, is_image_name, label_lines, printable, read_text, split_of
from aistudio.audit.yaml_names import DataYaml, line_of, read_data_yaml

NO_LABELS = ("classes", "train", "val", "valid", "test", "readme", "obj", "notes")
Shape = Callable[[list[float], ObjectRecord], str]


def read(tree: Tree, options: Options) -> Labels:
    """Boxes, or polygons with the boxes around them."""
    labels = read_set(tree, options, "yolo", upright)
    if options.task == "instance_segmentation":
        for one in (one for image in labels.images for one in image.objects if one.polygons is None):
            labels.blame("missing_mask", one.place, "a box where the others are polygons")
    return labels


def upright(numbers: list[float], found: ObjectRecord) -> str:
    """Four numbers are a box, six or more a polygon; what is wrong with them, or ""."""
    if len(numbers) == 4:
        x, y, w, h = numbers
        found.box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        return ""
    if len(numbers) < 6 or len(numbers) % 2:
        return f"{1 + len(numbers)} columns where there are five, class cx cy w h"
    found.polygons = [numbers]
    found.box = (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
    return ""


def read_set(tree: Tree, options: Options, name: str, shape: Shape) -> Labels:
    """A set of YOLO's layout, whatever the numbers of a line mean."""
    labels = Labels(tree.root, name, [], relative=True, positional=True)
    described = read_data_yaml(tree, options, labels)
    names = options.names() or described.names
    found = _images_of_splits(tree, described, labels)
    texts = {file for file in tree.files if file.endswith(".txt")}
    if not any(_label_of(image, texts) for image, _ in found):
        what = f"data.root={printable(tree.root)} has no labelled image"
        refuse(what, "labels/train/NAME.txt belongs to images/train/NAME.jpg", "data.root", "another folder")
    used, read_ids = set(), []
    for image, split in found:
        text = _label_of(image, texts)
        record = ImageRecord(image, split, Place(text or image), labelled=text is not None)
        labels.images.append(record)
        if text is None:
            continue
        used.add(text)
        read_ids += [(obj, number) for obj, number in read_objects(tree, text, labels, record, shape)]
    _number_objects(labels, read_ids, names, described.file)
    _check_other_names(tree, labels, names)
    blame_unlabelled(labels)
    _blame_unused(tree, labels, texts - used, found)
    return labels


def blame_unlabelled(labels: Labels) -> None:
    """Images without a label file: lost labels where others of the set have an empty one, else maybe background."""
    empty = any(image.labelled and not image.objects for image in labels.images)
    kind, said = ("missing_label", "others have an empty one") if empty else ("no_label_file", "is nothing in it?")
    for image in labels.images:
        if not image.labelled:
            labels.blame(kind, image.place, f"no label file belongs to this image: {said}")


def _images_of_splits(tree: Tree, described: DataYaml, labels: Labels) -> list[tuple[str, str]]:
    """Every image with its split: as data.yaml says, or as the folders do."""
    found: dict[str, str] = {}
    for split, sources in described.splits.items():
        for source in sources:
            for name in _images_of(tree, source, labels):
                if found.setdefault(name, split) != split:
                    place = Place(described.file, line_of(tree, described.file, split))
                    labels.blame("image_in_two_splits", place, f"{name} is in {found[name]} too")
    if not found:
        below = tree.images("images") or tree.images()
        found = {name: split_of(name.rpartition("/")[0]) for name in below}
    return [*found.items()]


def _images_of(tree: Tree, source: str, labels: Labels) -> list[str]:
    """The images of a folder, or those that a text file lists."""
    if tree.has_folder(source):
        return tree.images(source)
    lines = [line.strip() for line in read_text(tree, source).splitlines()]
    folders = folder_of([line for line in lines if line], tree)
    found = []
    for number, line in enumerate(lines, 1):
        if line:
            name, kind = tree.resolve(line.removeprefix("./"), folders)
            if kind:
                labels.blame(kind, Place(source, number), line)
            else:
                found.append(name)
    return found


def _label_of(image: str, texts: set[str]) -> str | None:
    """The label file of an image: ``images`` becomes ``labels``, or it lies beside it."""
    stem = splitext(image)[0]
    parts = stem.split("/")
    swapped = [parts[:i] + ["labels"] + parts[i + 1 :] for i, part in enumerate(parts[:-1]) if part == "images"]
    candidates = ["/".join(one) + ".txt" for one in reversed(swapped)] + [f"{stem}.txt"]
    if not swapped:
        candidates += ["/".join([*parts[:-1], "labels", parts[-1]]) + ".txt", f"labels/{stem}.txt"]
    return next((name for name in candidates if name in texts), None)


def _label_name(image: str) -> str:
    """The name that the label file of an image should have."""
    head, images, rest = splitext(image)[0].rpartition("images/")
    return f"{head}labels/{rest}.txt" if images else f"{rest}.txt"


def read_objects(tree: Tree, file: str, labels: Labels, image: ImageRecord, shape: Shape) -> list:
    """The objects of one file, each with the number of its class."""
    found = []
    for place, text, words in label_lines(tree, file, labels):
        try:
            number, numbers = float(words[0]), [float(word) for word in words[1:]]
        except ValueError:
            hint = ": numbers have a point, no comma" if "," in text else ""
            labels.blame("bad_line", place, f"not all numbers{hint}: {text[:80]!r}")
            continue
        record = ObjectRecord(place, None)
        wrong = shape(numbers, record)
        if wrong:
            labels.blame("bad_line", place, f"{wrong}: {text[:80]!r}")
            continue
        image.objects.append(record)
        found.append((record, number))
    return found


def _number_objects(labels: Labels, read_ids: list, names: list[str], file: str) -> None:
    """Check every class number against the names, or against each other where there are none."""
    whole = [int(number) for _, number in read_ids if number == number and abs(number) < 1e9 and number == int(number)]
    labels.declared = bool(names)
    labels.classes = names or [str(number) for number in range(plausible_count(whole))]
    labels.class_places = {name: Place(file, id=f"class {i}") for i, name in enumerate(names)} if file else {}
    for record, number in read_ids:
        known = number == number and abs(number) < 1e9 and number == int(number) and 0 <= number < len(labels.classes)
        record.label = int(number) if known else None
        if not known:
            said = f"class {number:g} where there are {len(labels.classes)}, 0 … {len(labels.classes) - 1}"
            labels.blame("class_out_of_range", record.place, said)


def _check_other_names(tree: Tree, labels: Labels, names: list[str]) -> None:
    """A ``classes.txt``, as labelling programs write it, with the same names in another order."""
    for file in (name for name in tree.files if basename(name) == "classes.txt"):
        written = [line.strip() for line in read_text(tree, file).splitlines() if line.strip()]
        if names and written != names and {*written} & {*names}:
            other = next((i for i, pair in enumerate(zip(written, names, strict=False)) if pair[0] != pair[1]), None)
            if other is not None:
                said = f"class {other} is {written[other]!r} here, and {names[other]!r} in the names that are used"
                labels.blame("class_index_shift", Place(file, other + 1), said)


def _blame_unused(tree: Tree, labels: Labels, texts: set[str], found: list[tuple[str, str]]) -> None:
    """Label files that belong to no image, and images of the same folders that no split names."""
    if any(fault.kind == "missing_split" for fault in labels.faults):
        return  # they are that split's
    without = {_label_name(image.name).lower(): image.name for image in labels.images if not image.labelled}
    for file in sorted(texts):
        if file.lower() in without:
            labels.blame("name_case", Place(file), f"its image is {without[file.lower()]}")
            continue
        known_text = splitext(basename(file))[0].lower() in NO_LABELS or "/" not in file
        if not known_text and ("labels" in file.split("/") or _is_label_text(tree, file)):
            labels.blame("missing_image", Place(file), "no image belongs to this label file")
    _blame_endings(tree, labels, without)
    known = {image for image, _ in found}
    if any("images" in image.split("/") for image in known):
        labels.unlisted = [n for n in tree.images() if "images" in n.split("/") and n not in known]


def _blame_endings(tree: Tree, labels: Labels, without: dict[str, str]) -> None:
    """Label files that only Windows takes for such: ``NAME.TXT``."""
    for file in tree.files:
        if file.endswith((".TXT", ".Txt")) and file.lower() in without:
            labels.blame("name_case", Place(file), f"its image is {without[file.lower()]}")


def _is_label_text(tree: Tree, file: str) -> bool:
    """Whether the first line of a text looks like an object."""
    with open(tree.path(file), "rb") as opened:
        words = opened.readline(4096).split()
    return len(words) >= 5 and words[0].isdigit() and not is_image_name(file)
