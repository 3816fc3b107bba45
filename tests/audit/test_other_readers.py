"""Readers that others wrote find in the sets, and in what is read of them, the same as ours."""

import numpy as np
import pytest
from labelled_sets import SETS, coco_polygons, image_folder, names, seed_of, voc
from labelled_sets import objects as objects_of

from aistudio.audit import Options, read_labels
from aistudio.audit.rle import box_of, read_counts, to_mask


def read(root, name):
    _, kind, task = SETS[name]
    return read_labels(Options(str(root), kind, task))[1]


@pytest.mark.parametrize("name", ["coco", "coco_polygons", "yolo", "voc"])
def test_every_format_reads_the_boxes_that_were_written(name, tmp_path):
    SETS[name][0](tmp_path)
    labels = read(tmp_path, name)
    for image in labels.images:
        stem = image.name.rpartition("/")[2].split(".")[0]
        said = [(one.label, one.box) for one in image.objects if not one.crowd]
        for (label, box), (wanted, corners, _) in zip(said, objects_of(seed_of(stem)), strict=True):
            scale = (160, 120) * 2 if labels.relative else (1, 1) * 2
            assert label == wanted
            assert np.allclose([a * s for a, s in zip(box, scale, strict=True)], corners, atol=0.6)


def test_pycocotools_reads_the_same_boxes_and_masks(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    coco_polygons(tmp_path)
    theirs = coco.COCO(str(tmp_path / "annotations/instances_train.json"))
    ours = [image for image in read(tmp_path, "coco_polygons").images if image.split == "train"]
    for image, number in zip(ours, sorted(theirs.imgs), strict=True):
        entries = theirs.loadAnns(theirs.getAnnIds([number], iscrowd=None))
        for one, entry in zip(image.objects, entries, strict=True):
            x, y, w, h = entry["bbox"]
            assert tuple(one.box) == (x, y, x + w, y + h)
            if one.rle:
                mask = theirs.annToMask(entry).astype(bool)
                assert (to_mask(read_counts(one.rle["counts"]), *one.rle["size"]) == mask).all()


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_are_those_of_pycocotools(seed):
    mask_api = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    mask = rng.random((rng.integers(1, 90), rng.integers(1, 90))) < rng.choice([0.02, 0.5, 0.98])
    packed = mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))
    counts = read_counts(packed["counts"].decode())
    assert (to_mask(counts, *mask.shape) == mask).all()
    if mask.any():
        x, y, w, h = mask_api.toBbox(packed)
        assert box_of(counts, mask.shape[0]) == (x, y, x + w, y + h)


def test_torchvision_numbers_the_classes_of_folders_alike(tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")
    image_folder(tmp_path)
    theirs = datasets.ImageFolder(tmp_path / "train")
    ours = read(tmp_path, "image_folder")
    assert ours.classes == theirs.classes
    said = {image.name: image.label for image in ours.images if image.split == "train"}
    assert said == {path[len(str(tmp_path)) + 1 :]: label for path, label in theirs.samples}


def test_torchvision_reads_the_same_voc(tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")
    voc(tmp_path / "VOCdevkit/VOC2012")
    theirs = datasets.VOCDetection(str(tmp_path), year="2012", image_set="train")
    ours = {image.name.rpartition("/")[2]: image for image in read(tmp_path, "voc").images}
    assert len(theirs) == len(names("train"))
    for _, target in theirs:
        described = target["annotation"]
        image = ours[described["filename"]]
        boxes = [
            tuple(float(one["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax"))
            for one in described["object"]
        ]
        assert [one.box for one in image.objects] == boxes
        assert image.size == (int(described["size"]["width"]), int(described["size"]["height"]))
