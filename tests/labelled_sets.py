"""Small clean data sets in every format. Boxes, polygons and masks are drawn from one list of objects an image."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

W, H = 160, 120
CLASSES = ["bicycle", "dog", "person"]
TRAIN, VAL = 10, 4


def photo(seed: int, width: int = W, height: int = H) -> Image.Image:
    """A smooth scene with grain: no two are alike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)).resize((width, height), 2)
    grain = np.asarray(coarse, dtype=np.int16) + rng.integers(-25, 25, (height, width, 3))
    return Image.fromarray(grain.clip(0, 255).astype(np.uint8))


def save(image: Image.Image, path: Path, **how) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **how)
    return path


def objects(seed: int, width: int = W, height: int = H) -> list[tuple[int, tuple[float, float, float, float], float]]:
    """Three objects: class, box x1, y1, x2, y2 and an angle in degrees; each in a third of the image."""
    rng = np.random.default_rng(1000 + seed)
    found = []
    for place in range(3):
        w, h = rng.uniform(24, 40), rng.uniform(14, 22)
        x = place * width / 3 + 5 + rng.uniform(0, width / 3 - 50 if width / 3 > 50 else 1)
        y = 20 + rng.uniform(0, height - 70)
        label = (seed + place) % len(CLASSES)
        found.append(
            (label, (round(x, 1), round(y, 1), round(x + w, 1), round(y + h, 1)), float(rng.integers(-40, 40)))
        )
    return found


def names(split: str) -> list[str]:
    first = 0 if split == "train" else TRAIN
    return [f"img{first + i:03d}" for i in range(TRAIN if split == "train" else VAL)]


def seed_of(stem: str) -> int:
    return int(stem[3:])


def image_folder(root: Path) -> None:
    for split, many in (("train", 6), ("val", 3)):
        for label, name in enumerate(CLASSES):
            for i in range(many):
                seed = 100 * label + i + 50 * (split == "val")
                save(photo(seed), root / split / name / f"{i}.jpg")


def table(root: Path, rows: list[list], name: str = "labels.csv", delimiter: str = ",") -> None:
    with open(root / name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def csv_classes(root: Path) -> None:
    stems = names("train") + names("val")
    for stem in stems:
        save(photo(seed_of(stem)), root / "images" / f"{stem}.jpg")
    table(root, [["filename", "label"], *([f"{stem}.jpg", CLASSES[seed_of(stem) % 3]] for stem in stems)])


def csv_values(root: Path) -> None:
    rng = np.random.default_rng(5)
    rows = [["filename", "height", "weight"]]
    for stem in names("train") + names("val"):
        save(photo(seed_of(stem)), root / "images" / f"{stem}.jpg")
        rows.append([f"images/{stem}.jpg", f"{rng.uniform(150, 195):.1f}", f"{rng.normal(70, 9):.1f}"])
    table(root, rows)


def csv_anomalies(root: Path) -> None:
    rows = [["filename", "is_anomalous", "split"]]
    for i, stem in enumerate(names("train") + names("val")):
        save(photo(seed_of(stem)), root / f"{stem}.png")
        rows.append([f"{stem}.png", i % 2 if i >= TRAIN else 0, "train" if i < TRAIN else "test"])
    table(root, rows)


def mvtec(root: Path) -> None:
    for i in range(10):
        save(photo(i), root / f"train/good/{i:03d}.png")
    for i in range(3):
        save(photo(20 + i), root / f"test/good/{i:03d}.png")
        for k, defect in enumerate(("crack", "scratch")):
            save(photo(30 + 10 * k + i), root / f"test/{defect}/{i:03d}.png")
            mask = Image.new("L", (W, H), 0)
            ImageDraw.Draw(mask).ellipse((20 + 10 * i, 30, 60 + 10 * i, 70), fill=255)
            save(mask, root / f"ground_truth/{defect}/{i:03d}_mask.png")


def rotated_corners(box, degrees: float) -> list[float]:
    """Corners of a box, turned counter-clockwise on the screen about its centre, clockwise from the top left."""
    x1, y1, x2, y2 = box
    cx, cy, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    found = []
    for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        u, v = a * w / 2, b * h / 2
        found += [cx + c * u + s * v, cy - s * u + c * v]
    return [round(value, 2) for value in found]


def octagon(box) -> list[float]:
    """Eight corners that touch all sides of a box."""
    x1, y1, x2, y2 = box
    a, b = (x2 - x1) / 4, (y2 - y1) / 4
    points = [
        (x1 + a, y1),
        (x2 - a, y1),
        (x2, y1 + b),
        (x2, y2 - b),
        (x2 - a, y2),
        (x1 + a, y2),
        (x1, y2 - b),
        (x1, y1 + b),
    ]
    return [round(value, 2) for point in points for value in point]


def coco_document(split: str, kind: str) -> dict:
    """The document of one split; every image also lies on disk as ``NAME.jpg``."""
    images, annotations = [], []
    for number, stem in enumerate(names(split), 1):
        images.append({"id": number, "file_name": f"{stem}.jpg", "width": W, "height": H})
        for label, (x1, y1, x2, y2), angle in objects(seed_of(stem)):
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "iscrowd": 0}
            entry["bbox"] = [x1, y1, round(x2 - x1, 1), round(y2 - y1, 1)]
            entry["area"] = round((x2 - x1) * (y2 - y1), 2)
            if kind == "polygons":
                entry["segmentation"] = [octagon((x1, y1, x2, y2))]
            if kind == "rotated":
                entry["bbox"] = [round((x1 + x2) / 2, 2), round((y1 + y2) / 2, 2), *entry["bbox"][2:], angle]
                entry["segmentation"] = [rotated_corners((x1, y1, x2, y2), angle)]
            annotations.append(entry)
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES, 1)]
    if kind == "polygons":
        annotations.append(run_lengths(len(annotations) + 1))
    return {"images": images, "annotations": annotations, "categories": categories}


def run_lengths(number: int) -> dict:
    """A crowd in the first image: columns 4 … 23, rows 100 … 109, uncompressed."""
    counts = [4 * H + 100]
    for _column in range(20):
        counts += [10, H - 10]
    counts[-1] = W * H - sum(counts[:-1])
    entry = {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 1, "bbox": [4, 100, 20, 10], "area": 200}
    return {**entry, "segmentation": {"size": [H, W], "counts": counts}}


def coco(root: Path, kind: str = "boxes") -> None:
    for split in ("train", "val"):
        for stem in names(split):
            save(photo(seed_of(stem)), root / split / f"{stem}.jpg")
        write_json(root / f"annotations/instances_{split}.json", coco_document(split, kind))


def coco_polygons(root: Path) -> None:
    coco(root, "polygons")


def coco_rotated(root: Path) -> None:
    coco(root, "rotated")


def write_json(path: Path, document) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def yolo_files(root: Path, line) -> None:
    for split in ("train", "val"):
        for stem in names(split):
            save(photo(seed_of(stem)), root / f"images/{split}/{stem}.jpg")
            lines = [line(label, box, angle) for label, box, angle in objects(seed_of(stem))]
            path = root / f"labels/{split}/{stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
    listed = "\n".join(f"  {i}: {name}" for i, name in enumerate(CLASSES))
    (root / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/val\nnc: 3\nnames:\n{listed}\n")


def yolo(root: Path) -> None:
    yolo_files(root, yolo_line)


def yolo_line(label: int, box, angle: float = 0) -> str:
    x1, y1, x2, y2 = box
    numbers = (x1 + x2) / 2 / W, (y1 + y2) / 2 / H, (x2 - x1) / W, (y2 - y1) / H
    return f"{label} " + " ".join(f"{number:.6f}" for number in numbers)


def yolo_obb(root: Path) -> None:
    yolo_files(root, obb_line)


def obb_line(label: int, box, angle: float) -> str:
    corners = rotated_corners(box, angle)
    return f"{label} " + " ".join(f"{value / (H if i % 2 else W):.6f}" for i, value in enumerate(corners))


def voc_text(stem: str, width: int = W, height: int = H) -> str:
    parts = [f"<annotation>\n<folder>JPEGImages</folder>\n<filename>{stem}.jpg</filename>"]
    parts.append(f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>")
    for label, box, _ in objects(seed_of(stem)):
        sides = zip(("xmin", "ymin", "xmax", "ymax"), map(round, box), strict=True)
        inner = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
        named = f"<name>{CLASSES[label]}</name><difficult>0</difficult>"
        parts.append(f"<object>\n{named}\n<bndbox>{inner}</bndbox>\n</object>")
    return "\n".join([*parts, "</annotation>", ""])


def voc(root: Path) -> None:
    for split in ("train", "val"):
        for stem in names(split):
            save(photo(seed_of(stem)), root / f"JPEGImages/{stem}.jpg")
            path = root / f"Annotations/{stem}.xml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(voc_text(stem))
        path = root / f"ImageSets/Main/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(names(split)) + "\n")


def dota(root: Path) -> None:
    for split in ("train", "val"):
        for stem in names(split):
            save(photo(seed_of(stem)), root / f"{split}/images/{stem}.png")
            path = root / f"{split}/labelTxt/{stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [dota_line(label, box, angle) for label, box, angle in objects(seed_of(stem))]
            path.write_text("\n".join(["imagesource:GoogleEarth", "gsd:0.15", *lines]) + "\n")


def dota_line(label: int, box, angle: float) -> str:
    return " ".join(map(str, rotated_corners(box, angle))) + f" {CLASSES[label]} 0"


def mask_of(stem: str, width: int = W, height: int = H) -> Image.Image:
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    for label, box, _ in objects(seed_of(stem)):
        draw.ellipse([box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2], fill=255)
        draw.ellipse(box, fill=label + 1)
    return mask


def masks(root: Path) -> None:
    for split in ("train", "val"):
        for stem in names(split):
            save(photo(seed_of(stem)), root / f"images/{split}/{stem}.jpg")
            save(mask_of(stem), root / f"masks/{split}/{stem}.png")


SETS = {  # name: how it is written, its format, its task
    "image_folder": (image_folder, "image_folder", "classification"),
    "csv_classes": (csv_classes, "csv", "classification"),
    "csv_values": (csv_values, "csv", "regression"),
    "csv_anomalies": (csv_anomalies, "csv", "anomaly_detection"),
    "mvtec": (mvtec, "mvtec", "anomaly_detection"),
    "coco": (coco, "coco", "object_detection"),
    "coco_polygons": (coco_polygons, "coco", "instance_segmentation"),
    "coco_rotated": (coco_rotated, "coco", "oriented_object_detection"),
    "yolo": (yolo, "yolo", "object_detection"),
    "voc": (voc, "voc", "object_detection"),
    "dota": (dota, "dota", "oriented_object_detection"),
    "yolo_obb": (yolo_obb, "yolo_obb", "oriented_object_detection"),
    "masks": (masks, "masks", "segmentation"),
}
