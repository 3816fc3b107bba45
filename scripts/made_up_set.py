"""A small painted data set in COCO's format with a mistake of each kind that is easily made: what README.md audits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from aistudio.data.synthetic import paint_sample

CLASSES = ["crate", "buoy", "raft", "barrel"]
WIDTH, HEIGHT = 480, 360
TRAIN, VAL = 60, 20
ORIENTATION = 0x0112


def write(root: Path) -> None:
    """Paint the images, write the labels, then spoil some of them."""
    generator = torch.Generator().manual_seed(3)
    for split, first, count in (("train", 0, TRAIN), ("val", TRAIN, VAL)):
        document = split_of(root / split, range(first, first + count), generator)
        if split == "train":
            spoil(document["annotations"])
        path = root / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    spoil_files(root / "train")
    shutil.copy(root / "train" / "007.jpg", root / "val" / "063.jpg")


def split_of(folder: Path, numbers: range, generator: torch.Generator) -> dict:
    """The images of a split, and COCO's document of them."""
    folder.mkdir(parents=True)
    images, objects = [], []
    for number in numbers:
        count = int(torch.randint(1, 6, (), generator=generator))
        rarity = torch.tensor([8.0, 5.0, 3.0, 1.0])
        labels = torch.multinomial(rarity, count, replacement=True, generator=generator).tolist()
        sample = paint_sample(HEIGHT, WIDTH, labels, generator)
        pixels = (sample.image * 255).byte().permute(1, 2, 0).numpy()
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{number:03}.jpg", quality=90)
        images.append({"id": number, "file_name": f"{number:03}.jpg", "width": WIDTH, "height": HEIGHT})
        for label, (x1, y1, x2, y2) in zip(labels, sample.known("extents").tolist(), strict=True):
            box = [round(value, 1) for value in (x1, y1, x2 - x1, y2 - y1)]
            entry = {"image_id": number, "category_id": label + 1, "iscrowd": 0, "area": box[2] * box[3], "bbox": box}
            objects.append({"id": numbers.start * 1000 + len(objects) + 1, **entry})
    categories = [{"id": index + 1, "name": name} for index, name in enumerate(CLASSES)]
    return {"images": images, "annotations": objects, "categories": categories}


def spoil(objects: list[dict]) -> None:
    """Mistakes in the labels, each of a kind of its own."""
    x, y, w, h = objects[20]["bbox"]
    objects[20]["bbox"] = [x + w, y, -w, h]
    objects[30]["bbox"][0] = WIDTH - 40
    objects.append({**objects[40], "id": 9001, "category_id": objects[40]["category_id"] % len(CLASSES) + 1})
    objects.append({**objects[50], "id": 9002})
    objects[60]["bbox"][2:] = [1.5, 1.0]
    objects[60]["area"] = 1.5


def spoil_files(folder: Path) -> None:
    """Mistakes in the files: one breaks off, one is turned by its EXIF tag."""
    broken = folder / "011.jpg"
    broken.write_bytes(broken.read_bytes()[:2000])
    with Image.open(folder / "019.jpg") as turned:
        exif = turned.getexif()
        exif[ORIENTATION] = 6
        turned.save(folder / "019.jpg", exif=exif, quality=95)
