"""Broken files, missing files, files twice: in every format."""

import shutil
import struct
import zlib

import pytest
from labelled_sets import CLASSES, photo, save
from PIL import Image
from planting import Fault, all_of, copy, delete, expect, line, name_of, rename, repaint, replace, text, truncate

JSON = "annotations/instances_train.json"
IMAGES = {  # an image of each set, and one of another split
    "image_folder": ("train/dog/1.jpg", "val/dog/0.jpg"),
    "csv_classes": ("images/img001.jpg", None),
    "csv_values": ("images/img001.jpg", None),
    "mvtec": ("train/good/001.png", "test/good/000.png"),
    "coco": ("train/img001.jpg", "val/img010.jpg"),
    "coco_polygons": ("train/img001.jpg", "val/img010.jpg"),
    "yolo": ("images/train/img001.jpg", "images/val/img010.jpg"),
    "voc": ("JPEGImages/img001.jpg", "JPEGImages/img010.jpg"),
    "dota": ("train/images/img001.png", "val/images/img010.png"),
    "yolo_obb": ("images/train/img001.jpg", "images/val/img010.jpg"),
    "masks": ("images/train/img001.jpg", "images/val/img010.jpg"),
}


def bomb(path):
    """A PNG of a few bytes that claims 100,000 x 100,000 pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return text(
        path, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    )


def smaller(image):
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


BROKEN = []
for name, (one, elsewhere) in IMAGES.items():
    BROKEN += [
        Fault(name, "empty_file", (one,), text(one, b"")),
        Fault(name, "truncated_image", (one,), truncate(one)),
        Fault(name, "truncated_image", (one,), truncate(one, 0.97)),
        Fault(name, "truncated_image", (one,), text(one, b"\xff\xd8\xff\xe0\0\x10JFIF\0\1")),
        Fault(name, "not_an_image", (one,), text(one, "<html>404 Not Found</html>")),
        Fault(name, "oversized_image", (one,), bomb(one)),
    ]
    if elsewhere:
        BROKEN.append(
            Fault(name, "image_in_two_splits", (elsewhere,), copy(one, elsewhere), also=("image_with_two_labels",))
        )

LOST = [
    Fault("csv_classes", "missing_image", ("labels.csv:3",), delete("images/img001.jpg")),
    Fault("csv_values", "missing_image", ("labels.csv:3",), delete("images/img001.jpg")),
    Fault("csv_anomalies", "missing_image", ("labels.csv:3",), delete("img001.png")),
    Fault("coco", "missing_image", (f"{JSON}, image 2",), delete("train/img001.jpg")),
    Fault("yolo", "missing_image", ("labels/train/img001.txt",), delete("images/train/img001.jpg")),
    Fault("voc", "missing_image", ("Annotations/img001.xml",), delete("JPEGImages/img001.jpg")),
    Fault("dota", "missing_image", ("train/labelTxt/img001.txt",), delete("train/images/img001.png")),
    Fault("yolo_obb", "missing_image", ("labels/train/img001.txt",), delete("images/train/img001.jpg")),
    Fault("masks", "mask_without_image", ("masks/train/img001.png",), delete("images/train/img001.jpg")),
    Fault("mvtec", "mask_without_image", ("ground_truth/crack/001_mask.png",), delete("test/crack/001.png")),
    Fault("csv_classes", "unlisted_image", ("images/new.jpg",), lambda root: save(photo(900), root / "images/new.jpg")),
    Fault("coco", "unlisted_image", ("train/new.jpg",), lambda root: save(photo(900), root / "train/new.jpg")),
    Fault("yolo", "no_label_file", ("images/train/img001.jpg",), delete("labels/train/img001.txt")),
    Fault(
        "yolo",
        "missing_label",
        ("images/train/img001.jpg",),
        all_of(delete("labels/train/img001.txt"), text("labels/train/img002.txt", "")),
    ),
    Fault("voc", "missing_label", ("JPEGImages/new.jpg",), lambda root: save(photo(900), root / "JPEGImages/new.jpg")),
    Fault("voc", "missing_label", ("ImageSets/Main/train.txt:11",), line("ImageSets/Main/train.txt", 11, "img099")),
    Fault("dota", "missing_label", ("train/images/img001.png",), delete("train/labelTxt/img001.txt")),
    Fault("yolo_obb", "no_label_file", ("images/train/img001.jpg",), delete("labels/train/img001.txt")),
    Fault("masks", "missing_label", ("images/train/img001.jpg",), delete("masks/train/img001.png")),
    Fault("mvtec", "missing_label", ("test/crack/001.png",), delete("ground_truth/crack/001_mask.png")),
    Fault(
        "image_folder", "missing_label", ("train/stray.jpg",), lambda root: save(photo(900), root / "train/stray.jpg")
    ),
    Fault("image_folder", "stray_file", ("train/dog/notes.txt",), text("train/dog/notes.txt", "hello")),
    Fault("mvtec", "stray_file", ("train/good/notes.txt",), text("train/good/notes.txt", "hello")),
    Fault(
        "yolo",
        "no_objects",
        ("labels/train/img000.txt",),
        all_of(*(text(f"labels/train/img{i:03d}.txt", "") for i in range(6))),
    ),
    Fault(
        "dota",
        "no_objects",
        ("train/labelTxt/img000.txt",),
        all_of(*(text(f"train/labelTxt/img{i:03d}.txt", "gsd:1\n") for i in range(6))),
    ),
    Fault("voc", "empty_label_file", ("Annotations/img001.xml",), text("Annotations/img001.xml", "")),
    Fault("yolo", "missing_split", ("data.yaml:3",), replace("data.yaml", "val: images/val", "val: images/eval")),
    Fault(
        "csv_classes",
        "outside_root",
        ("labels.csv:3",),
        replace("labels.csv", "img001.jpg", "../../secret.jpg"),
        also=("unlisted_image",),
    ),
    Fault(
        "csv_values",
        "outside_root",
        ("labels.csv:3",),
        replace("labels.csv", "images/img001.jpg", "/etc/passwd.jpg"),
        also=("unlisted_image",),
    ),
    Fault(
        "coco",
        "outside_root",
        (f"{JSON}, image 2",),
        replace(JSON, "img001.jpg", "../../../secret.jpg"),
        also=("unlisted_image",),
    ),
    Fault("csv_classes", "name_case", ("labels.csv:3",), replace("labels.csv", "img001.jpg", "IMG001.jpg")),
    Fault("coco", "name_case", (f"{JSON}, image 2",), replace(JSON, "img001.jpg", "img001.JPG")),
    Fault(
        "image_folder",
        "names_differ_in_case",
        ("train/dog/a.jpg",),
        lambda root: [save(photo(900), root / "train/dog/a.jpg"), save(photo(901), root / "train/dog/A.jpg")],
    ),
    Fault("image_folder", "tiny_image", ("train/dog/1.jpg",), repaint("train/dog/1.jpg", lambda i: i.resize((3, 3)))),
    Fault(
        "yolo",
        "tiny_image",
        ("images/train/img001.jpg",),
        repaint("images/train/img001.jpg", lambda i: i.resize((7, 7))),
        also=("tiny_box",),
    ),
]
TWICE = [
    Fault("image_folder", "duplicate_image", ("train/dog/2.jpg",), copy("train/dog/1.jpg", "train/dog/2.jpg")),
    Fault(
        "image_folder", "image_with_two_labels", ("train/dog/1.jpg",), copy("train/bicycle/1.jpg", "train/dog/1.jpg")
    ),
    Fault(
        "csv_classes", "image_with_two_labels", ("images/img002.jpg",), copy("images/img001.jpg", "images/img002.jpg")
    ),
    Fault("csv_classes", "duplicate_image", ("images/img004.jpg",), copy("images/img001.jpg", "images/img004.jpg")),
    Fault(
        "csv_values", "image_with_two_labels", ("images/img004.jpg",), copy("images/img001.jpg", "images/img004.jpg")
    ),
    Fault("mvtec", "duplicate_image", ("train/good/002.png",), copy("train/good/001.png", "train/good/002.png")),
    Fault("mvtec", "image_with_two_labels", ("test/crack/001.png",), copy("test/good/001.png", "test/crack/001.png")),
    Fault("coco", "image_with_two_labels", ("train/img002.jpg",), copy("train/img001.jpg", "train/img002.jpg")),
    Fault(
        "yolo",
        "duplicate_image",
        ("images/train/img002.jpg",),
        all_of(
            copy("images/train/img001.jpg", "images/train/img002.jpg"),
            copy("labels/train/img001.txt", "labels/train/img002.txt"),
        ),
    ),
    Fault(
        "masks",
        "duplicate_image",
        ("images/train/img002.jpg",),
        copy("images/train/img001.jpg", "images/train/img002.jpg"),
    ),
    Fault(
        "image_folder", "near_duplicate", ("train/dog/2.jpg",), repaint("train/dog/1.jpg", smaller, "train/dog/2.jpg")
    ),
    Fault(
        "image_folder",
        "near_duplicate",
        ("train/dog/2.jpg",),
        repaint("train/dog/1.jpg", lambda i: i, "train/dog/2.jpg", quality=40),
    ),
    Fault(
        "image_folder",
        "image_in_two_splits",
        ("val/dog/0.jpg",),
        repaint("train/dog/1.jpg", lambda i: i, "val/dog/0.jpg", quality=60),
    ),
    Fault(
        "image_folder",
        "image_with_two_labels",
        ("train/person/2.jpg",),
        repaint("train/dog/1.jpg", smaller, "train/person/2.jpg"),
    ),
    Fault(
        "mvtec",
        "image_in_two_splits",
        ("test/good/000.png",),
        repaint("train/good/001.png", smaller, "test/good/000.png"),
    ),
    Fault(
        "masks",
        "near_duplicate",
        ("images/train/img002.jpg",),
        repaint("images/train/img001.jpg", lambda i: i, "images/train/img002.jpg", quality=50),
    ),
    Fault("csv_classes", "duplicate_entry", ("labels.csv:16",), line("labels.csv", 16, "img001.jpg,dog")),
    Fault("csv_classes", "image_with_two_labels", ("labels.csv:16",), line("labels.csv", 16, "img001.jpg,person")),
    Fault(
        "csv_values",
        "image_with_two_labels",
        ("labels.csv:16",),
        line("labels.csv", 16, "images/img001.jpg,160.0,60.0"),
    ),
    Fault("voc", "image_in_two_splits", ("ImageSets/Main/val.txt:5",), line("ImageSets/Main/val.txt", 5, "img001")),
    Fault("csv_anomalies", "image_in_two_splits", ("labels.csv:16",), line("labels.csv", 16, "img001.png,0,test")),
]


def drop_class(name):
    return lambda root: [shutil.rmtree(root / split / name) for split in ("train", "val")]


def more(name, count, first=500):
    return lambda root: [save(photo(first + i), root / f"train/{name}/more{i}.png") for i in range(count)]


def fewer(name, left):
    def plant(root):
        for path in sorted((root / "train" / name).iterdir())[left:]:
            path.unlink()

    return plant


FOLDERS = [
    Fault(
        "image_folder",
        "class_index_shift",
        ("val",),
        rename("val/bicycle", "val/tricycle"),
        also=("class_missing_in_train",),
    ),
    Fault(
        "image_folder",
        "class_missing_in_train",
        ("val/dgo",),
        rename("val/dog", "val/dgo"),
        also=("similar_class_names", "class_index_shift"),
    ),
    Fault("image_folder", "class_index_shift", ("val",), lambda root: shutil.rmtree(root / "val/bicycle")),
    Fault(
        "image_folder",
        "empty_class",
        ("train/unicorn", "val/unicorn"),
        lambda root: [(root / s / "unicorn").mkdir() for s in ("train", "val")] and None,
        also=("unused_class",),
    ),
    Fault(
        "image_folder",
        "same_class_name",
        ("train/Dog",),
        lambda root: [save(photo(700 + i), root / s / f"Dog/{i}.jpg") for i, s in enumerate(["train", "train", "val"])],
        also=("names_differ_in_case",),
    ),
    Fault(
        "image_folder",
        "similar_class_names",
        ("train/perosn",),
        lambda root: [
            save(photo(700 + i), root / s / f"perosn/{i}.jpg") for i, s in enumerate(["train", "train", "val"])
        ],
    ),
    Fault("image_folder", "single_example", ("train/dog",), fewer("dog", 1)),
    Fault("image_folder", "imbalance", ("train/bicycle",), more("person", 114)),
    Fault(
        "image_folder",
        "single_class",
        ("train/dog",),
        lambda root: [shutil.rmtree(root / s / n) for s in ("train", "val") for n in ("bicycle", "person")],
    ),
    Fault("image_folder", "batch_of_one", ("train",), more("dog", 3), {"batch_size": 4}),
    Fault(
        "mvtec",
        "batch_of_one",
        ("train",),
        lambda root: [save(photo(600 + i), root / f"train/good/x{i}.png") for i in range(3)],
        {"batch_size": 4},
    ),
    Fault(
        "mvtec",
        "anomaly_in_train",
        ("train/crack/000.png", "train/crack/001.png"),
        lambda root: [save(photo(600 + i), root / f"train/crack/{i:03d}.png") for i in range(2)],
    ),
    Fault(
        "mvtec",
        "one_sided_test",
        ("test",),
        lambda root: [shutil.rmtree(root / d) for d in ("test/crack", "test/scratch", "ground_truth")],
    ),
    Fault("mvtec", "one_sided_test", ("test",), lambda root: shutil.rmtree(root / "test/good")),
    Fault(
        "mvtec",
        "missing_split",
        ("train",),
        lambda root: (root / "train/good").rename(root / "train/fine"),
        also=("anomaly_in_train",),
    ),
]


@pytest.mark.sampled(48)
@pytest.mark.parametrize("fault", [*BROKEN, *LOST, *TWICE, *FOLDERS], ids=name_of)
def test_a_broken_or_misplaced_file_is_found(fault, tmp_path):
    expect(fault, tmp_path)


def test_the_sets_have_the_classes_that_the_faults_name():
    assert CLASSES == ["bicycle", "dog", "person"]
