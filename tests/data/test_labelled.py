"""Labelled data as samples: the numbers that were written, moved with the image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_sets import CLASSES, SETS, H, W, mask_of, objects, photo, save, seed_of
from torch import Generator

from aistudio.data.labelled import Labelled
from aistudio.data.shapes import letterbox
from aistudio.errors import Refusal
from aistudio.oriented import rotated_iou


def source(root, name, **options):
    write, kind, task = SETS[name]
    write(root)
    return Labelled(str(root), kind, task, **options)


def stem(sample):
    return Path(sample.name).stem


@pytest.mark.parametrize("name", SETS)
def test_every_set_gives_samples_of_the_size_that_is_asked_for(name, tmp_path):
    found = source(tmp_path, name).samples(4, 96, Generator().manual_seed(0))
    assert len({sample.name for sample in found}) == 4
    for sample in found:
        assert sample.image.shape == (3, 96, 96)
        assert 0 <= sample.image.min() < sample.image.max() <= 1
        assert sample.boxes is None or len(sample.boxes) == 3
        assert sample.class_mask is None or sample.class_mask.shape == (96, 96)
        assert sample.masks is None or sample.masks.shape == (3, 96, 96)


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "coco_polygons"])
def test_boxes_are_those_that_were_written(name, tmp_path):
    for sample in source(tmp_path, name).dataset("train"):
        wanted = objects(seed_of(stem(sample)))
        assert sample.labels.tolist() == [label for label, _, _ in wanted]
        assert torch.allclose(sample.extents, torch.tensor([box for _, box, _ in wanted]), atol=0.6)


@pytest.mark.parametrize("name", ["dota", "yolo_obb", "coco_rotated"])
def test_rotated_boxes_are_those_that_were_written(name, tmp_path):
    for sample in source(tmp_path, name).dataset("val"):
        for box, (_, (x1, y1, x2, y2), angle) in zip(sample.boxes, objects(seed_of(stem(sample))), strict=True):
            wanted = torch.tensor([[(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, angle]])
            assert rotated_iou(box[None], wanted) > 0.99


def test_masks_of_objects_are_those_of_pycocotools(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    samples = source(tmp_path, "coco_polygons").dataset("train")
    theirs = coco.COCO(str(tmp_path / "annotations/instances_train.json"))
    for number, sample in enumerate(samples, 1):
        entries = [entry for entry in theirs.imgToAnns[number] if not entry["iscrowd"]]
        wanted = np.stack([theirs.annToMask(entry) for entry in entries]).astype(bool)
        assert (sample.masks.numpy() == wanted).all()


def test_masks_of_ids_are_those_in_the_files(tmp_path):
    for sample in source(tmp_path, "masks").dataset("train"):
        assert (sample.class_mask.numpy() == np.asarray(mask_of(stem(sample)))).all()


def test_polygons_become_a_mask_of_classes_with_crowds_ignored(tmp_path):
    SETS["coco_polygons"][0](tmp_path)
    first = Labelled(str(tmp_path), "coco", "segmentation").dataset("train")[0]
    assert (first.class_mask[100:110, 4:24] == 255).all()
    for label, (x1, y1, x2, y2), _ in objects(0):
        assert first.class_mask[int(y1 + y2) // 2, int(x1 + x2) // 2] == label + 1


def test_classes_and_values_are_those_that_were_written(tmp_path):
    folders = source(tmp_path / "a", "image_folder").dataset("val")
    assert {Path(s.name).parent.name: int(s.labels) for s in folders} == dict(zip(CLASSES, range(3), strict=True))
    values = source(tmp_path / "b", "csv_values").dataset("train")
    rows = (tmp_path / "b/labels.csv").read_text().splitlines()[1:]
    written = torch.tensor([[float(cell) for cell in row.split(",")[1:]] for row in rows])
    standardised = (written - written.mean(0)) / written.std(0, correction=0)
    assert torch.allclose(torch.stack([sample.values for sample in values]), standardised, atol=1e-5)


def test_a_letterbox_moves_image_boxes_and_masks_together(tmp_path):
    """A white rectangle is found where its box, its mask and its rotated box say, in every size."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (W, H))
    ImageDraw.Draw(image).rectangle((40, 20, 99, 59), fill="white")
    source(tmp_path, "coco_polygons")
    dataset = Labelled(str(tmp_path), "coco", "instance_segmentation").dataset("train")
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
    from dataclasses import replace

    sample = replace(
        dataset[0],
        image=pixels,
        labels=torch.zeros(1, dtype=torch.int64),
        extents=torch.tensor([[40.0, 20, 100, 60]]),
        boxes=torch.tensor([[70.0, 40, 60, 40, 0]]),
        masks=(pixels[:1] > 0.5),
        class_mask=(pixels[0] > 0.5).long(),
    )
    for size in (64, 96, 320):
        moved = letterbox(sample, size, 255)
        x1, y1, x2, y2 = moved.extents[0].round().int().tolist()
        inside = moved.image[0] > 0.5
        ys, xs = inside.nonzero().T
        seen = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
        assert max(abs(a - b) for a, b in zip(seen, (x1, y1, x2, y2), strict=True)) <= 1
        assert (moved.masks[0] != inside).sum() <= 2 * (x2 - x1 + y2 - y1)
        assert ((moved.class_mask == 1) != inside).sum() <= 2 * (x2 - x1 + y2 - y1)
        cx, cy, w, h, _ = moved.boxes[0].tolist()
        assert (
            abs(cx - (x1 + x2) / 2) < 1
            and abs(w - (x2 - x1)) < 1
            and abs(cy - (y1 + y2) / 2) < 1
            and abs(h - (y2 - y1)) < 1
        )
        assert (moved.class_mask[round(size * H / W) + 1 :] == 255).all()


def test_the_same_generator_gives_the_same_samples_with_and_without_workers(tmp_path):
    names = []
    for workers in (0, 2):
        one = source(tmp_path, "coco", workers=workers)
        names.append([sample.name for sample in one.samples(4, 64, Generator().manual_seed(3))])
    assert names[0] == names[1]


def test_the_first_samples_show_every_class(tmp_path):
    found = source(tmp_path, "image_folder").samples(3, 64, Generator().manual_seed(1))
    assert {int(sample.labels) for sample in found} == {0, 1, 2}


def test_a_broken_image_is_named_and_passed_over(tmp_path):
    one = source(tmp_path, "image_folder")
    for path in sorted((tmp_path / "train/dog").iterdir())[:5]:
        path.write_bytes(path.read_bytes()[:200])
    found = one.samples(18, 64, Generator().manual_seed(1))
    assert len({sample.name for sample in found}) == 13
    assert len(one.warnings) == 5
    assert all(warning.startswith("train/dog/") for warning in one.warnings)


def test_what_nobody_can_learn_from_is_refused(tmp_path):
    one = source(tmp_path, "image_folder")
    with pytest.raises(Refusal) as refused:
        one.dataset("test")
    assert refused.value.problems[0].instead == "train, val"
    for path in tmp_path.rglob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(Refusal, match="none of 18 images"):
        one.samples(2, 64, Generator())


def test_an_image_is_turned_before_its_labels_are_laid_on_it(tmp_path):
    from PIL import Image

    one = source(tmp_path, "image_folder")
    exif = Image.Exif()
    exif[0x0112] = 6
    save(photo(0), tmp_path / "train/bicycle/0.jpg", exif=exif)
    assert one.dataset("train")[0].image.shape == (3, W, H)
