"""The page of a run: written while it goes, whole however it ends, and made again from its folder alone."""

import json
import os
import signal
import subprocess
import sys
import time

import page_reports as pages
import pytest
from PIL import Image

from aistudio.cli import page, summarize
from aistudio.config.compose import compose
from aistudio.config.origins import origins
from aistudio.config.plain import plain
from aistudio.errors import Refusal
from aistudio.report.files import without_verdict
from aistudio.report.html.run_folder import leave_page, write_page
from aistudio.report.html.sweep_folder import tail
from aistudio.report.records import CheckResult
from aistudio.report.unfinished import Unfinished, so_far
from aistudio.report.validation import Unreadable

CHECK = CheckResult("overfits_one_batch", "Why.", "passed", "seen")
RUN = ["backbone=mobilenet_v3_small", "sanity=quick", "runtime=cpu", "task.image_size=64", "hydra.run.dir=out"]


def test_a_run_that_goes_on_has_its_report_and_its_page(tmp_path):
    (tmp_path / "report.json").write_text(without_verdict("unfinished", "", {}, {"origins": {"task": "a file"}}))
    run = Unfinished(tmp_path, {"task": {"name": "t"}}, so_far(tmp_path))
    run.assembled({"backbone": "a net"})
    run.checked(CHECK)
    run.due = 0  # a second may pass between two pages
    run.started("uses_images")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["verdict"] == "unfinished"
    assert report["reason"].startswith("uses_images was the last that began")
    assert report["assembled"] == {"backbone": "a net"} and report["checks"][0]["name"] == "overfits_one_batch"
    assert report["origins"] == {"task": "a file"}
    assert "unfinished" in (tmp_path / "report.html").read_text() and "a net" in (tmp_path / "report.html").read_text()
    assert so_far(tmp_path)["checks"] == report["checks"]


def test_writing_pages_takes_a_small_share_of_a_run(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("aistudio.report.html.run_folder.write_page", lambda folder: written.append(time.sleep(0.01)))
    run = Unfinished(tmp_path, {}, {})
    for _ in range(20):
        run.started("uses_images")
    assert len(written) == 1
    run.due = 0
    run.started("uses_images")
    assert len(written) == 2


def test_what_ended_belongs_to_no_new_run(tmp_path):
    for text in (without_verdict("broke", "no", {}, {"checks": [{}]}), "{", "[]", '"text"', "[" * 100_000):
        (tmp_path / "report.json").write_text(text)
        assert so_far(tmp_path) == {}
    assert so_far(tmp_path / "nowhere") == {}


def test_a_disk_that_is_full_ends_no_run(tmp_path, monkeypatch):
    monkeypatch.setattr("aistudio.report.files.write_whole", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    Unfinished(tmp_path, {}, {}).started("uses_images")
    leave_page(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_page_is_made_again_from_its_folder_alone(tmp_path, capsys):
    (tmp_path / "report.json").write_text(json.dumps(pages.report()))
    first = write_page(tmp_path).read_bytes()
    (tmp_path / "report.html").write_text("lost")
    assert page.main([str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_bytes() == first and "report.html" in capsys.readouterr().out


def test_the_page_of_a_run_of_before_shows_the_images_that_it_left(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(pages.report()))
    empty = write_page(tmp_path).read_text(encoding="utf-8")
    for name in ("pictures", "drawings"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (16, 16), "red").save(tmp_path / name / f"of_{name}.png")
        shown = write_page(tmp_path).read_text(encoding="utf-8")
        assert f"of_{name}.png" in shown and "of_drawings.png" not in empty
    assert "of_pictures.png" not in shown


@pytest.mark.parametrize("content", [None, "", "no json", "[" * 100_000, b"\xff\xfe"])
def test_what_is_no_report_has_no_page(tmp_path, content):
    if content is not None:
        (tmp_path / "report.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Unreadable):
        write_page(tmp_path)
    with pytest.raises(Refusal, match="holds no report.json that can be read"):
        page.main([str(tmp_path)])
    assert not (tmp_path / "report.html").exists()


def test_the_end_of_a_log(tmp_path):
    (tmp_path / "log.txt").write_text("first\n" + "x" * 80 + "\n" + "line\n" * 1000)
    assert tail(tmp_path / "log.txt").startswith("…line\n") and len(tail(tmp_path / "log.txt")) <= 3000
    (tmp_path / "short").write_text("a\nb")
    assert tail(tmp_path / "short") == "a\nb"
    (tmp_path / "link").symlink_to(tmp_path / "short")
    os.mkfifo(tmp_path / "pipe")
    assert [tail(tmp_path / name) for name in ("link", "pipe", "nothing", "\0")] == [""] * 4


def test_who_set_what(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own" / "backbone").mkdir(parents=True)
    (tmp_path / "own" / "experiment").mkdir()
    (tmp_path / "own" / "backbone" / "mine.yaml").write_text("defaults: [resnet18]\nname: mine\npublished: null\n")
    text = "# @package _global_\ndefaults: [{override /task: regression}]\nruntime: {seed: 7}\n"
    (tmp_path / "own" / "experiment" / "tiny.yaml").write_text(text)
    said = ["backbone=mine", "experiment=tiny", "data.batch_size=2"]
    found = origins(plain(compose(*said, config_dir="own")), said, [tmp_path / "own"])
    assert found["backbone.name"] == "own/backbone/mine.yaml" and found["runtime.seed"] == "own/experiment/tiny.yaml"
    assert (
        found["backbone.taps"] == "conf/backbone/resnet18.yaml" and found["sanity.level"] == "conf/sanity/standard.yaml"
    )
    assert found["data.batch_size"] == "the command line" and found["data._target_"] == "conf/data/synthetic.yaml"
    assert found["task"] == "conf/task/regression.yaml" and found["sweep"] == "conf/config.yaml"
    assert all(found.values())


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["task=segmentation", "architecture=fcn_resnet101"],
        ["task=instance_segmentation"],
        ["experiment=segmentation_mobile"],
    ],
)
def test_every_key_has_an_origin(said):
    found = origins(plain(compose(*said)), said, [])
    assert all(value.startswith("conf/") for value in found.values())


def test_summarize_says_what_changed_since_an_earlier_sweep(tmp_path, capsys):
    for sweep, size in (("old", 96), ("new", 128)):
        for seed in (0, 1):
            whole = pages.report()
            whole["verdict"], whole["checks"] = "passed", whole["checks"][:3]
            whole["config"]["task"]["image_size"], whole["config"]["runtime"]["seed"] = size, seed
            (tmp_path / sweep / f"{seed}").mkdir(parents=True)
            (tmp_path / sweep / f"{seed}" / "report.json").write_text(json.dumps(whole))
    assert summarize.main([str(tmp_path / "new"), "--against", str(tmp_path / "old")]) == 0
    assert "in all of them  task.image_size: 96 -> 128" in capsys.readouterr().out
    text = (tmp_path / "new" / "summary.html").read_text()
    assert "Differs in all of them" in text and "task.image_size" in text
    (tmp_path / "empty").mkdir()
    for other, why in (("empty", "no report.json below"), ("nowhere", "is no folder")):
        with pytest.raises(Refusal, match=why):
            summarize.main([str(tmp_path / "new"), "--against", str(tmp_path / other)])


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "verdict"), [(signal.SIGKILL, "unfinished"), (signal.SIGINT, "interrupted")])
def test_a_run_that_is_killed_or_interrupted_has_its_page(tmp_path, sign, verdict):
    command = [sys.executable, "-m", "aistudio", "sanity=full", *[one for one in RUN if one != "sanity=quick"]]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = tmp_path / "out"
    for _ in range(1200):
        time.sleep(0.1)
        if len(so_far(folder).get("checks", [])) >= 2:
            break
    run.send_signal(sign)
    run.wait(60)
    report = json.loads((folder / "report.json").read_text())
    assert report["verdict"] == verdict and len(report["checks"]) >= 2 and report["origins"]
    assert verdict in (folder / "report.html").read_text()


@pytest.mark.slow
def test_a_run_leaves_the_page_that_its_folder_makes(tmp_path):
    assert subprocess.run([sys.executable, "-m", "aistudio", *RUN], cwd=tmp_path, capture_output=True).returncode == 0
    first = (tmp_path / "out" / "report.html").read_bytes()
    assert write_page(tmp_path / "out").read_bytes() == first
    text = first.decode()
    assert text.count("<img ") == 2 and text.count('class="chart"') == 2  # the two sheets
    assert "said on the command line" in text
