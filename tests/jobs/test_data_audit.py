"""``sanity=data``: exit codes, files and words, and a process in which torch cannot be imported."""

import csv
import json
import subprocess
import sys

import pytest
from labelled_sets import SETS
from planting import annotation, copy, truncate

from aistudio.audit.audit import shard_of

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["torchvision"] = None
from aistudio.cli.main import main
sys.argv = ["aistudio", *sys.argv[1:]]
sys.exit(main())
"""


def run(folder, *arguments):
    command = [sys.executable, "-c", WITHOUT_TORCH, "sanity=data", "hydra.run.dir=run", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def photos(tmp_path):
    SETS["coco"][0](tmp_path / "photos")
    return tmp_path / "photos"


def test_a_clean_set_passes(photos, tmp_path):
    done = run(tmp_path, "task=object_detection", "data=coco", "data.root=photos")
    assert (done.returncode, done.stderr) == (0, "")
    assert "coco · 14 images, 42 objects, 3 classes, splits train, val · all decoded" in done.stdout
    assert "PASSED  nothing found" in done.stdout
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert (report["verdict"], report["findings"]) == ("passed", [])
    assert (tmp_path / "run/findings.csv").read_text().splitlines() == ["kind,severity,file,line,id,message"]


def test_what_breaks_training_fails(photos, tmp_path):
    truncate("train/img003.jpg")(photos)
    for number in range(1, 6):
        annotation(number, bbox=[1, 1, -5, 5])(photos)
    done = run(tmp_path, "task=object_detection", "data=coco", "data.root=photos")
    assert (done.returncode, done.stderr) == (1, "")
    assert "truncated_image" in done.stdout and "train/img003.jpg: " in done.stdout
    assert "and 2 more in findings.csv" in done.stdout
    assert "FAILED  kinds of findings: 2 breaks" in done.stdout
    rows = [*csv.DictReader((tmp_path / "run/findings.csv").open())]
    assert [row["id"] for row in rows if row["kind"] == "inverted_box"] == [f"annotation {i}" for i in range(1, 6)]
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert {one["kind"]: one["count"] for one in report["findings"]} == {"inverted_box": 5, "truncated_image": 1}
    assert report["verdict"] == "failed"


def test_what_may_be_right_passes_and_is_said(photos, tmp_path):
    annotation(1, bbox=[1, 1, 3, 3])(photos)
    done = run(tmp_path, "task=object_detection", "data=coco", "data.root=photos")
    assert done.returncode == 0
    assert "PASSED  1 kind of findings that may be right" in done.stdout


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["task=object_detection", "data=coco", "data.root=nowhere"], "data.root=nowhere is not a folder"),
        (["task=regression", "data=coco", "data.root=photos"], "data=coco has no labels for task=regression"),
        (["task=object_detection"], "cannot be audited"),
        (["task=object_detection", "data=yolo", "data.root=photos"], "has no labelled image"),
        (["task=object_detection", "data=coco", "data.root=photos", "task.num_classes=7"], "task.num_classes=7"),
        (["task=object_detection", "data=coco", "data.root=photos", "data.anotations=x"], "data.annotations (nearest)"),
    ],
)
def test_what_cannot_be_audited_is_refused(arguments, said, photos, tmp_path):
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_contradiction_names_both_numbers(photos, tmp_path):
    done = run(tmp_path, "task=object_detection", "data=coco", "data.root=photos", "task.num_classes=7")
    assert "task.num_classes=7 is not what the data has" in done.stderr
    assert "it has 3 classes: bicycle, dog, person" in done.stderr
    assert "task.num_classes=3" in done.stderr
    agreed = run(tmp_path, "task=object_detection", "data=coco", "data.root=photos", "task.num_classes=3")
    assert agreed.returncode == 0


def test_a_sweep_over_shards_ends_in_the_findings_of_all_and_summarize_repeats_them(tmp_path):
    """The same image in train and val, which fall into two shards: each shard passes, and together they fail."""
    SETS["image_folder"][0](tmp_path / "photos")
    pairs = [(f"train/dog/{i}.jpg", f"val/dog/{k}.jpg") for i in range(6) for k in range(3)]
    first, second = next(pair for pair in pairs if shard_of(pair[0], 2) != shard_of(pair[1], 2))
    copy(first, second)(tmp_path / "photos")
    sweep = ["hydra.sweep.dir=out", "data.shard=0/2,1/2", "task=classification", "data=image_folder"]
    done = run(tmp_path, *sweep, "data.root=photos", "-m")
    assert (done.returncode, done.stderr) == (1, "")
    assert "2 passed" in done.stdout
    assert "image_folder · 2 of 2 shards · 27 images · 27 of 27 decoded" in done.stdout
    rows = [*csv.DictReader((tmp_path / "out/findings.csv").open())]
    assert [(row["kind"], row["file"]) for row in rows] == [("image_in_two_splits", second)]
    command = [sys.executable, "-c", WITHOUT_TORCH, "summarize", "out", "--into", "all"]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 1
    assert (tmp_path / "all/findings.csv").read_text() == (tmp_path / "out/findings.csv").read_text()
