"""Segmentation: images, and a PNG of class ids for each under the same name in another folder."""

from __future__ import annotations

from posixpath import basename, dirname, splitext

from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, Place
from aistudio.audit.tree import Tree, nearest, printable, split_of
from aistudio.audit.yaml_names import names_in_text

FOLDERS = (
    "masks",
    "mask",
    "labels",
    "label",
    "annotations",
    "segmentationclass",
    "gt",
    "gtfine",
    "ground_truth",
    "seg",
    "annotation",
)
ENDINGS = ("", "_mask", "_labelids", "_gtfine_labelids", "_seg", "_label", "_labels", "_gt")

_OTHER_MAPS = ("_gtfine_color", "_gtfine_instanceids")  # what Cityscapes has beside its masks of ids


def read(tree: Tree, options: Options) -> Labels:
    """Pairs of images and masks. The masks themselves are opened later: they tell how many classes there are."""
    labels = Labels(tree.root, "masks", [], positional=True, ignore_index=options.ignore_index)
    labels.classes = options.names() or names_in_text(tree)
    labels.declared = bool(labels.classes)
    masks, images = _split_files(tree, options)
    masks = [name for name in masks if not splitext(name)[0].lower().endswith(_OTHER_MAPS)]
    if not masks:
        instead = "root/masks/NAME.png beside root/images/NAME.jpg, or data.masks=FOLDER"
        refuse(f"data.root={printable(tree.root)} has no folder of masks", "it is named masks", "data.masks", instead)
    by_stem: dict[tuple[str, str], str] = {}
    for name in masks:
        by_stem.setdefault((_stem_of_mask(name), split_of(dirname(name))), name)
    used = set()
    for name in images:
        split = split_of(dirname(name))
        mask = by_stem.get((splitext(basename(name))[0].lower().removesuffix("_leftimg8bit"), split))
        labels.images.append(ImageRecord(name, split, Place(mask or name), mask=mask, labelled=mask is not None))
        used.add(mask)
        if mask is None:
            labels.blame("missing_label", Place(name), "no mask has the name of this image")
    for name in masks:
        if name not in used:
            labels.blame("mask_without_image", Place(name), "no image has the name of this mask")
    if not any(image.mask for image in labels.images):
        what = f"data.root={printable(tree.root)} has no labelled image"
        refuse(what, "masks/NAME.png belongs to images/NAME.jpg", "data.masks", "data.masks=FOLDER data.images=FOLDER")
    return labels


def _split_files(tree: Tree, options: Options) -> tuple[list[str], list[str]]:
    """The masks and the images: by the folders that are stated, or by a folder's usual name."""
    everything = tree.images()
    if options.masks:
        if not tree.has_folder(options.masks):
            refuse(
                f"data.masks={options.masks} is not there", "", "data.masks", nearest(options.masks, tree.subfolders())
            )
        masks = tree.images(options.masks)
    else:
        masks = [name for name in everything if any(_is_mask_folder(part.lower()) for part in name.split("/")[:-1])]
    if options.images:
        if not tree.has_folder(options.images):
            refuse(
                f"data.images={options.images} is not there",
                "",
                "data.images",
                nearest(options.images, tree.subfolders()),
            )
        return masks, tree.images(options.images)
    taken = set(masks)
    skipped = ("segmentationobject",)
    return masks, [n for n in everything if n not in taken and not any(p.lower() in skipped for p in n.split("/"))]


def _is_mask_folder(name: str) -> bool:
    """Whether a folder is named as one of masks."""
    return name in FOLDERS or "mask" in name


def _stem_of_mask(name: str) -> str:
    """The name of the image that a mask belongs to, in lower case."""
    stem = splitext(basename(name))[0].lower()
    ending = max((end for end in ENDINGS if stem.endswith(end)), key=len)
    return stem.removesuffix(ending) or stem
