"""Whatever is in the files of a set, the audit ends in findings or in a refusal."""

import json
import random
import shutil

import pytest
from labelled_sets import SETS

from aistudio.audit import Options, as_csv, audit
from aistudio.errors import Refusal

JUNK = [
    None,
    "",
    "x",
    "\x00",
    "é" * 9,
    -1,
    0,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    10**400,
    True,
    [],
    {},
    [[]],
    {"a": 1},
    [None],
]
WORDS = [
    "nan",
    "-inf",
    "1e400",
    "9" * 400,
    "1e308",
    "x",
    "",
    "-1",
    "99999999999999999999",
    "0,5",
    '"',
    "\x00",
    "\ud83d".encode("utf-8", "replace").decode(),
]


def nodes(value, found):
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found.append((value, key))
        nodes(value[key], found)
    return found


def spoil_json(path, rng):
    try:
        document = json.loads(path.read_bytes())
    except ValueError:  # spoiled before
        return
    for _ in range(rng.randint(1, 5)):
        holder, key = rng.choice(nodes(document, []))
        holder[key] = rng.choice(JUNK)
    path.write_text(json.dumps(document))


def spoil_text(path, rng):
    lines = path.read_text(errors="replace").splitlines() or [""]
    for _ in range(rng.randint(1, 4)):
        index = rng.randrange(len(lines))
        words = lines[index].split(" ")
        words[rng.randrange(len(words))] = rng.choice(WORDS)
        lines[index] = " ".join(words)
    path.write_text("\n".join(lines))


def spoil_bytes(path, rng):
    data = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 30)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data)


def spoil(root, rng):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    labels = [path for path in files if path.suffix not in (".jpg", ".png")]
    for path in rng.sample(files, 2) + (rng.sample(labels, 1) if labels else []):
        how = spoil_json if path.suffix == ".json" else spoil_text
        (how if path.suffix not in (".jpg", ".png") and rng.random() < 0.8 else spoil_bytes)(path, rng)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", SETS)
def test_spoiled_files_end_in_findings_or_a_refusal(name, tmp_path):
    write, kind, task = SETS[name]
    write(tmp_path / "clean")
    for seed in range(12):
        root = tmp_path / str(seed)
        shutil.copytree(tmp_path / "clean", root)
        spoil(root, random.Random(seed))
        try:
            as_csv(audit(Options(str(root), kind, task)).findings)
        except Refusal:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        shutil.rmtree(root)


def test_a_link_that_leads_to_itself_is_a_file_that_cannot_be_read(tmp_path):
    write, kind, task = SETS["image_folder"]
    write(tmp_path)
    (tmp_path / "train" / "dog" / "loop.jpg").symlink_to("loop.jpg")
    (fault,) = [fault for one in audit(Options(str(tmp_path), kind, task)).findings for fault in one.faults]
    assert "loop.jpg" in str(fault.place)
