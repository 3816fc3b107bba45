"""A set that cannot be read is refused in a few words, with what to do instead."""

import json
from pathlib import Path

import pytest
from labelled_sets import SETS
from planting import edit_json, replace, text

from aistudio.audit import Options, audit
from aistudio.errors import Refusal

JSON = "annotations/instances_train.json"


def empty(root):
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def without(*suffixes):
    return lambda root: [path.unlink() for path in root.rglob("*") if path.suffix in suffixes] and None


def latin(root):
    path = root / "labels.csv"
    path.write_bytes(path.read_text().replace("dog", "hündin").encode("latin-1"))


def semicolons(root):
    path = root / "labels.csv"
    path.write_text(path.read_text().replace(",", ";"))


def half(root):
    path = root / JSON
    path.write_text(path.read_text()[:500])


CASES = [
    ("coco", empty, "is empty", "another folder", {}),
    ("coco", half, "is where the JSON breaks off or goes wrong", "the whole file", {}),
    ("coco", text(JSON, "[1, 2, 3]"), "is no COCO file", "images, annotations, categories", {"annotations": JSON}),
    ("coco", text(JSON, '{"type": "FeatureCollection"}'), "is no COCO file", "images", {"annotations": JSON}),
    (
        "coco",
        edit_json(JSON, lambda d: d.update(images=[])),
        "has no labelled image",
        "another folder",
        {"annotations": JSON},
    ),
    ("coco", without(".json"), "has no JSON file", "another folder", {}),
    (
        "coco",
        lambda root: None,
        "data.annotations=annotations/instance_train.json is not there",
        f"{JSON} (nearest)",
        {"annotations": "annotations/instance_train.json"},
    ),
    ("csv_classes", without(".csv"), "has no table", "data.annotations=FILE", {}),
    ("csv_classes", replace("labels.csv", "label", "lable"), "labels.csv has no column label", "lable (nearest)", {}),
    (
        "csv_classes",
        replace("labels.csv", "filename", "fname"),
        "labels.csv has no column filename",
        "fname (nearest)",
        {},
    ),
    ("csv_classes", lambda root: None, "labels.csv has no column kind", "filename", {"label": "kind"}),
    ("csv_classes", semicolons, "labels.csv:1 has a single column", "data.delimiter=';'", {}),
    ("csv_classes", latin, "is not utf-8", "data.encoding=latin-1", {}),
    ("csv_classes", text("labels.csv", ""), "labels.csv is empty", "filename,label", {}),
    ("csv_classes", text("labels.csv", "filename,label\n"), "has no rows", "another table", {}),
    (
        "csv_values",
        replace("labels.csv", "weight", "mass"),
        "labels.csv has no column weight",
        "mass",
        {"values": ["weight"]},
    ),
    ("csv_values", text("labels.csv", "filename,colour\na.jpg,red\n"), "has no column of numbers", "colour", {}),
    ("yolo", without(".txt"), "has no labelled image", "another folder", {}),
    ("yolo", text("data.yaml", "names: [a, b"), "is no YAML", "names: [cat, dog]", {}),
    ("yolo", text("data.yaml", "- a\n- b\n"), "is no data.yaml", "names", {}),
    ("voc", without(".xml"), "has no XML file", "another folder", {}),
    ("dota", without(".txt"), "has no labelled image", "another folder", {}),
    ("masks", without(".png"), "has no folder of masks", "root/masks/NAME.png", {}),
    ("masks", lambda root: None, "data.masks=mask is not there", "masks (nearest)", {"masks": "mask"}),
    ("mvtec", without(".png"), "is empty", "another folder", {}),
    ("yolo", lambda root: None, "data.shard=8/8 is no shard", "0/8", {"shard": "8/8"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[2][:40]}")
def test_a_set_that_cannot_be_read_is_refused(case, tmp_path):
    name, plant, what, instead, options = case
    write, kind, task = SETS[name]
    write(tmp_path)
    plant(tmp_path)
    with pytest.raises(Refusal) as refused:
        audit(Options(str(tmp_path), kind, task, **options))
    (problem,) = refused.value.problems
    assert what in problem.what
    assert instead in problem.instead
    assert problem.where


@pytest.mark.parametrize(("root", "what"), [("nowhere", "is not there"), ("file.txt", "is a file")])
def test_a_root_that_is_no_folder_is_refused(root, what, tmp_path):
    Path(tmp_path / "file.txt").write_text("x")
    with pytest.raises(Refusal) as refused:
        audit(Options(str(tmp_path / root), "coco"))
    assert what in refused.value.problems[0].what


def test_what_is_stated_makes_another_delimiter_and_encoding_readable(tmp_path):
    write, kind, task = SETS["csv_classes"]
    write(tmp_path)
    semicolons(tmp_path)
    path = tmp_path / "labels.csv"
    path.write_bytes(path.read_text().replace("dog", "hündin").encode("latin-1"))
    found = audit(Options(str(tmp_path), kind, task, delimiter=";", encoding="latin-1"))
    assert (found.findings, found.labels.classes) == ((), ["bicycle", "hündin", "person"])


def test_a_json_of_another_kind_beside_the_instances_is_left_alone(tmp_path):
    SETS["coco"][0](tmp_path)
    (tmp_path / "annotations/captions_train.json").write_text(json.dumps({"images": [], "annotations": []}))
    assert audit(Options(str(tmp_path), "coco", "object_detection")).findings == ()
