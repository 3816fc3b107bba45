"""Anomaly detection: ``train/good``, ``test/good``, ``test/DEFECT`` and ``ground_truth/DEFECT/NAME_mask.png``.

The root is one object's folder, or holds one for each of several objects.
"""

from __future__ import annotations

from posixpath import basename, splitext

from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, Place
from aistudio.audit.tree import Tree, is_image_name, printable

GOOD = "good"


def read(tree: Tree, options: Options) -> Labels:
    """Whatever is not ``good`` is anomalous, and has a mask beside it."""
    objects = [""] if tree.has_folder("train") or tree.has_folder("test") else tree.subfolders()
    objects = [
        name for name in objects if tree.has_folder(_join(name, "train")) or tree.has_folder(_join(name, "test"))
    ]
    if not objects:
        what = f"data.root={printable(tree.root)} has neither train nor test in it"
        refuse(what, "mvtec means train/good, test/DEFECT and ground_truth/DEFECT", "data.root", "the object's folder")
    labels = Labels(tree.root, "mvtec", [], classes=["normal", "anomalous"], declared=True)
    for name in objects:
        read_object(tree, name, labels)
    return labels


def read_object(tree: Tree, name: str, labels: Labels) -> None:
    """The images and masks of one object."""
    masks = {file for file in tree.below(_join(name, "ground_truth")) if is_image_name(file)}
    used: set[str] = set()
    for split in ("train", "test"):
        folder = _join(name, split)
        if not tree.has_folder(folder):
            labels.blame("missing_split", Place(folder), f"there is no folder {folder}")
            continue
        if GOOD not in tree.subfolders(folder):
            kind = "missing_split" if split == "train" else "one_sided_test"
            labels.blame(kind, Place(folder), f"{folder} has no folder {GOOD}")
        elif split == "test" and len(tree.subfolders(folder)) == 1:
            labels.blame("one_sided_test", Place(folder), f"{folder} has no defects")
        for kind_of_defect in sorted(tree.subfolders(folder), key=lambda one: one != GOOD):
            path = _join(folder, kind_of_defect)
            if not any(is_image_name(file) for file in tree.below(path)):
                labels.blame("empty_class", Place(path), "no image in this folder")
        for file in sorted(tree.below(folder), key=lambda one: not one.startswith(f"{folder}/{GOOD}/")):
            used |= {_place_image(tree, file, split, name, masks, labels)}
    for file in sorted(masks - used):
        labels.blame("mask_without_image", Place(file), "no image of test has this mask")


def _place_image(tree: Tree, file: str, split: str, name: str, masks: set[str], labels: Labels) -> str:
    """Add one image; the mask that it uses, or ""."""
    parts = file[len(name) + 1 if name else 0 :].split("/")
    if not is_image_name(file):
        labels.blame("stray_file", Place(file), "no image, by its name")
        return ""
    if len(parts) < 3:
        labels.blame("missing_label", Place(file), "an image that lies in no folder of good or of a defect")
        return ""
    anomalous = parts[1] != GOOD
    image = ImageRecord(file, split, Place(file), int(anomalous))
    labels.images.append(image)
    if split == "train" and anomalous:
        labels.blame("anomaly_in_train", Place(file), f"train holds {parts[1]}, and should hold {GOOD} alone")
    if split == "test":
        image.mask = _find_mask(file, name, masks)
        if image.mask is None and anomalous:
            labels.blame(
                "missing_label", Place(file), f"no mask in {_join(name, 'ground_truth')}/{'/'.join(parts[1:-1])}"
            )
    return image.mask or ""


def _find_mask(file: str, name: str, masks: set[str]) -> str | None:
    """The mask of a test image: its name with ``_mask``, or its name."""
    below = file[len(_join(name, "test")) + 1 :]
    stem = f"{_join(name, 'ground_truth')}/{splitext(below)[0]}"
    suffixes = (splitext(basename(file))[1], ".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
    candidates = [f"{stem}{end}{suffix}" for end in ("_mask", "") for suffix in suffixes]
    return next((mask for mask in candidates if mask in masks), None)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
