"""Clean sets are silent, whoever wrote them; what other readers find in them is what is read."""

import re

import pytest
from labelled_sets import SETS, photo, save
from planting import all_of, edit_json, text

from aistudio.audit import Options, audit, describe

JSON = "annotations/instances_train.json"


def without_objects(path):
    def plant(root):
        (root / path).write_text(re.sub("<object>.*</object>", "", (root / path).read_text(), flags=re.DOTALL))

    return plant


@pytest.mark.parametrize("name", SETS)
def test_a_clean_set_has_no_findings(name, tmp_path):
    write, kind, task = SETS[name]
    write(tmp_path)
    found = audit(Options(str(tmp_path), kind, task))
    assert [(fault.kind, str(fault.place), fault.message) for one in found.findings for fault in one.faults] == []
    assert found.images == found.decoded > 10


BACKGROUND = {  # how each format says that nothing is in an image, for half of those of train
    "coco": edit_json(JSON, lambda d: d.update(annotations=[a for a in d["annotations"] if a["image_id"] > 5])),
    "yolo": all_of(*(text(f"labels/train/img{i:03d}.txt", "") for i in range(5))),
    "yolo_obb": all_of(*(text(f"labels/train/img{i:03d}.txt", "\n") for i in range(5))),
    "dota": all_of(*(text(f"train/labelTxt/img{i:03d}.txt", "imagesource:x\ngsd:1\n") for i in range(5))),
    "voc": all_of(*(without_objects(f"Annotations/img{i:03d}.xml") for i in range(5))),
}


@pytest.mark.parametrize("name", BACKGROUND)
def test_images_of_background_are_a_fact_and_no_finding(name, tmp_path):
    write, kind, task = SETS[name]
    write(tmp_path)
    BACKGROUND[name](tmp_path)
    found = audit(Options(str(tmp_path), kind, task))
    assert [(fault.kind, str(fault.place), fault.message) for one in found.findings for fault in one.faults] == []
    assert "5 images of background" in describe(found)


def test_how_far_the_reading_is_gets_told(tmp_path):
    for number in range(120):
        save(photo(number), tmp_path / f"{'cat' if number % 2 else 'dog'}/{number}.jpg")
    told = []
    audit(Options(str(tmp_path), "image_folder"), told.append)
    assert told == ["reading labels", "reading images: 100 of 120", "checking labels", "comparing images"]
