"""Faults that people make with other tools: formats mixed up, copies turned and lit otherwise, foreign tables."""

import math
import os
import shutil

import numpy as np
import pytest
from labelled_sets import SETS, H, W, mask_of, photo, save
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageOps
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


def append(path, words):
    """Write on at the end of a file."""
    with open(path, "a") as file:
        file.write(words)


def in_split(word):
    """A column of splits, with this word in the third line."""
    return lambda i, text: text + (",split" if i == 0 else f",{word}" if i == 2 else ",train")


def one_more(number, pixels):
    """The fourth annotation again, moved by so many pixels."""

    def edit(document):
        entry = next(one for one in document["annotations"] if one["id"] == 4)
        x, *rest = entry["bbox"]
        document["annotations"].append({**entry, "id": number, "bbox": [x + pixels, *rest]})

    return edit_json(JSON, edit)


def black_masks_of_good(root):
    """Masks in which nothing is marked beside the normal images, as some programs export them."""
    (root / "ground_truth/good").mkdir()
    for path in (root / "test/good").iterdir():
        with Image.open(path) as image:
            Image.new("L", image.size).save(root / f"ground_truth/good/{path.stem}_mask.png")


def one_scene(root):
    """Every image shows the same part in the same place, with the camera's noise: none is a copy of another."""
    first = next((root / "train/good").iterdir())
    with Image.open(first) as image:
        part = image.convert("RGB").resize((96, 96))
    for number, path in enumerate(sorted(root.glob("t*/*/*.png"))):
        noise = Image.effect_noise((96, 96), 12).convert("RGB")
        shown = ImageChops.add(part, noise, 1.0, -128)
        ImageDraw.Draw(shown).rectangle(
            (7 * number % 80, 11 * number % 80, 7 * number % 80 + 9, 11 * number % 80 + 9), "red"
        )
        shown.save(path)
    for path in root.glob("ground_truth/*/*"):
        with Image.open(path) as mask:
            mask.resize((96, 96), Image.Resampling.NEAREST).save(path)


def copy_of_one(root):
    """A normal image of the test among those of the training, darker and of another quality."""
    with Image.open(root / "test/good/000.png") as image:
        image.convert("RGB").point(lambda value: int(0.8 * value)).save(root / "train/good/900.jpg", quality=60)


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
    Fault("coco_polygons", "bad_polygon", FOURTH, annotation(4, segmentation=lambda s: s[0])),
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
        "bad_line",
        ("labels.csv:8",),
        line("labels.csv", 8, "filename,label"),
        also=("unlisted_image",),
    ),
    Fault("csv_values", "not_a_number", ROW, line("labels.csv", 3, "images/img001.jpg,2024-01-02,70")),
    Fault("csv_values", "comma_number", ROW, line("labels.csv", 3, 'images/img001.jpg,"1,171.5",70')),
    Fault("csv_values", "missing_value", ROW, line("labels.csv", 3, "images/img001.jpg,N/A,70")),
    Fault("csv_classes", "missing_value", ROW, line("labels.csv", 3, "img001.jpg,?")),
    Fault("csv_classes", "bad_line", ("labels.csv:16",), lambda root: append(root / "labels.csv", ",\n")),
    Fault("csv_classes", "unknown_split", ROW, table(in_split("trian"))),
    Fault("csv_classes", "missing_value", ROW, table(in_split(""))),
    Fault(
        "image_folder",
        "stray_file",
        ("train/.ipynb_checkpoints",),
        text("train/.ipynb_checkpoints/1.jpg", b"x"),
    ),
    Fault(
        "yolo", "class_index_shift", ("labels/train/classes.txt:1",), text("labels/train/classes.txt", b"dog\ncat\n")
    ),
    Fault("yolo", "bad_line", ("labels/train/img001.txt:1",), text("labels/train/img001.txt", b"\xff\xfe0\0")),
    Fault(
        "yolo",
        "name_case",
        ("labels/train/IMG001.txt",),
        lambda root: (root / "labels/train/img001.txt").rename(root / "labels/train/IMG001.txt") and None,
        also=("no_label_file",),
    ),
    Fault("voc", "bad_entry", ("Annotations/img001.xml",), text("Annotations/img001.xml", b"<html><p>Hi</p></html>")),
    Fault(
        "voc",
        "duplicate_entry",
        ("ImageSets/Main/train.txt:11",),
        lambda root: append(root / "ImageSets/Main/train.txt", "img001\n"),
    ),
    Fault("mvtec", "image_in_two_splits", ("test/good/000.png",), all_of(one_scene, copy_of_one)),
    Fault(
        "coco_polygons",
        "bad_polygon",
        FOURTH,
        annotation(4, segmentation=[[10, 10, 20, 20, 30, 30]], bbox=[10, 10, 20, 20], area=200),
    ),
    Fault("coco", "near_duplicate_box", (f"{JSON}, annotation 99",), one_more(99, 1.5)),
    Fault(
        "mvtec",
        "image_with_two_labels",
        ("ground_truth/good/000_mask.png",),
        lambda root: [
            (root / "ground_truth/good").mkdir(),
            shutil.copy(root / GROUND, root / "ground_truth/good/000_mask.png"),
        ],
    ),
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


@pytest.mark.sampled(20)
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
    ("mvtec", black_masks_of_good),
    ("mvtec", one_scene),
    ("csv_values", table(lambda i, t: t if i == 0 else f"{t.split(',')[0]},{2**i},{3**i}")),
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
