"""Faults that exporters, converters and spreadsheets leave: a whole set written wrongly, or one file of it."""

import shutil

import numpy as np
import pytest
from labelled_sets import H, W, mask_of, names, objects, save, seed_of, yolo_line
from PIL import Image
from planting import Fault, all_of, annotation, edit_json, expect, line, name_of, rename, replace, text

JSON = "annotations/instances_train.json"
FOURTH = (f"{JSON}, annotation 4",)
TRAIN = [f"labels/train/img{i:03d}.txt" for i in range(10)]
EVERY = [*((s, stem) for s in ("train", "val") for stem in names(s))]


def each(pattern, change):
    """Change the text of every file of a pattern."""

    def plant(root):
        for path in sorted(root.glob(pattern)):
            path.write_text(change(path.read_text()))

    return plant


def each_line(pattern, change):
    return each(pattern, lambda t: "\n".join(map(change, t.splitlines())) + "\n")


def each_image(change, pattern="masks/*/*.png"):
    def plant(root):
        for path in sorted(root.glob(pattern)):
            save(change(path), path)

    return plant


def rows(change):
    """Change rows of a table, numbered from 2 on as lines are."""

    def plant(root):
        lines = (root / "labels.csv").read_text().splitlines()
        found = [lines[0], *(change(i, one.split(",")) for i, one in enumerate(lines[1:], 2))]
        (root / "labels.csv").write_text(
            "\n".join(one if isinstance(one, str) else ",".join(one) for one in found) + "\n"
        )

    return plant


def cell(number, value, those):
    def change(i, row):
        if i in those:
            row[number] = value(row) if callable(value) else value
        return row

    return rows(change)


def yolo_of(stem, write):
    return "\n".join(write(*one) for one in objects(seed_of(stem))) + "\n"


def row_major(entry):
    """The crowd's mask flattened along its rows, as numpy does, in place of its columns."""
    mask = np.zeros((H, W), bool)
    mask[100:110, 4:24] = True
    flat = mask.ravel()
    steps = np.flatnonzero(np.diff(flat)) + 1
    bounds = [0, *steps.tolist(), flat.size]
    return {"size": [H, W], "counts": np.diff(bounds).tolist()}


def box_as_mask(document):
    for one in document["annotations"]:
        x, y, w, h = one["bbox"]
        if not one["iscrowd"]:
            one["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]


ISO = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


EXPORTS = [
    # 0 COCO
    Fault(
        "coco",
        "missing_image",
        (f"{JSON}, image 2",),
        edit_json(JSON, lambda d: d["images"][1].update(file_name="1a2b3c4d-img001.jpg")),
        also=("unlisted_image",),
    ),
    Fault(
        "coco",
        "missing_image",
        (f"{JSON}, image 2",),
        edit_json(JSON, lambda d: d["images"][1].update(file_name="https://storage.example/img001.jpg")),
        also=("unlisted_image",),
    ),
    Fault(
        "coco",
        "class_out_of_range",
        tuple(f"{JSON}, annotation {i}" for i in range(1, 31)),
        edit_json(JSON, lambda d: d.update(categories=[])),
        also=("class_missing_in_train",),
    ),
    Fault("coco", "bad_entry", (f"{JSON}, annotation at index 3",), annotation(4, id=...)),
    Fault(
        "coco_polygons",
        "bad_polygon",
        FOURTH,
        annotation(4, segmentation=lambda s: [[[a, b] for a, b in zip(s[0][::2], s[0][1::2], strict=True)]]),
        also=("missing_mask",),
    ),
    Fault(
        "coco_polygons",
        "bad_rle",
        (f"{JSON}, annotation 31",),
        annotation(31, segmentation={"size": [H, W], "counts": "b'abc0'"}),
    ),
    Fault("coco_polygons", "polygon_box_mismatch", (f"{JSON}, annotation 31",), annotation(31, segmentation=row_major)),
    Fault(
        "coco_polygons",
        "mask_is_box",
        (JSON, "annotations/instances_val.json"),
        all_of(edit_json(JSON, box_as_mask), edit_json("annotations/instances_val.json", box_as_mask)),
    ),
    Fault(
        "coco",
        "wrong_size",
        tuple(f"{JSON}, image {i}" for i in range(1, 11)),
        edit_json(JSON, lambda d: [i.update(width=i["height"], height=i["width"]) for i in d["images"]]),
    ),
    # 9 YOLO
    Fault(
        "yolo",
        "class_out_of_range",
        tuple(
            f"labels/{s}/{stem}.txt:{k}"
            for s, stem in EVERY
            for k, one in enumerate(objects(seed_of(stem)), 1)
            if one[0] == 2
        ),
        each_line("labels/*/*.txt", lambda t: f"{int(t[0]) + 1}{t[1:]}"),
        also=("unused_class",),
    ),
    Fault(
        "yolo",
        "name_case",
        ("labels/train/img001.TXT",),
        rename("labels/train/img001.txt", "labels/train/img001.TXT"),
        also=("no_label_file",),
    ),
    Fault(
        "yolo",
        "class_count",
        ("data.yaml",),
        lambda root: (root / "data.yaml").write_text(
            "path: .\ntrain: images/train\nval: images/val\nnc: 3\nnames: bicycle, dog, person\n"
        ),
    ),
    Fault(
        "yolo",
        "bad_line",
        tuple(f"labels/{s}/{stem}.txt:{k}" for s, stem in EVERY for k in (1, 2, 3)),
        each_line("labels/*/*.txt", lambda t: t.replace(" ", ",")),
        also=("unused_class", "no_objects"),
    ),
    Fault(
        "yolo",
        "box_format",
        tuple(f"{TRAIN[1]}:{k}" for k in (1, 2, 3)),
        lambda root: (root / TRAIN[1]).write_text(
            yolo_of("img001", lambda c, b, a: f"{c} {b[0] / W:.6f} {b[1] / H:.6f} {b[2] / W:.6f} {b[3] / H:.6f}")
        ),
    ),
    Fault("yolo", "same_labels", (TRAIN[2],), lambda root: shutil.copy(root / TRAIN[1], root / TRAIN[2]) and None),
    Fault("yolo", "no_objects", (TRAIN[0],), each("labels/train/*.txt", lambda t: "")),
    Fault("yolo", "bad_line", (f"{TRAIN[1]}:1",), line(TRAIN[1], 1, lambda t: '"' + t + '"')),
    Fault(
        "yolo",
        "same_class_name",
        ("data.yaml, class 2",),
        replace("data.yaml", "2: person", "2: 'dog '"),
    ),
    Fault(
        "yolo_obb",
        "bad_line",
        tuple(f"labels/{s}/{stem}.txt:{k}" for s, stem in EVERY for k in (1, 2, 3)),
        lambda root: (
            [
                (root / f"labels/{s}/{stem}.txt").write_text(
                    yolo_of(stem, lambda c, b, a: yolo_line(c, b) + f" {a:.1f}")
                )
                for s, stem in EVERY
            ]
            and None
        ),
        also=("unused_class", "no_objects"),
    ),
    # 20 VOC
    Fault("voc", "unlisted_image", ("Annotations/img001.xml",), replace("ImageSets/Main/train.txt", "img001\n", "")),
    Fault(
        "voc",
        "bad_line",
        ("Annotations/img001.xml:18",),
        lambda root: (root / "Annotations/img001.xml").write_text((root / "Annotations/img001.xml").read_text() * 2),
    ),
    Fault(
        "voc", "bad_line", ("Annotations/img001.xml:6",), replace("Annotations/img001.xml", "</name>", " & co</name>")
    ),
    Fault(
        "voc",
        "wrong_size",
        tuple(f"Annotations/{stem}.xml" for _, stem in EVERY),
        each("Annotations/*.xml", lambda t: t.replace(f"<width>{W}</width><height>{H}<", "<width>0</width><height>0<")),
    ),
    # 25 DOTA
    Fault(
        "dota",
        "bad_line",
        ("train/labelTxt/img001.txt:3",),
        line("train/labelTxt/img001.txt", 3, lambda t: t.replace(t.split()[8], "small vehicle")),
    ),
    Fault(
        "dota",
        "bad_line",
        ("train/labelTxt/img001.txt:3",),
        line("train/labelTxt/img001.txt", 3, lambda t: " ".join([t.split()[8], *t.split()[:8]])),
    ),
    Fault(
        "dota",
        "same_labels",
        ("train/labelTxt/img002.txt",),
        lambda root: shutil.copy(root / "train/labelTxt/img001.txt", root / "train/labelTxt/img002.txt") and None,
    ),
    # 28 CSV
    Fault(
        "csv_classes",
        "missing_image",
        tuple(f"labels.csv:{i}" for i in range(2, 16)),
        cell(0, lambda r: r[0][:-4], range(2, 16)),
        also=("unlisted_image",),
    ),
    Fault("csv_classes", "same_class_name", ("labels.csv:3",), cell(1, "dog\u200b", [3]), also=("single_example",)),
    Fault("csv_classes", "same_class_name", ("labels.csv:3",), cell(1, "d\u043eg", [3]), also=("single_example",)),
    Fault(
        "csv_classes", "similar_class_names", ("labels.csv:3",), cell(1, "dog|person", [3]), also=("single_example",)
    ),
    Fault("csv_values", "outlier", tuple(f"labels.csv:{i}" for i in (3, 5, 9)), cell(1, "-999", [3, 5, 9])),
    Fault("csv_values", "outlier", tuple(f"labels.csv:{i}" for i in (3, 5, 9)), cell(1, "0", [3, 5, 9])),
    Fault(
        "csv_values",
        "outlier",
        ("labels.csv:5", "labels.csv:5"),
        rows(lambda i, r: [r[0], r[2], r[1]] if i == 5 else r),
        also=("other_unit",),
    ),
    Fault("csv_values", "not_a_number", ("labels.csv:3",), cell(1, "85%", [3])),
    Fault(
        "csv_values",
        "image_with_two_labels",
        ("labels.csv:16",),
        line("labels.csv", 16, "./images/img002.jpg,160.0,60.0"),
    ),
    Fault("csv_values", "not_a_number", ("labels.csv:3",), cell(1, "#####", [3])),
    Fault(
        "csv_anomalies",
        "anomaly_in_train",
        tuple(f"labels.csv:{i}" for i in range(2, 12)),
        rows(lambda i, r: [r[0], str(1 - int(r[1])), r[2]]),
    ),
    # 39 image_folder, mvtec
    Fault("image_folder", "not_an_image", ("train/dog/1.jpg",), text("train/dog/1.jpg", ISO)),
    Fault(
        "image_folder",
        "mask_among_images",
        ("train/dog/1_mask.png",),
        lambda root: save(mask_of("img001"), root / "train/dog/1_mask.png") and None,
    ),
    Fault("image_folder", "unknown_split", ("holdout",), rename("val", "holdout")),
    Fault(
        "mvtec",
        "mask_among_images",
        ("train/good/000_mask.png",),
        lambda root: save(Image.new("L", (W, H)), root / "train/good/000_mask.png") and None,
        also=("blank_image",),
    ),
    # 44 masks
    Fault(
        "masks",
        "class_out_of_range",
        tuple(f"masks/{s}/{stem}.png" for s, stem in EVERY),
        each_image(lambda p: mask_of(p.stem).point(lambda v: v if v == 255 else 60 * v)),
        also=("unused_class",),
    ),
    Fault(
        "masks",
        "class_out_of_range",
        tuple(f"masks/{s}/{stem}.png" for s, stem in EVERY),
        each_image(lambda p: Image.fromarray(np.asarray(mask_of(p.stem)).astype(np.uint16) * 1000)),
        also=("unused_class",),
    ),
    Fault(
        "masks",
        "same_labels",
        ("masks/train/img002.png",),
        lambda root: shutil.copy(root / "masks/train/img001.png", root / "masks/train/img002.png") and None,
    ),
    Fault(
        "masks",
        "unlabelled_mask",
        tuple(f"masks/{s}/{stem}.png" for s, stem in EVERY),
        each_image(lambda p: mask_of(p.stem).point(lambda v: 255)),
    ),
    Fault(
        "masks",
        "mask_size",
        tuple(f"masks/train/{stem}.png" for stem in names("train")),
        each_image(lambda p: mask_of(p.stem).resize((W // 4, H // 4), 0), "masks/train/*.png"),
    ),
    Fault(
        "masks",
        "mask_not_ids",
        tuple(f"masks/{s}/{stem}.png" for s, stem in EVERY),
        each_image(lambda p: Image.merge("RGBA", [Image.new("L", (W, H))] * 3 + [mask_of(p.stem)])),
    ),
]


@pytest.mark.parametrize("fault", EXPORTS, ids=name_of)
def test_what_an_export_leaves_is_found(fault, tmp_path):
    expect(fault, tmp_path)
