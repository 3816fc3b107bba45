"""From Python: what is public is listed, settings come in a list too; a report is shown, saved, and a dictionary."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import aistudio
from aistudio.report.files import read
from aistudio.report.records import CheckResult, Measurement, SanityReport
from aistudio.sanity import sanity_run
from aistudio.tasks import Regression
from aistudio.tasks.batch import make_batch

README = Path(__file__).parent.parent / "README.md"

CONFIG = {"task": {"name": "regression"}, "backbone": {"name": "resnet18"}, "architecture": {"name": "backbone_head"}}
CHECKS = (
    CheckResult("gradients", "Why.", "passed", "62 tensors"),
    CheckResult("overfits_one_batch", "Why.", "failed", "<b>1 -> 2</b>", "less", "it climbs"),
    CheckResult("frozen", "Why.", "skipped", cause="nothing is frozen"),
)
REPORT = SanityReport(
    config=CONFIG,
    assembled={"backbone": "resnet18"},
    checks=CHECKS,
    measurements=(Measurement("forward", 0.01, "s", "one pass"),),
    versions={"torch": "2"},
    seconds=3.25,
    warnings=("the images are not normalised",),
)


def test_what_is_public_is_listed_without_torch():
    program = "import sys, aistudio; print(*dir(aistudio)); aistudio.compose([]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    names, loaded = done.stdout.splitlines()
    assert {*aistudio.__all__} <= {*names.split()} and {"compose", "assemble", "sanity_run"} <= {*names.split()}
    assert loaded == "False"


def test_settings_come_one_by_one_or_in_a_list():
    once = aistudio.compose("task=regression", "backbone=resnet34")
    assert once == aistudio.compose(["task=regression", "backbone=resnet34"])
    assert (
        once
        == aistudio.compose(["task=regression"], "backbone=resnet34")
        == aistudio.compose(("task=regression", "backbone=resnet34"))
    )


def test_several_settings_in_one_string_are_answered():
    with pytest.raises(aistudio.Refusal) as refused:
        aistudio.compose("task=regression backbone=resnet34  +task.num_outputs=2")
    (problem,) = refused.value.problems
    assert problem.instead == "compose('task=regression', 'backbone=resnet34', '+task.num_outputs=2')"


@pytest.mark.parametrize("path", ["my photos/of 2024", "my photos/a=b", "a b c=d"])
def test_a_space_in_a_path_is_no_second_setting(path, tmp_path):
    (tmp_path / path).mkdir(parents=True)
    assert aistudio.compose("data=images", f"data.root={tmp_path / path}").data.root == str(tmp_path / path)


def test_a_report_is_short_in_a_terminal():
    assert repr(REPORT) == "<SanityReport FAILED: 1 passed, 1 failed, 1 skipped; 3.2 s>"


def test_a_report_is_a_table_in_a_notebook():
    html = REPORT._repr_html_()
    for words in ("FAILED", "gradients", "62 tensors", "it climbs", "nothing is frozen", "10.0 ms", "not normalised"):
        assert words in html
    assert "<b>1" not in html and "&lt;b&gt;1" in html and "<script" not in html


def test_a_report_is_saved_as_a_run_leaves_it(tmp_path):
    folder = REPORT.save(tmp_path / "deep" / "run")
    assert {path.name for path in folder.iterdir()} == {"report.json", "report.html", "config.yaml"}
    assert read(folder / "report.json").verdict == "failed"
    assert "python -m aistudio" not in (folder / "report.html").read_text()
    saved = json.loads((folder / "report.json").read_text())
    assert {**saved, "receipt": None} == {**REPORT.to_dict(), "receipt": None}
    assert saved["checks"][1]["cause"] == "it climbs"


def test_a_run_prints_as_it_goes_when_asked(monkeypatch, capsys):
    def examined(cfg, judged, *listeners, drawings=None):
        for listener in listeners:
            listener.checked(CHECKS[0])
            listener.ended(REPORT)
        return REPORT

    monkeypatch.setattr("aistudio.sanity.examine", examined)
    cfg = aistudio.compose("task=regression")
    assert sanity_run(cfg) is REPORT and capsys.readouterr().out == ""
    sanity_run(cfg, verbose=True)
    out = capsys.readouterr().out
    assert "regression · " in out and "62 tensors" in out and "FAILED" in out


def test_the_source_of_the_readme_is_one():
    """Its class, with a way to draw faces, gives what a batch of a regression is made of."""
    text = README.read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "class Faces" in block)
    names = {}
    exec(code, names)

    class Booth(names["Faces"]):
        def draw(self, count, size, generator):
            return [(torch.rand(3, size, size, generator=generator), torch.rand(1, generator=generator))] * count

    task = Regression(1, torch.nn.MSELoss())
    batch = make_batch(task, Booth(batch_size=2), 2, 32, seed=0)
    assert batch.inputs.shape == (2, 3, 32, 32) and batch.targets.shape == (2, 1)
