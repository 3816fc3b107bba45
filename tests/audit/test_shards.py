"""A set audited in parts has the findings of the whole, whatever part a file falls into."""

import json

import pytest
from labelled_sets import SETS, photo, save
from planting import annotation, copy, repaint, truncate

from aistudio.audit import Options, as_csv, as_lines, audit, merge, read_shard
from aistudio.audit.audit import shard_of

SHARDS = 4
JSON = "annotations/instances_train.json"


def of(found):
    return {(one.kind, str(fault.place)) for one in found for fault in one.faults}


def whole_and_merged(root, name, into, shards=SHARDS, **options):
    _, kind, task = SETS[name]
    given = {"batch_size": 1, **options}
    for number in range(shards):
        part = Options(str(root), kind, task, shard=f"{number}/{shards}", **given)
        found = audit(part)
        (into / f"{number}").mkdir(parents=True)
        (into / f"{number}/shard.jsonl").write_text("\n".join(as_lines(found, part)) + "\n")
        (into / f"{number}/findings.csv").write_text(as_csv(found.findings))
    parts = [read_shard(into / f"{n}/shard.jsonl", into / f"{n}/findings.csv") for n in range(shards)]
    (merged,) = merge(parts)
    return audit(Options(str(root), kind, task, **given)), merged


@pytest.mark.parametrize("name", SETS)
def test_the_parts_of_a_clean_set_are_clean_and_so_are_they_together(name, tmp_path):
    SETS[name][0](tmp_path / "set")
    whole, merged = whole_and_merged(tmp_path / "set", name, tmp_path / "out", shards=2)
    assert of(merged.findings) == of(whole.findings) == set()
    assert (merged.images, merged.objects, merged.missing) == (whole.images, whole.objects, ())


def apart(names):
    """Two names that fall into different shards."""
    first = names[0]
    return first, next(name for name in names if shard_of(name, SHARDS) != shard_of(first, SHARDS))


@pytest.mark.parametrize("kind", ["image_in_two_splits", "duplicate_image", "near_duplicate", "image_with_two_labels"])
def test_a_duplicate_across_two_shards_is_found(kind, tmp_path):
    root = tmp_path / "set"
    SETS["image_folder"][0](root)
    dogs, others = ([f"{split}/dog/{i}.jpg" for i in range(n)] for split, n in (("train", 6), ("val", 3)))
    first = dogs[0]
    pool = {"image_in_two_splits": others, "image_with_two_labels": [f"train/person/{i}.jpg" for i in range(6)]}
    second = apart([first, *pool.get(kind, dogs[1:])])[1]
    plant = repaint(first, lambda i: i, second, quality=60) if kind == "near_duplicate" else copy(first, second)
    plant(root)
    whole, merged = whole_and_merged(root, "image_folder", tmp_path / "out")
    assert {found.kind for found in merged.findings} == {found.kind for found in whole.findings} == {kind}
    (fault,) = merged.findings[0].faults
    assert first in f"{fault.place} {fault.message}" and second in f"{fault.place} {fault.message}"


def test_three_copies_in_three_shards_are_named_once_each(tmp_path):
    root = tmp_path / "set"
    SETS["image_folder"][0](root)
    for number in range(12):
        save(photo(7000), root / f"train/dog/copy{number}.jpg")
    _, merged = whole_and_merged(root, "image_folder", tmp_path / "out")
    (found,) = merged.findings
    assert (found.kind, found.count) == ("duplicate_image", 11)


def test_faults_of_labels_files_and_counts_are_those_of_the_whole(tmp_path):
    root = tmp_path / "set"
    SETS["coco"][0](root)
    for number in (1, 7, 20):
        annotation(number, bbox=[1, 1, -5, 5])(root)
    truncate("train/img003.jpg")(root)
    document = json.loads((root / JSON).read_text())
    document["categories"].append({"id": 9, "name": "unicorn"})
    (root / JSON).write_text(json.dumps(document))
    whole, merged = whole_and_merged(root, "coco", tmp_path / "out", batch_size=9)
    assert of(merged.findings) == of(whole.findings)
    assert {one.kind for one in merged.findings} == {"inverted_box", "truncated_image", "unused_class", "batch_of_one"}


def test_every_shard_numbers_the_classes_of_masks_alike_and_counts_them_together(tmp_path):
    root = tmp_path / "set"
    SETS["masks"][0](root)
    repaint("masks/train/img001.png", lambda m: m.point(lambda v: 9 if v == 1 else v))(root)
    whole, merged = whole_and_merged(root, "masks", tmp_path / "out")
    assert of(merged.findings) == of(whole.findings) == {("class_out_of_range", "masks/train/img001.png")}


def test_numbered_names_are_spread_over_all_shards():
    counts = [0] * 8
    for number in range(800):
        counts[shard_of(f"train/dog/{number}.jpg", 8)] += 1
    assert min(counts) >= 60 and max(counts) <= 140


def test_a_missing_shard_is_named(tmp_path):
    SETS["yolo"][0](tmp_path / "set")
    whole_and_merged(tmp_path / "set", "yolo", tmp_path / "out")
    parts = [read_shard(tmp_path / f"out/{n}/shard.jsonl", tmp_path / f"out/{n}/findings.csv") for n in (0, 1, 3)]
    assert merge(parts)[0].missing == (2,)
    assert str(merge(parts)[0]).endswith("missing: 2/4")


def test_duplicates_are_found_where_the_files_cannot_be_reached(tmp_path):
    root = tmp_path / "set"
    SETS["image_folder"][0](root)
    first, second = apart([f"train/dog/{i}.jpg" for i in range(6)])
    copy(first, second)(root)
    whole_and_merged(root, "image_folder", tmp_path / "out")
    root.rename(tmp_path / "elsewhere")
    paths = [tmp_path / f"out/{n}" for n in range(SHARDS)]
    (merged,) = merge([read_shard(path / "shard.jsonl", path / "findings.csv") for path in paths])
    assert [one.kind for one in merged.findings] == ["duplicate_image"]


@pytest.mark.parametrize("text", ["", "nothing\n", "[]\n", '{"schema": 1}\n', '{"schema": 1, "shard": "9/8"}\n', "\0"])
def test_what_is_no_shard_is_none(text, tmp_path):
    (tmp_path / "shard.jsonl").write_text(text)
    (tmp_path / "findings.csv").write_text("kind,severity,file,line,id,message\n")
    assert read_shard(tmp_path / "shard.jsonl", tmp_path / "findings.csv") is None


def test_lines_that_are_no_image_are_passed_over(tmp_path):
    SETS["yolo"][0](tmp_path / "set")
    whole_and_merged(tmp_path / "set", "yolo", tmp_path / "out")
    path = tmp_path / "out/0/shard.jsonl"
    sound = read_shard(path, path.parent / "findings.csv")
    path.write_text(path.read_text() + 'null\n[1, 2]\n{"a": 1}\nhalf a li')
    assert len(read_shard(path, path.parent / "findings.csv").entries) == len(sound.entries) > 0
