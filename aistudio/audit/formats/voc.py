"""Pascal VOC: an XML file an image, ``Annotations/NAME.xml`` to ``JPEGImages/NAME.jpg``, splits in ``ImageSets``."""

from __future__ import annotations

from posixpath import basename, dirname, splitext
from xml.etree import ElementTree

from aistudio.audit.numbered import named_classes
from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, ObjectRecord, Place
from aistudio.audit.tree import SPLITS, Tree, folder_of, printable, split_of

_FEW_UNLISTED = 3
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read(tree: Tree, options: Options) -> Labels:
    """Every XML file as an image with its objects."""
    labels = Labels(tree.root, "voc", [], positional=True, declared=bool(options.names()))
    files = [name for name in tree.files if name.lower().endswith(".xml")]
    if not files:
        what = f"data.root={printable(tree.root)} has no XML file"
        refuse(what, "VOC's labels are in Annotations/NAME.xml", "data.root", "another folder")
    splits = _read_splits(tree, labels, {splitext(basename(name))[0] for name in files})
    stems: dict[str, list[str]] = {}
    for name in tree.images():
        if not {"segmentationclass", "segmentationobject"} & set(name.lower().split("/")):
            stems.setdefault(splitext(basename(name))[0], []).append(name)
    named: list[tuple[ObjectRecord, str]] = []
    for file in files:
        image = _read_file(tree, file, labels, splits, stems, named)
        if image is not None:
            labels.images.append(image)
    blame_unlabelled(labels, files, stems)
    _blame_unlisted(labels, splits)
    named_classes(labels, named, options)
    return labels


def _read_splits(tree: Tree, labels: Labels, known: set[str]) -> dict[str, str]:
    """The split of each stem that ``ImageSets/Main/train.txt`` and its like name."""
    found: dict[str, str] = {}
    order = ("train", "val", "test", "trainval")
    lists = [n for n in tree.files if "ImageSets/" in f"/{n}" and splitext(basename(n))[0] in SPLITS]
    for name in sorted(lists, key=lambda n: order.index(s) if (s := splitext(basename(n))[0]) in order else 9):
        listed: dict[str, int] = {}
        for line, text in enumerate(tree.path(name).read_text("utf-8", "replace").splitlines(), 1):
            stem = text.split()[0] if text.split() else ""
            if stem and listed.setdefault(stem, line) != line:
                labels.blame("duplicate_entry", Place(name, line), f"{stem} is on line {listed[stem]} too")
            if stem and stem not in known:
                labels.blame("missing_label", Place(name, line), f"there is no {stem}.xml")
            split = SPLITS[splitext(basename(name))[0]]
            if found.setdefault(stem, split) != split and not name.endswith("trainval.txt") and stem:
                labels.blame("image_in_two_splits", Place(name, line), f"{stem} is in {found[stem]} too")
    return found


def _read_file(
    tree: Tree, file: str, labels: Labels, splits: dict[str, str], stems: dict[str, list[str]], named: list
) -> ImageRecord | None:
    """One XML file, or None where it is none."""
    stem = splitext(basename(file))[0]
    data = tree.path(file).read_bytes()
    if not data.strip():
        labels.blame("empty_label_file", Place(file), "nothing is in it")
        return None
    try:
        root = parse(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        labels.blame("bad_line", Place(file, getattr(error, "position", (None,))[0]), f"no XML: {error}")
        return None
    if root.tag != "annotation":
        labels.blame("bad_entry", Place(file), f"it holds <{root.tag}>, and should hold <annotation>")
        return None
    split = splits.get(stem) or split_of(dirname(file))
    written = (root.findtext("filename") or "").strip()
    image = ImageRecord("", split, Place(file))
    image.name = _find_image(tree, written, stem, stems, image, labels)
    image.size = stated_size(root, image.place, labels)
    lines = _lines_of(data, b"<object")
    for index, node in enumerate(root.iter("object")):
        place = Place(file, lines[index] if index < len(lines) else None)
        found = read_object(node, place, labels)
        if found is not None:
            image.objects.append(found)
            named.append((found, (node.findtext("name") or "").strip()))
    return image


def parse(data: bytes) -> ElementTree.Element:
    """The root of a document; entities, which VOC never has and which can grow without end, are refused."""
    if b"<!ENTITY" in data or b"<!DOCTYPE" in data:
        raise ValueError("it declares a document type")
    return ElementTree.fromstring(data)


def _find_image(tree: Tree, written: str, stem: str, stems: dict, image: ImageRecord, labels: Labels) -> str:
    """The file that the XML means: the one that it names, else the one that has its name."""
    same = stems.get(stem, [])
    beside = [name for name in same if split_of(dirname(name)) == split_of(dirname(image.place.file))] or same
    name, kind = tree.resolve(written, folder_of([written], tree, image.split)) if written else ("", "missing_image")
    if (
        not kind
        and basename(name) == written.rpartition("/")[2]
        and len(beside) == 1
        and splitext(basename(name))[0] != stem
    ):
        labels.blame("bad_entry", image.place, f"it names {written}, and is itself named {stem}")
    if not kind and not beside:
        return name
    if kind == "outside_root":
        labels.blame(kind, image.place, written)
    elif beside and written and kind and splitext(basename(written))[0] != stem:
        labels.blame("bad_entry", image.place, f"it names {written}, which is not there; {beside[0]} is")
    elif not beside:
        labels.blame(kind, image.place, (written or f"{stem}.jpg") + (f" is {name}" if kind == "name_case" else ""))
    return beside[0] if beside else name or f"JPEGImages/{stem}.jpg"


def stated_size(root: ElementTree.Element, place: Place, labels: Labels) -> tuple[float, float] | None:
    """Width and height as written; None where nothing is."""
    texts = [root.findtext(f"size/{side}") for side in ("width", "height")]
    if texts == [None, None]:
        return None
    try:
        width, height = (float(text or "") for text in texts)
    except ValueError:
        labels.blame("bad_entry", place, f"width and height are {texts[0]!r} and {texts[1]!r}")
        return None
    return width, height


def read_object(node: ElementTree.Element, place: Place, labels: Labels) -> ObjectRecord | None:
    """One object, or None and a fault."""
    texts = [node.findtext(f"bndbox/{side}") for side in _SIDES]
    if not (node.findtext("name") or "").strip():
        labels.blame("bad_entry", place, "an object without a name")
        return None
    try:
        box = tuple(float((text or "").strip()) for text in texts)
    except ValueError:
        said = ", ".join(f"{side} {text!r}" for side, text in zip(_SIDES, texts, strict=True))
        labels.blame("bad_entry", place, f"bndbox is not four numbers: {said}")
        return None
    return ObjectRecord(place, None, box=box, difficult=(node.findtext("difficult") or "").strip() == "1")


def blame_unlabelled(labels: Labels, files: list[str], stems: dict[str, list[str]]) -> None:
    """Images to which no XML file belongs."""
    described = {splitext(basename(file))[0] for file in files}
    used = {image.name for image in labels.images}
    for stem, names in stems.items():
        for name in names:
            if stem not in described and name not in used:
                labels.blame("missing_label", Place(name), "no XML file belongs to this image")


def _blame_unlisted(labels: Labels, splits: dict[str, str]) -> None:
    """The few that no list of a split names, where lists name all others; many are of a list for another task."""
    missing = [image for image in labels.images if splitext(basename(image.place.file))[0] not in splits]
    if splits and len(missing) <= max(_FEW_UNLISTED, len(labels.images) // 50):
        for image in missing:
            labels.blame("unlisted_image", image.place, "no list in ImageSets names it")


def _lines_of(data: bytes, mark: bytes) -> list[int]:
    """The lines on which a tag begins."""
    return [number for number, line in enumerate(data.split(b"\n"), 1) for _ in range(line.count(mark))]
