"""A format of one's own, as docs/data.md shows it, is audited and fed as those that ship."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from labelled_sets import CLASSES, H, W, mask_of, names, objects, photo, save, seed_of
from planting import line

from aistudio.audit import ImageRecord, ObjectRecord, Options, Place, audit
from aistudio.errors import Refusal

DOCS = Path(__file__).parent.parent.parent / "docs/data.md"
EXAMPLE = re.search(r"```python\n# my_formats.py\n(.*?)```", DOCS.read_text(), re.DOTALL).group(1)
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["torchvision"] = None
from aistudio.cli.main import main
sys.exit(main())
"""


def write(root):
    lines = []
    for split in ("train", "val"):
        for stem in names(split):
            save(photo(seed_of(stem)), root / f"{split}/{stem}.jpg")
            those = [[CLASSES[label], *box] for label, box, _ in objects(seed_of(stem))]
            lines.append(json.dumps({"image": f"{split}/{stem}.jpg", "split": split, "objects": those}))
    (root / "labels.jsonl").write_text("\n".join(lines) + "\n")


def example():
    space = {}
    exec(EXAMPLE, space)
    return space["Lines"]()


def findings(root, reader, task="object_detection", **options):
    found = audit(Options(str(root), "own", task, reader=reader, batch_size=1, **options))
    return [(fault.kind, str(fault.place)) for one in found.findings for fault in one.faults]


def test_the_example_of_the_docs_reads_a_clean_set_and_finds_what_is_planted(tmp_path):
    write(tmp_path)
    assert findings(tmp_path, example()) == []
    entry = json.loads((tmp_path / "labels.jsonl").read_text().splitlines()[2])
    entry["objects"][0][3] = entry["objects"][0][1] - 5
    line("labels.jsonl", 3, json.dumps(entry))(tmp_path)
    (tmp_path / "train/img004.jpg").write_bytes(b"")
    (tmp_path / "train/img005.jpg").unlink()
    assert findings(tmp_path, example()) == [
        ("empty_file", "train/img004.jpg"),
        ("inverted_box", "labels.jsonl:3"),
        ("missing_image", "labels.jsonl:6"),
    ]


def test_it_runs_from_the_command_line_without_torch_and_only_where_it_is_trusted(tmp_path):
    write(tmp_path / "photos")
    (tmp_path / "my_formats.py").write_text(EXAMPLE)
    arguments = ["task=object_detection", "data=own", "data.reader._target_=my_formats.Lines", "data.root=photos"]
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments, "sanity=data", "hydra.run.dir=run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "AISTUDIO_TRUST=my_formats" in done.stderr) == (2, True)
    trusting = {"AISTUDIO_TRUST": "my_formats", "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=trusting)
    assert (done.returncode, done.stderr) == (0, "")
    assert "own · 14 images, 42 objects, 3 classes, splits train, val" in done.stdout


class Of:
    """A reader of what it is given."""

    def __init__(self, *records, **what):
        self.records = records
        for name, value in what.items():
            setattr(self, name, value)

    def read(self, root):
        return self.records


def test_classes_values_masks_and_corners_are_read(tmp_path):
    for number in range(4):
        save(photo(number), tmp_path / f"{number}.jpg")
        save(mask_of(f"img{number:03d}"), tmp_path / f"{number}.png")
    several = [f"{number}.jpg" for number in range(4)]
    place = Place("labels", 1)
    assert findings(tmp_path, Of(*(ImageRecord(n, "", place, i % 2) for i, n in enumerate(several)))) == []
    values = Of(
        *(ImageRecord(n, "", Place(n), values=(float(i),)) for i, n in enumerate(several)), value_names=("size",)
    )
    assert findings(tmp_path, values, "regression") == []
    masks = Of(*(ImageRecord(n, "", place, mask=n.replace("jpg", "png")) for n in several))
    assert findings(tmp_path, masks, "segmentation") == []
    corners = [0.1, 0.1, 0.5, 0.1, 0.5, 0.4, 0.1, 0.4]
    turned = [ImageRecord(n, "", Place(n), objects=[ObjectRecord(Place(n), 0, corners=corners)]) for n in several]
    assert findings(tmp_path, Of(*turned, relative=True), "oriented_object_detection") == []
    assert {kind for kind, _ in findings(tmp_path, Of(*turned), "oriented_object_detection")} == {"not_pixels"}


def test_a_class_that_is_not_there_is_named(tmp_path):
    save(photo(1), tmp_path / "1.jpg")
    one = ObjectRecord(Place("labels", 7), 5, box=(10, 10, W // 2, H // 2))
    reader = Of(ImageRecord("1.jpg", "", Place("labels", 7), objects=[one]), classes=["dog"])
    assert ("class_out_of_range", "labels:7") in findings(tmp_path, reader)


@pytest.mark.parametrize(
    ("reader", "what"),
    [
        (None, "data.reader makes a NoneType"),
        (Of("a.jpg"), "data.reader yields a str"),
        ({"_target_": "nowhere.Lines"}, "data.reader._target_=nowhere.Lines cannot be imported"),
        ({"_target_": "json.Lines"}, "data.reader._target_=json.Lines cannot be imported"),
        ({"_target_": "fractions.Fraction", "file": 1}, "data.reader does not fit its _target_"),
        (Of(), "has no labelled image"),
    ],
)
def test_what_is_no_format_is_refused(reader, what, tmp_path):
    save(photo(1), tmp_path / "1.jpg")
    with pytest.raises(Refusal) as refused:
        audit(Options(str(tmp_path), "own", "object_detection", reader=reader))
    assert what in refused.value.problems[0].what
