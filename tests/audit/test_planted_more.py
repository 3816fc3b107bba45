"""Faults that people make with other tools: formats mixed up, copies turned and lit otherwise, foreign tables."""

import math
import os
import shutil

import numpy as np
import pytest
from labelled_sets import SETS, H, W, mask_of, photo, save
from PIL import Image, ImageEnhance, ImageOps
from planting import Fault, all_of, annotation, edit_json, expect, image_entry, line, name_of, rename, repaint, text

from aistudio.audit import Options, audit
from aistudio.errors import Refusal

JSON = "annotations/instances_train.json"
FOURTH = (f"{JSON}, annotation 4",)
ROW = ("labels.csv:3",)
GROUND = "ground_truth/crack/001_mask.png"


def numbers(change):
    """Change the numbers of a line of YOLO."""

    def apply(written):
        label, *rest = written.split()
        return " ".join([label, *(f"{value:.6f}" for value in change([float(one) for one in rest]))])

    return apply


def every_line(pattern, change):
    def plant(root):
        for path in sorted(root.glob(pattern)):
            path.write_text("\n".join(map(change, path.read_text().splitlines())) + "\n")

    return plant


def table(change):
    """Change every line of a table; the number counts from 0."""

    def plant(root):
        lines = (root / "labels.csv").read_text().splitlines()
        (root / "labels.csv").write_text("\n".join(change(i, one) for i, one in enumerate(lines)) + "\n")

    return plant


def copied(change, to="val/dog/1.jpg"):
    return repaint("train/dog/1.jpg", change, to, quality=95)


def twice(values):
    return [value / (W, H)[i % 2] for i, value in enumerate(values)]


def radians(document):
    for entry in document["annotations"]:
        entry["bbox"][4] = math.radians(entry["bbox"][4])
        del entry["segmentation"]


MORE = [
    Fault("coco", "bad_entry", FOURTH, annotation(4, iscrowd="0")),
    Fault("coco", "bad_entry", FOURTH, annotation(4, bbox=lambda box: [str(value) for value in box])),
    Fault("coco", "class_out_of_range", FOURTH, annotation(4, category_id="1")),
    Fault("coco", "unknown_image", FOURTH, annotation(4, image_id="2")),
    Fault("coco", "wrong_size", (f"{JSON}, image 2",), image_entry(2, width=H, height=W)),
    Fault("coco", "bad_entry", (f"{JSON}, image 2",), image_entry(2, width="160")),
    Fault(
        "coco",
        "same_class_name",
        (f"{JSON}, category 9",),
        edit_json(JSON, lambda d: d["categories"].append({"id": 9, "name": "dog"})),
    ),
    Fault(
        "coco",
        "image_in_two_splits",
        tuple(f"annotations/instances_val.json, image {i}" for i in range(1, 11)),
        all_of(
            lambda root: shutil.copy(root / JSON, root / "annotations/instances_val.json") and None,
            lambda root: [path.unlink() for path in (root / "val").iterdir()] and None,
        ),
    ),
    Fault("coco_polygons", "bad_polygon", FOURTH, annotation(4, segmentation=lambda s: s[0]), also=("missing_mask",)),
    Fault(
        "coco_polygons",
        "polygon_box_mismatch",
        FOURTH,
        annotation(4, segmentation=lambda s: [[v for i in range(0, 16, 2) for v in (s[0][i + 1], s[0][i])]]),
    ),
    Fault(
        "coco_rotated",
        "angle_unit",
        tuple(f"{JSON}, annotation {i}" for i in range(1, 31)),
        edit_json(JSON, radians),
        {"annotations": JSON},
    ),
    Fault(
        "yolo",
        "box_format",
        tuple(f"labels/train/img{i:03d}.txt:{k}" for i in range(10) for k in (1, 2, 3)),
        every_line("labels/train/*.txt", numbers(twice)),
    ),
    Fault("yolo", "box_format", ("labels/train/img001.txt:1",), line("labels/train/img001.txt", 1, numbers(twice))),
    Fault("yolo_obb", "box_format", ("labels/train/img001.txt:1",), line("labels/train/img001.txt", 1, numbers(twice))),
    Fault("yolo", "bad_line", ("labels/train/img001.txt:1",), line("labels/train/img001.txt", 1, lambda t: t + " 0.9")),
    Fault(
        "yolo",
        "class_out_of_range",
        ("labels/train/img001.txt:1",),
        line("labels/train/img001.txt", 1, lambda t: "3" + t[1:]),
    ),
    Fault(
        "yolo",
        "missing_split",
        ("data.yaml:9",),
        line("data.yaml", 9, "test: images/x"),
    ),
    Fault(
        "dota", "bad_line", ("train/labelTxt/img001.txt:3",), line("train/labelTxt/img001.txt", 3, "10 10 30 20 dog 0")
    ),
    Fault(
        "csv_classes",
        "bad_line",
        ("labels.csv:1",),
        table(lambda i, t: t + (",label" if i == 0 else ",x")),
        also=("single_class",),
    ),
    Fault("csv_values", "bad_line", ("labels.csv:1",), line("labels.csv", 1, "filename,height,height")),
    Fault("csv_classes", "missing_value", ROW, line("labels.csv", 3, "img001.jpg,nan")),
    Fault("csv_classes", "missing_value", ROW, line("labels.csv", 3, "img001.jpg,#N/A")),
    Fault(
        "csv_classes",
        "bad_line",
        ROW,
        line("labels.csv", 3, 'img001.jpg,"dog'),
        also=("single_class", "single_example"),
    ),
    Fault(
        "csv_classes",
        "missing_image",
        ("labels.csv:8",),
        line("labels.csv", 8, "filename,label"),
        also=("unlisted_image", "single_example"),
    ),
    Fault("csv_values", "not_a_number", ROW, line("labels.csv", 3, "images/img001.jpg,2024-01-02,70")),
    Fault("csv_values", "not_a_number", ROW, line("labels.csv", 3, 'images/img001.jpg,"1,171.5",70')),
    Fault("mvtec", "mask_inverted", (GROUND,), repaint(GROUND, ImageOps.invert)),
    Fault(
        "mvtec",
        "missing_label",
        tuple(f"test/{kind}/{i:03d}.png" for kind in ("crack", "scratch") for i in range(3)),
        lambda root: shutil.rmtree(root / "ground_truth"),
    ),
    Fault(
        "masks",
        "class_out_of_range",
        ("masks/train/img001.png",),
        repaint("masks/train/img001.png", lambda m: Image.fromarray(np.asarray(m).astype(np.uint16) * 257)),
    ),
    Fault("image_folder", "empty_class", ("val",), lambda root: [shutil.rmtree(root / "val"), (root / "val").mkdir()]),
    Fault(
        "image_folder",
        "blank_image",
        ("train/dog/1.jpg",),
        repaint("train/dog/1.jpg", lambda i: Image.new("RGB", i.size)),
    ),
    Fault(
        "coco",
        "blank_image",
        ("train/img001.jpg",),
        repaint("train/img001.jpg", lambda i: Image.new("RGB", i.size, "white")),
    ),
    Fault("image_folder", "not_an_image", ("train/dog/1.jpg",), text("train/dog/1.jpg", b"%PDF-1.4 hello")),
    Fault(
        "image_folder",
        "unreadable_file",
        ("train/dog/9.jpg",),
        lambda root: os.symlink(root / "none.jpg", root / "train/dog/9.jpg"),
    ),
    Fault(
        "image_folder",
        "duplicate_image",
        ("train/dog/9.jpg",),
        lambda root: os.symlink(root / "train/dog/1.jpg", root / "train/dog/9.jpg"),
    ),
    Fault(
        "image_folder",
        "class_missing_in_train",
        ("val/dogs",),
        rename("val/dog", "val/dogs"),
        also=("same_class_name",),
    ),
]
LEAKS = {
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned by a half": lambda i: i.transpose(Image.Transpose.ROTATE_180),
    "turned by a quarter": lambda i: i.transpose(Image.Transpose.ROTATE_90),
    "turned and mirrored": lambda i: ImageOps.mirror(i.transpose(Image.Transpose.ROTATE_270)),
    "brighter": lambda i: ImageEnhance.Brightness(i).enhance(1.3),
    "darker": lambda i: ImageEnhance.Brightness(i).enhance(0.6),
    "flatter": lambda i: ImageEnhance.Contrast(i).enhance(0.6),
    "grey": lambda i: i.convert("L"),
}
MORE += [Fault("image_folder", "image_in_two_splits", ("val/dog/1.jpg",), copied(change)) for change in LEAKS.values()]
MORE += [
    Fault("image_folder", "near_duplicate", ("train/dog/2.jpg",), copied(ImageOps.mirror, "train/dog/2.jpg")),
    Fault(
        "image_folder", "image_with_two_labels", ("train/person/2.jpg",), copied(ImageOps.flip, "train/person/2.jpg")
    ),
]


@pytest.mark.parametrize("fault", MORE, ids=name_of)
def test_what_other_tools_get_wrong_is_found(fault, tmp_path):
    expect(fault, tmp_path)


def animated(path):
    def plant(root):
        first = photo(41)
        first.save(root / path, save_all=True, append_images=[photo(42)])

    return plant


HARMLESS = [  # sets that look strange, and are sound
    (
        "csv_classes",
        lambda root: (root / "labels.csv").write_bytes(b"\xef\xbb\xbf" + (root / "labels.csv").read_bytes()),
    ),
    ("csv_classes", table(lambda i, t: t.replace(",", ", "))),
    ("csv_classes", table(lambda i, t: t + "\r")),
    ("csv_classes", table(lambda i, t: (f"{i - 1}," if i else ",") + t)),
    ("csv_values", table(lambda i, t: (f"{i}," if i else "id,") + t)),
    ("yolo", text("images/train/.DS_Store", b"x")),
    ("yolo", text("images/train/._img001.jpg", b"x")),
    ("yolo", text("images/train/Thumbs.db", b"x")),
    ("yolo", text("labels/train.cache", b"x")),
    ("yolo", rename("images/train/img001.jpg", "images/train/img001.JPG")),
    (
        "yolo",
        lambda root: (root / "labels/train/img001.txt").write_bytes(
            b"\xef\xbb\xbf" + (root / "labels/train/img001.txt").read_bytes()
        ),
    ),
    ("image_folder", text("train/.ipynb_checkpoints/1.jpg", b"x")),
    ("image_folder", text("train/dog/Thumbs.db", b"x")),
    (
        "image_folder",
        lambda root: [
            (root / "train/dog/more").mkdir(),
            (root / "train/dog/1.jpg").rename(root / "train/dog/more/1.jpg"),
        ],
    ),
    ("image_folder", rename("train", "Train")),
    ("image_folder", repaint("train/dog/1.jpg", lambda i: i.convert("CMYK"))),
    ("image_folder", repaint("train/dog/1.jpg", lambda i: i.convert("L"))),
    ("image_folder", animated("train/dog/9.gif")),
    ("coco_polygons", annotation(4, segmentation=lambda s: [s[0] + s[0][:2]])),
    ("coco_polygons", annotation(4, segmentation=lambda s: [s[0] + 2 * s[0][:2]])),
    ("dota", line("train/labelTxt/img001.txt", 3, lambda t: t.rsplit(" ", 1)[0])),
    ("masks", lambda root: [save(mask_of(p.stem).convert("RGB"), p) for p in sorted(root.glob("masks/*/*.png"))]),
    ("masks", repaint("masks/train/img001.png", lambda m: Image.fromarray(np.asarray(m).astype(np.uint16)))),
]


@pytest.mark.parametrize("number", range(len(HARMLESS)))
def test_what_looks_strange_and_is_sound_has_no_finding(number, tmp_path):
    name, plant = HARMLESS[number]
    write, kind, task = SETS[name]
    write(tmp_path)
    plant(tmp_path)
    found = audit(Options(str(tmp_path), kind, task, batch_size=1))
    assert [(fault.kind, str(fault.place), fault.message) for one in found.findings for fault in one.faults] == []
    assert found.labels.value_names in ((), ("height", "weight"))


def test_a_root_that_is_one_folder_too_high_is_refused(tmp_path):
    SETS["image_folder"][0](tmp_path / "photos")
    with pytest.raises(Refusal) as refused:
        audit(Options(str(tmp_path), "image_folder"))
    assert "is one folder too high" in refused.value.problems[0].what
    assert refused.value.problems[0].instead.endswith("/photos")
