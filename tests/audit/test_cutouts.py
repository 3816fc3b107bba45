"""Findings to look at: the right part of the right image, framed; nothing that cannot be shown stops it."""

import json
import shutil

import numpy as np
import pytest
from labelled_sets import SETS
from PIL import Image
from planting import annotation, truncate

from aistudio.audit import Options, audit
from aistudio.audit.cutouts import around, corners_of, cut_outs, findings_sheet, framed, opened_mask
from aistudio.drawing import BAD


def audited(root, name, plant=lambda root: None):
    write, kind, task = SETS[name]
    write(root)
    plant(root)
    return audit(Options(str(root), kind, task, batch_size=1))


@pytest.mark.parametrize("name", SETS)
def test_a_clean_set_has_no_sheet(name, tmp_path):
    assert findings_sheet(audited(tmp_path, name)) is None


def test_a_box_is_cut_out_of_its_image_and_framed(tmp_path):
    def plant(root):
        annotation(4, bbox=[60, 40, -20, 14])(root)

    tiles = [*cut_outs(audited(tmp_path, "coco", plant))]
    assert [tile.name for tile in tiles] == ["annotations/instances_train.json, annotation 4"]
    pixels = np.asarray(tiles[0].image.convert("RGB"))
    assert (pixels == BAD).all(-1).sum() > 500


def test_each_kind_is_shown_before_any_is_shown_twice(tmp_path):
    def plant(root):
        for number in (1, 2, 3):
            annotation(number, bbox=[60, 40, -20, 14])(root)
        annotation(5, bbox=[150, 40, 30, 14])(root)
        truncate("train/img003.jpg")(root)

    names = [tile.name for tile in cut_outs(audited(tmp_path, "coco", plant))]
    first = [name.rpartition(", ")[2] for name in names[:3]]
    assert sorted(first) == ["annotation 1", "annotation 5", "train/img003.jpg"] and len(names) == 5


@pytest.mark.parametrize("bad", [[float("nan"), 1, 2, 3], [1e12, 1, 2, 3], [-1e9, -1e9, 2e9, 2e9]])
def test_a_box_at_no_place_shows_the_whole_image(tmp_path, bad):
    found = audited(tmp_path, "coco", annotation(1, bbox=bad))
    assert found.findings and findings_sheet(found).width > 400


def test_a_file_that_is_gone_by_then_is_no_reason_to_stop(tmp_path):
    def plant(root):
        annotation(1, bbox=[60, 40, -20, 14])(root)
        (root / "train/img004.jpg").write_bytes(b"")

    found = audited(tmp_path, "coco", plant)
    shutil.rmtree(tmp_path / "train")
    assert findings_sheet(found) is not None


def test_thousands_of_findings_are_one_sheet(tmp_path):
    def plant(root):
        path = root / "annotations/instances_train.json"
        document = json.loads(path.read_text())
        one = document["annotations"][0]
        document["annotations"] += [{**one, "id": 1000 + i, "bbox": [9, 9, -i - 1, 9]} for i in range(2000)]
        path.write_text(json.dumps(document))

    assert findings_sheet(audited(tmp_path, "coco", plant)).height < 2000


def test_a_mask_has_a_colour_for_each_id(tmp_path):
    SETS["masks"][0](tmp_path)
    labels = audit(Options(str(tmp_path), "masks", "segmentation", batch_size=1)).labels
    mask = opened_mask(labels, labels.images[0].mask)
    ids = np.asarray(Image.open(labels.path(labels.images[0].mask)))
    assert len({colour for _, colour in mask.getcolors()}) == len(np.unique(ids))


def test_what_is_shown_of_an_image():
    inside, leaving = [(50, 50), (70, 50), (70, 60), (50, 60)], [(150, 50), (190, 50), (190, 60), (150, 60)]
    left, top, right, bottom = around(inside, (160, 120))
    assert 0 <= left < 50 and right > 70 and 0 <= top < 50 and bottom <= 120
    assert around(leaving, (160, 120))[2] > 190
    part, scale = framed(Image.new("RGB", (160, 120), "white"), around(leaving, (160, 120)))
    assert scale == 1 and part.getpixel((2, part.height // 2)) == (255, 255, 255)
    assert part.getpixel((part.width - 2, part.height // 2)) == (128, 128, 128)
    assert framed(Image.new("RGB", (9000, 10)), (0, 0, 9000, 10))[0].width == 600


def test_rotated_corners_go_as_the_convention_says():
    corners = corners_of(50, 50, 40, 10, 30)
    right = [(corners[1][i] + corners[2][i]) / 2 for i in (0, 1)]
    assert right == pytest.approx([67.3, 40], abs=0.05)
