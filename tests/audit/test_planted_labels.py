"""Wrong boxes, corners, angles, polygons, run lengths and classes: in every format in which they occur."""

import json
import math

import pytest
from labelled_sets import CLASSES, H, W, dota_line, names, obb_line, objects, photo, save, seed_of, voc_text, yolo_line
from planting import Fault, annotation, edit_json, expect, image_entry, line, name_of, replace, turn, word

JSON = "annotations/instances_train.json"
YOLO, OBB = "labels/train/img001.txt", "labels/train/img001.txt"
DOTA = "train/labelTxt/img001.txt"
VOC = "Annotations/img001.xml"
FIRST = objects(1)  # of img001: three objects
X1, Y1, X2, Y2 = FIRST[0][1]


def at(number):
    """The place of the annotation of img001 with this number, from 1; img001 is the second image, with 4 to 6."""
    return (f"{JSON}, annotation {3 + number}",)


def box(*numbers):
    """Change the first box of img001, and its polygon's absence with it."""
    return annotation(4, bbox=list(numbers))


def yolo(*numbers, label=None):
    said = FIRST[0][0] if label is None else label
    return line(YOLO, 1, f"{said} " + " ".join(map(str, numbers)))


def voc(**sides):
    """Change sides of the first box of img001."""

    def plant(root):
        path = root / VOC
        text = path.read_text()
        for side, value in sides.items():
            start = text.index(f"<{side}>")
            end = text.index(f"</{side}>")
            text = text[: start + len(side) + 2] + str(value) + text[end:]
        path.write_text(text)

    return plant


def dota(*numbers, name=CLASSES[FIRST[0][0]], difficulty="0"):
    return line(DOTA, 3, " ".join(map(str, (*numbers, name, difficulty))))


def obb(*numbers):
    return line(OBB, 1, f"{FIRST[0][0]} " + " ".join(map(str, numbers)))


def every_line(split_folder, write):
    """Write all labels of a set of text files anew, with another writer."""

    def plant(root):
        for split in ("train", "val"):
            for stem in names(split):
                path = root / split_folder.format(split=split) / f"{stem}.txt"
                path.write_text("\n".join(write(*one) for one in objects(seed_of(stem))) + "\n")

    return plant


def every_annotation(change, split="train"):
    def apply(document):
        for entry in document["annotations"]:
            change(entry)

    return edit_json(f"annotations/instances_{split}.json", apply)


def corners(entry):
    x, y, w, h = entry["bbox"]
    entry["bbox"] = [x, y, x + w, y + h]


LINE, DOTA_LINE, OBB_LINE, VOC_LINE = (f"{YOLO}:1",), (f"{DOTA}:3",), (f"{OBB}:1",), (f"{VOC}:5",)
C = objects(1)[0]
SQUARE = [X1, Y1, X2, Y1, X2, Y2, X1, Y2]  # clockwise from the top left
RELATIVE = [value / (H if i % 2 else W) for i, value in enumerate(SQUARE)]
BOXES = [
    Fault("coco", "not_finite", at(1), box(math.nan, Y1, 30, 20)),
    Fault("coco", "not_finite", at(1), box(X1, Y1, math.inf, 20)),
    Fault("coco", "empty_box", at(1), box(X1, Y1, 0, 20)),
    Fault("coco", "inverted_box", at(1), box(X1, Y1, -30, 20)),
    Fault("coco", "box_outside", at(1), box(W - 10, Y1, 40, 20)),
    Fault("coco", "box_outside", at(1), box(-20, Y1, 40, 20)),
    Fault("coco", "tiny_box", at(1), box(X1, Y1, 1, 1)),
    Fault("coco", "tiny_box", at(1), box(X1, Y1, 3, 3)),
    Fault("coco", "not_pixels", at(1), box(0.1, 0.2, 0.3, 0.4)),
    Fault("coco", "duplicate_box", at(2), annotation(5, bbox=[X1, Y1, X2 - X1, Y2 - Y1], category_id=FIRST[0][0] + 1)),
    Fault("coco", "box_with_two_classes", at(2), annotation(5, bbox=[X1, Y1, X2 - X1, Y2 - Y1])),
    Fault("coco", "area_mismatch", at(1), annotation(4, area=99999)),
    Fault("coco", "area_mismatch", at(1), annotation(4, area=0)),
    Fault("coco", "bad_entry", at(1), box(1, 2, 3)),
    Fault("coco", "bad_entry", at(1), annotation(4, bbox=...)),
    Fault("coco", "bad_entry", at(1), annotation(4, bbox=["1", "2", "3", "4"])),
    Fault("coco_polygons", "not_finite", at(1), box(math.nan, Y1, 30, 20)),
    Fault("yolo", "not_finite", LINE, yolo("nan", 0.5, 0.2, 0.2)),
    Fault("yolo", "empty_box", LINE, yolo(0.5, 0.5, 0, 0.2)),
    Fault("yolo", "inverted_box", LINE, yolo(0.5, 0.5, -0.2, 0.2)),
    Fault("yolo", "box_outside", LINE, yolo(0.95, 0.5, 0.3, 0.2)),
    Fault("yolo", "tiny_box", LINE, yolo(0.5, 0.5, 0.005, 0.005)),
    Fault("yolo", "not_normalised", LINE, yolo(80, 60, 30, 20)),
    Fault("yolo", "duplicate_box", (f"{YOLO}:4",), line(YOLO, 4, yolo_line(*FIRST[0]))),
    Fault("yolo", "box_with_two_classes", (f"{YOLO}:4",), line(YOLO, 4, yolo_line((FIRST[0][0] + 1) % 3, FIRST[0][1]))),
    Fault("yolo", "bad_line", LINE, yolo(0.5, 0.5, 0.2)),
    Fault("yolo", "bad_line", LINE, yolo("0,5", "0,5", "0,2", "0,2")),
    Fault("yolo", "bad_line", LINE, line(YOLO, 1, "dog 0.5 0.5 0.2 0.2")),
    Fault("voc", "inverted_box", VOC_LINE, voc(xmin=round(X2), xmax=round(X1))),
    Fault("voc", "empty_box", VOC_LINE, voc(xmax=round(X1))),
    Fault("voc", "box_outside", VOC_LINE, voc(xmax=W + 40)),
    Fault("voc", "tiny_box", VOC_LINE, voc(xmax=round(X1) + 1)),
    Fault("voc", "not_pixels", VOC_LINE, voc(xmin=0.1, ymin=0.1, xmax=0.4, ymax=0.4)),
    Fault("voc", "not_finite", VOC_LINE, voc(xmin="nan")),
    Fault("voc", "bad_entry", VOC_LINE, voc(xmin="")),
    Fault("voc", "bad_entry", VOC_LINE, replace(VOC, f"<name>{CLASSES[FIRST[0][0]]}</name>", "")),
    Fault("voc", "bad_line", (f"{VOC}:17",), replace(VOC, "</size>", "")),
    Fault("voc", "bad_line", (VOC,), replace(VOC, "<annotation>", '<!DOCTYPE a [<!ENTITY x "y">]>\n<annotation>')),
]
CORNERS = [
    Fault("dota", "corner_order", DOTA_LINE, dota(X1, Y1, X2, Y2, X2, Y1, X1, Y2)),
    Fault("dota", "empty_box", DOTA_LINE, dota(X1, Y1, X2, Y1, X2, Y1, X1, Y1)),
    Fault("dota", "not_finite", DOTA_LINE, dota("nan", *SQUARE[1:])),
    Fault("dota", "box_outside", DOTA_LINE, dota(*[v + 140 * (i % 2 == 0) for i, v in enumerate(SQUARE)])),
    Fault("dota", "not_pixels", DOTA_LINE, dota(*RELATIVE)),
    Fault("dota", "tiny_box", DOTA_LINE, dota(10, 10, 12, 10, 12, 12, 10, 12)),
    Fault("dota", "not_a_rectangle", DOTA_LINE, dota(X1, Y1, X2, Y1, X1 + 5, Y2, X1, Y2)),
    Fault("dota", "duplicate_box", (f"{DOTA}:6",), line(DOTA, 6, dota_line(*FIRST[0]))),
    Fault("dota", "bad_line", DOTA_LINE, line(DOTA, 3, "1 2 3 4 5 6 7 8")),
    Fault("dota", "bad_line", DOTA_LINE, dota("1,5", *SQUARE[1:])),
    Fault("dota", "bad_line", DOTA_LINE, dota(*SQUARE, difficulty="easy")),
    Fault("dota", "bad_line", DOTA_LINE, dota(*SQUARE, name="3")),
    Fault("yolo_obb", "corner_order", OBB_LINE, obb(*[RELATIVE[i] for i in (0, 1, 4, 5, 2, 3, 6, 7)])),
    Fault("yolo_obb", "empty_box", OBB_LINE, obb(*[RELATIVE[i] for i in (0, 1, 2, 3, 2, 3, 0, 1)])),
    Fault("yolo_obb", "not_finite", OBB_LINE, obb("nan", *RELATIVE[1:])),
    Fault("yolo_obb", "box_outside", OBB_LINE, obb(*[v + 0.9 * (i % 2 == 0) for i, v in enumerate(RELATIVE)])),
    Fault("yolo_obb", "not_normalised", OBB_LINE, obb(*SQUARE)),
    Fault("yolo_obb", "bad_line", OBB_LINE, line(OBB, 1, "0 0.5 0.5 0.2 0.2 30")),
    Fault("coco_rotated", "angle_range", at(1), annotation(4, bbox=lambda b: [*b[:4], 400], segmentation=...)),
    Fault("coco_rotated", "angle_direction", at(1), annotation(4, bbox=lambda b: [*b[:4], -b[4]])),
    Fault("coco_rotated", "angle_unit", at(1), annotation(4, bbox=lambda b: [*b[:4], math.radians(b[4])])),
    Fault("coco_rotated", "not_finite", at(1), annotation(4, bbox=lambda b: [*b[:4], math.nan])),
    Fault("coco_rotated", "inverted_box", at(1), annotation(4, bbox=lambda b: [b[0], b[1], -b[2], *b[3:]])),
    Fault("coco_rotated", "polygon_box_mismatch", at(1), annotation(4, bbox=lambda b: [b[0], b[1] + 25, *b[2:]])),
    Fault("coco_rotated", "bad_entry", at(1), annotation(4, bbox=lambda b: b[:4])),
]


def shapeless(change):
    """Change every annotation of train and leave its polygon out."""

    def both(entry):
        entry.pop("segmentation")
        change(entry)

    return every_annotation(both)


def in_radians(entry):
    entry["bbox"][4] = math.radians(entry["bbox"][4])


ALL = [
    Fault("coco", "box_format", (), every_annotation(corners)),
    Fault(
        "yolo",
        "box_format",
        (),
        every_line(
            "labels/{split}", lambda label, b, _: f"{label} {b[0] / W:.5f} {b[1] / H:.5f} {b[2] / W:.5f} {b[3] / H:.5f}"
        ),
    ),
    Fault(
        "voc", "box_format", (), lambda root: [write_voc_sizes(root, stem) for stem in names("train") + names("val")]
    ),
    Fault(
        "yolo",
        "not_normalised",
        (),
        every_line(
            "labels/{split}",
            lambda label, b, _: f"{label} {(b[0] + b[2]) / 2} {(b[1] + b[3]) / 2} {b[2] - b[0]} {b[3] - b[1]}",
        ),
    ),
    Fault(
        "yolo_obb",
        "not_normalised",
        (),
        every_line("labels/{split}", lambda *one: f"{one[0]} " + dota_line(*one).rsplit(" ", 2)[0]),
    ),
    Fault(
        "dota",
        "not_pixels",
        (),
        every_line("{split}/labelTxt", lambda *one: obb_line(*one).split(" ", 1)[1] + f" {CLASSES[one[0]]} 0"),
    ),
    Fault("coco_rotated", "angle_unit", (), shapeless(in_radians)),
]


def write_voc_sizes(root, stem):
    text = voc_text(stem)
    for _, (x1, y1, x2, y2), _ in objects(seed_of(stem)):
        old = f"<xmax>{round(x2)}</xmax><ymax>{round(y2)}</ymax>"
        text = text.replace(old, f"<xmax>{round(x2) - round(x1)}</xmax><ymax>{round(y2) - round(y1)}</ymax>")
    (root / f"Annotations/{stem}.xml").write_text(text)


POLYGON = [X1, Y1, X2, Y1, X2, Y2, X1, Y2]
SHAPES = [
    Fault("coco_polygons", "bad_polygon", at(1), annotation(4, segmentation=[[X1, Y1, X2, Y2]])),
    Fault("coco_polygons", "bad_polygon", at(1), annotation(4, segmentation=[POLYGON[:7]])),
    Fault(
        "coco_polygons",
        "bad_polygon",
        at(1),
        annotation(4, segmentation=[["a", "b", "c", 1, 2, 3]]),
        also=("missing_mask",),
    ),
    Fault("coco_polygons", "bad_polygon", at(1), annotation(4, segmentation="polygon"), also=("missing_mask",)),
    Fault("coco_polygons", "not_finite", at(1), annotation(4, segmentation=[[math.nan, *POLYGON[1:]]])),
    Fault("coco_polygons", "self_crossing", at(1), annotation(4, segmentation=[[X1, Y1, X2, Y2, X2, Y1, X1, Y2]])),
    Fault(
        "coco_polygons",
        "polygon_outside",
        at(1),
        annotation(4, segmentation=[[X1, Y1, W + 50, Y1, W + 50, Y2, X1, Y2]]),
    ),
    Fault(
        "coco_polygons",
        "polygon_box_mismatch",
        at(1),
        annotation(4, segmentation=[[v + 25 * (i % 2) for i, v in enumerate(POLYGON)]]),
    ),
    Fault("coco_polygons", "polygon_box_mismatch", at(1), annotation(4, bbox=lambda b: [b[0], b[1], b[2] / 2, b[3]])),
    Fault("coco_polygons", "box_format", at(1), annotation(4, bbox=lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])),
    Fault("coco_polygons", "missing_mask", at(1), annotation(4, segmentation=...)),
    Fault("coco_polygons", "missing_mask", at(1), annotation(4, segmentation=[])),
    Fault(
        "coco_polygons",
        "rle_size",
        (f"{JSON}, annotation 31",),
        annotation(31, segmentation=lambda s: {**s, "size": [W, H]}),
    ),
    Fault(
        "coco_polygons",
        "rle_size",
        (f"{JSON}, annotation 31",),
        annotation(31, segmentation={"size": [60, 80], "counts": [0, 4800]}),
    ),
    Fault(
        "coco_polygons",
        "bad_rle",
        (f"{JSON}, annotation 31",),
        annotation(31, segmentation=lambda s: {**s, "counts": s["counts"][:-1]}),
    ),
    Fault(
        "coco_polygons",
        "bad_rle",
        (f"{JSON}, annotation 31",),
        annotation(31, segmentation=lambda s: {**s, "counts": [-5, *s["counts"]]}),
    ),
    Fault(
        "coco_polygons",
        "bad_rle",
        (f"{JSON}, annotation 31",),
        annotation(31, segmentation={"size": [H, W], "counts": "\x01garbage"}),
    ),
    Fault(
        "coco_polygons",
        "bad_rle",
        (f"{JSON}, annotation 31",),
        annotation(31, segmentation={"size": "big", "counts": "00"}),
    ),
    Fault(
        "coco_polygons",
        "empty_mask",
        (f"{JSON}, annotation 31",),
        annotation(31, segmentation={"size": [H, W], "counts": [H * W]}),
    ),
    Fault("coco_polygons", "polygon_box_mismatch", (f"{JSON}, annotation 31",), annotation(31, bbox=[50, 20, 20, 10])),
]


def categories(change, split="train"):
    return edit_json(f"annotations/instances_{split}.json", lambda document: change(document["categories"]))


def both(change):
    plants = [categories(change, split) for split in ("train", "val")]
    return lambda root: [plant(root) for plant in plants]


TAKEN = "annotations/instances_val.json"
ENTRIES = [
    Fault("coco", "wrong_size", (f"{JSON}, image 2",), image_entry(2, width=W * 2, height=H * 2)),
    Fault("coco", "wrong_size", (f"{JSON}, image 2",), image_entry(2, width=H, height=W)),
    Fault("coco", "bad_entry", (f"{JSON}, image 2",), image_entry(2, width=...)),
    Fault(
        "coco",
        "bad_entry",
        (f"{JSON}, image 2",),
        image_entry(2, file_name=...),
        also=("unknown_image", "unlisted_image"),
    ),
    Fault(
        "coco", "duplicate_id", (f"{JSON}, image 1",), image_entry(2, id=1), also=("unknown_image", "unlisted_image")
    ),
    Fault(
        "coco",
        "duplicate_entry",
        (f"{JSON}, image 2",),
        image_entry(2, file_name="img000.jpg"),
        also=("unlisted_image",),
    ),
    Fault("coco", "unknown_image", at(1), annotation(4, image_id=999)),
    Fault("coco", "duplicate_id", (f"{JSON}, annotation 1",), annotation(4, id=1)),
    Fault("coco", "class_out_of_range", at(1), annotation(4, category_id=99)),
    Fault("coco", "class_out_of_range", at(1), annotation(4, category_id=0)),
    Fault("coco", "class_out_of_range", at(1), annotation(4, category_id=...)),
    Fault(
        "coco", "same_class_name", (f"{JSON}, category 4",), categories(lambda c: c.append({"id": 4, "name": "dog"}))
    ),
    Fault(
        "coco",
        "same_class_name",
        (f"{JSON}, category 4",),
        both(lambda c: c.append({"id": 4, "name": "Dog"})),
        also=("unused_class",),
    ),
    Fault(
        "coco",
        "similar_class_names",
        (f"{JSON}, category 4",),
        both(lambda c: c.append({"id": 4, "name": "bycicle"})),
        also=("unused_class",),
    ),
    Fault(
        "coco",
        "background_class",
        (f"{JSON}, category 4",),
        both(lambda c: c.append({"id": 4, "name": "background"})),
        also=("unused_class",),
    ),
    Fault("coco", "unused_class", (f"{JSON}, category 4",), both(lambda c: c.append({"id": 4, "name": "unicorn"}))),
    Fault(
        "coco", "duplicate_id", (f"{JSON}, category 3",), categories(lambda c: c.append({"id": 3, "name": "unicorn"}))
    ),
    Fault("coco", "bad_entry", (f"{JSON}, category 4",), categories(lambda c: c.append({"id": 4}))),
    Fault(
        "coco",
        "class_index_shift",
        tuple(f"{TAKEN}, category {i}" for i in (1, 2)),
        categories(lambda c: [e.update(id=i) for e, i in zip(c, (2, 1, 3), strict=True)], "val"),
    ),
    Fault(
        "coco",
        "no_objects",
        (f"{JSON}, image 1",),
        edit_json(JSON, lambda d: d.update(annotations=[a for a in d["annotations"] if a["image_id"] > 6])),
    ),
    Fault("coco", "exif_rotation", ("train/img001.jpg",), turn("train/img001.jpg")),
    Fault("coco", "exif_unclear", ("train/img001.jpg",), turn("train/img001.jpg", 3)),
    Fault("voc", "exif_rotation", ("JPEGImages/img001.jpg",), turn("JPEGImages/img001.jpg", 8)),
    Fault("yolo", "exif_unclear", ("images/train/img001.jpg",), turn("images/train/img001.jpg")),
    Fault("yolo_obb", "exif_rotation", ("images/train/img001.jpg",), turn("images/train/img001.jpg")),
    Fault("dota", "exif_rotation", ("train/images/img001.png",), turn("train/images/img001.png")),
    Fault("voc", "wrong_size", (VOC,), replace(VOC, f"<width>{W}</width>", "<width>999</width>")),
    Fault("voc", "wrong_size", (VOC,), replace(VOC, f"<height>{H}</height>", "<height>0</height>")),
    Fault("voc", "bad_entry", (VOC,), replace(VOC, f"<width>{W}</width>", "<width>wide</width>")),
    Fault("voc", "bad_entry", (VOC,), replace(VOC, "img001.jpg", "other.jpg")),
    Fault("voc", "outside_root", (VOC,), replace(VOC, "img001.jpg", "../../../img001.jpg")),
    Fault(
        "voc", "single_example", VOC_LINE, replace(VOC, f"<name>{CLASSES[FIRST[0][0]]}</name>", "<name>unicorn</name>")
    ),
    Fault(
        "voc",
        "similar_class_names",
        VOC_LINE,
        replace(VOC, f"<name>{CLASSES[FIRST[0][0]]}</name>", "<name>bycicle</name>"),
        also=("single_example",),
    ),
    Fault(
        "voc",
        "same_class_name",
        VOC_LINE,
        replace(VOC, f"<name>{CLASSES[FIRST[0][0]]}</name>", "<name>Dog</name>"),
        also=("single_example",),
    ),
    Fault("dota", "same_class_name", DOTA_LINE, dota(*SQUARE, name="DOG"), also=("single_example",)),
    Fault("dota", "similar_class_names", DOTA_LINE, dota(*SQUARE, name="preson"), also=("single_example",)),
    Fault("dota", "class_out_of_range", DOTA_LINE, dota(*SQUARE, name="unicorn"), {"classes": CLASSES}),
    Fault("yolo", "class_out_of_range", LINE, line(YOLO, 1, word(0, "3"))),
    Fault("yolo", "class_out_of_range", LINE, line(YOLO, 1, word(0, "-1"))),
    Fault("yolo", "class_out_of_range", LINE, line(YOLO, 1, word(0, "1.5"))),
    Fault("yolo_obb", "class_out_of_range", LINE, line(YOLO, 1, word(0, "7"))),
    Fault("yolo", "class_count", ("data.yaml",), replace("data.yaml", "nc: 3", "nc: 4")),
    Fault(
        "yolo",
        "class_count",
        ("data.yaml", "data.yaml"),
        replace("data.yaml", "  2: person", "  3: person"),
        also=("unused_class", "class_out_of_range"),
    ),
    Fault(
        "yolo",
        "unused_class",
        ("data.yaml, class 3",),
        lambda root: [
            replace("data.yaml", "  2: person", "  2: person\n  3: unicorn")(root),
            replace("data.yaml", "nc: 3", "nc: 4")(root),
        ],
    ),
    Fault(
        "yolo",
        "image_in_two_splits",
        ("data.yaml:3",) * 10,
        replace("data.yaml", "val: images/val", "val: images/train"),
        also=("missing_image", "unlisted_image"),
    ),
    Fault("yolo", "background_class", ("data.yaml, class 0",), replace("data.yaml", "  0: bicycle", "  0: background")),
    Fault("yolo", "same_class_name", ("data.yaml, class 2",), replace("data.yaml", "  0: bicycle", "  0: Person")),
]


@pytest.mark.sampled(44)
@pytest.mark.parametrize("fault", [*BOXES, *CORNERS, *SHAPES, *ENTRIES], ids=name_of)
def test_a_wrong_label_is_found(fault, tmp_path):
    expect(fault, tmp_path)


@pytest.mark.parametrize("fault", ALL, ids=name_of)
def test_a_set_in_another_format_is_found_as_a_whole(fault, tmp_path):
    from labelled_sets import SETS

    from aistudio.audit import Options, audit

    write, kind, task = SETS[fault.set]
    write(tmp_path)
    fault.plant(tmp_path)
    found = audit(Options(str(tmp_path), kind, task)).findings
    counts = {one.kind: one.count for one in found}
    assert counts.get(fault.kind, 0) >= 10, counts
    assert max(counts, key=counts.get) == fault.kind, counts


@pytest.mark.parametrize("name", ["coco", "voc"])
def test_an_image_that_was_labelled_as_it_is_shown_is_silent(name, tmp_path):
    """EXIF changes width and height over, and the labels are for what is seen."""
    from labelled_sets import SETS

    from aistudio.audit import Options, audit

    write, kind, task = SETS[name]
    write(tmp_path)
    path = "train/img001.jpg" if name == "coco" else "JPEGImages/img001.jpg"
    turn(path, 6, stored=False)(tmp_path)
    assert audit(Options(str(tmp_path), kind, task)).findings == ()


def test_a_square_image_that_is_turned_cannot_be_told(tmp_path):
    from labelled_sets import coco

    from aistudio.audit import Options, audit

    coco(tmp_path)
    save(photo(1, 160, 160), tmp_path / "train/img001.jpg")
    document = json.loads((tmp_path / JSON).read_text())
    document["images"][1]["height"] = 160
    (tmp_path / JSON).write_text(json.dumps(document))
    turn("train/img001.jpg")(tmp_path)
    assert [one.kind for one in audit(Options(str(tmp_path), "coco", "object_detection")).findings] == ["exif_unclear"]
