"""Sets that are unusual and sound: none has a finding."""

import os

import numpy as np
import pytest
from labelled_sets import (
    CLASSES,
    SETS,
    H,
    W,
    mask_of,
    names,
    objects,
    photo,
    save,
    seed_of,
    table,
    write_json,
    yolo_line,
)
from PIL import Image

from aistudio.audit import Options, audit


def grey(seed, width=W, height=H):
    return photo(seed, width, height).convert("L")


def deep(seed):
    """16 bit, of a camera that uses twelve of them."""
    return Image.fromarray(np.asarray(grey(seed)).astype(np.uint16) * 16)


def one_class(root):
    for split, many in (("train", 10), ("val", 4)):
        images, annotations = [], []
        for i in range(many):
            name = f"{split}{i}.png"
            save(grey(i + 50 * (split == "val")), root / split / name)
            images.append({"id": i, "file_name": name, "width": W, "height": H})
            annotations.append(
                {"id": i, "image_id": i, "category_id": 7, "iscrowd": 0, "area": 900, "bbox": [9 + i, 20, 30, 30]}
            )
        kinds = [{"id": 7, "name": "nucleus"}]
        write_json(
            root / f"annotations/instances_{split}.json",
            {"images": images, "annotations": annotations, "categories": kinds},
        )


def crowded(root):
    """Four hundred small objects an image, most of one class, and images with nothing in them."""
    rng = np.random.default_rng(0)
    for i in range(10):
        stem = f"img{i:03d}"
        save(photo(i, 640, 480), root / f"images/{stem}.jpg")
        lines = []
        for y in range(20):
            for x in range(20) if i % 2 else ():
                cx, cy = (x + 0.5) / 20 + rng.uniform(-5e-3, 5e-3), (y + 0.5) / 20 + rng.uniform(-5e-3, 5e-3)
                lines.append(f"{int(rng.random() < 0.1)} {cx:.5f} {cy:.5f} {rng.uniform(0.02, 0.03):.5f} 0.025")
        (root / "labels").mkdir(exist_ok=True)
        (root / f"labels/{stem}.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text("train: images\nnc: 2\nnames: [Weizenähre, 麦の穂]\n")


def listed(root):
    """Splits in text files, with paths of the folder in which they lie."""
    for split in ("train", "val"):
        for stem in names(split):
            save(photo(seed_of(stem)), root / f"images/{stem}.jpg")
            (root / "labels").mkdir(exist_ok=True)
            (root / f"labels/{stem}.txt").write_text("\n".join(yolo_line(*one) for one in objects(seed_of(stem))))
        (root / f"{split}.txt").write_text("".join(f"./images/{stem}.jpg\n" for stem in names(split)))
    (root / "data.yaml").write_text(f"path: .\ntrain: train.txt\nval: val.txt\nnc: 3\nnames: {CLASSES}\n")


def roboflow(root):
    for split, folder in (("train", "train"), ("val", "valid")):
        for stem in names(split):
            name = f"{stem}_jpg.rf.{seed_of(stem):032x}"
            save(photo(seed_of(stem)), root / f"{folder}/images/{name}.jpg")
            (root / f"{folder}/labels").mkdir(exist_ok=True)
            (root / f"{folder}/labels/{name}.txt").write_text(
                "\n".join(yolo_line(*one) for one in objects(seed_of(stem)))
            )
    (root / "data.yaml").write_text(
        f"train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 3\nnames: {CLASSES}\n"
    )
    (root / "test/images").mkdir(parents=True)
    (root / "test/labels").mkdir()
    for i in (800, 801):
        save(photo(i), root / f"test/images/x{i}.jpg")
        (root / f"test/labels/x{i}.txt").write_text(yolo_line(0, (20 + i - 800, 20, 60, 60)))
    (root / "README.roboflow.txt").write_text("exported\n")


def long_tail(root):
    """Classes with fewer and fewer images, in folders below folders, with names of many alphabets."""
    for number, (name, many) in enumerate((("Straße", 24), ("犬", 12), ("café au lait", 6), ("θ", 3), ("кот", 2))):
        for i in range(many):
            save(photo(100 * number + i), root / name / f"{'a' if i % 2 else 'b'}/{i} ü.jpg")


def links(root):
    """Images are links into a store beside the set."""
    SETS["image_folder"][0](root / "set")
    for path in sorted((root / "set").rglob("*.jpg")):
        other = root / "store" / "-".join(path.parts[-3:])
        other.parent.mkdir(exist_ok=True)
        path.rename(other)
        os.symlink(other, path)


def medical(root):
    for i in range(12):
        save(deep(i), root / f"scans/{i:03d}.png")
    table(root, [["path", "age"], *([f"scans/{i:03d}.png", 30 + 3 * i] for i in range(12))])


def small(root):
    """Icons of 32 pixels a side."""
    for number, name in enumerate(CLASSES):
        for i in range(8):
            save(photo(100 * number + i, 32, 32), root / name / f"{i}.png")


def large(root):
    for split in ("train", "val"):
        for stem in names(split)[:2]:
            save(photo(seed_of(stem)).resize((4000, 3000)), root / f"{split}/images/{stem}.jpg", quality=30)
            (root / f"{split}/labelTxt").mkdir(exist_ok=True)
            rows = [f"{x} 100 {x + 80} 130 {x + 70} 160 {x - 10} 130 ship 0" for x in range(200, 3800, 400)]
            (root / f"{split}/labelTxt/{stem}.txt").write_text(
                "\n".join(f"{float(v.split()[0]) + seed_of(stem)} {v.split(' ', 1)[1]}" for v in rows)
            )


def coloured_ids(root):
    """Palette PNGs, half of them of background alone."""
    palette = np.random.default_rng(0).integers(0, 255, 768, dtype=np.uint8).tolist()
    for i in range(10):
        save(photo(i), root / f"images/img{i:03d}.jpg")
        mask = mask_of(f"img{i:03d}").convert("P")
        mask.putpalette(palette)
        save(mask, root / f"masks/img{i:03d}.png")


def sets_of_folders(root):
    SETS["image_folder"][0](root)
    (root / "train").rename(root / "training_set")
    (root / "val").rename(root / "test_set")


UNUSUAL = [
    (one_class, "coco", "object_detection"),
    (crowded, "yolo", "object_detection"),
    (listed, "yolo", "object_detection"),
    (roboflow, "yolo", "object_detection"),
    (long_tail, "image_folder", "classification"),
    (links, "image_folder", "classification"),
    (medical, "csv", "regression"),
    (small, "image_folder", "classification"),
    (large, "dota", "oriented_object_detection"),
    (coloured_ids, "masks", "segmentation"),
    (sets_of_folders, "image_folder", "classification"),
]


@pytest.mark.parametrize(("write", "kind", "task"), UNUSUAL, ids=lambda one: getattr(one, "__name__", ""))
def test_an_unusual_set_that_is_sound_has_no_finding(write, kind, task, tmp_path):
    write(tmp_path)
    root = tmp_path / "set" if write is links else tmp_path
    found = audit(Options(str(root), kind, task, batch_size=1))
    assert [(fault.kind, str(fault.place), fault.message) for one in found.findings for fault in one.faults] == []
