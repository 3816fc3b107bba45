"""The end of a sweep: a row for every job however it ended, and the same rows again from the files."""

import csv
import json
import subprocess
import sys

import pytest

from aistudio import summary
from aistudio.report import without_verdict
from aistudio.summarize import main

FAST = ("sanity=quick", "sanity.image_size=64", "task.image_size=64", "runtime.threads=1", "hydra.sweep.dir=out")


def config(backbone, task="classification"):
    named = {"task": task, "architecture": "backbone_head", "backbone": backbone}
    tree = {group: {"name": name} for group, name in named.items()}
    return {**tree, "sanity": {"level": "quick"}, "runtime": {"seed": 0}}


def report(folder, backbone, forward=(0.010, 0.009, 0.011), verdict="passed", task="classification", checks=()):
    """Leaves a report in a folder, as a run does."""
    middle, low, high = forward
    measured = [
        {"name": "parameters", "value": 11_000_000, "low": None, "high": None},
        {"name": "forward", "value": middle, "low": low, "high": high},
        {"name": "forward_peak_memory", "value": 2**28, "low": None, "high": None},
        {"name": "training_step_peak_memory", "value": 2**29, "low": None, "high": None},
    ]
    parts = {"verdict": verdict, "seconds": 2.0, "checks": list(checks), "measurements": measured}
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({**parts, "config": config(backbone, task)}))


@pytest.fixture
def sweep(tmp_path):
    report(tmp_path / "0", "resnet18")
    report(tmp_path / "1", "resnet50", forward=(0.040, 0.038, 0.050))
    report(tmp_path / "2", "resnet34", forward=(0.011, 0.0105, 0.013))
    learns = {"name": "learns", "status": "failed", "seen": "1 -> 1 " * 40 + "end"}
    report(tmp_path / "10", "fast_but_wrong", forward=(0.001, 0.001, 0.001), verdict="failed", checks=[learns])
    (tmp_path / "11").mkdir()
    (tmp_path / "11" / "report.json").write_text(without_verdict("broke", "OSError: a\nb", config("broken|one")))
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "report.json").write_text('{"half": ')
    return tmp_path


def test_every_report_is_a_row_in_the_order_of_the_jobs(sweep):
    rows = summary.rows([sweep])
    assert [row.backbone for row in rows] == ["resnet18", "resnet50", "resnet34", "fast_but_wrong", "broken|one", ""]
    assert [row.outcome for row in rows] == ["passed"] * 3 + ["failed", "broke", "unreadable"]
    assert rows[0].peak_memory == 2**29 and rows[0].forward_high == 0.011 and rows[0].multiply_adds is None
    assert rows[3].reason.startswith("learns: 1 -> 1") and "no report of aistudio" in rows[5].reason
    assert summary.tally(rows) == "3 passed, 1 failed, 1 broke, 1 unreadable"


def test_a_folder_that_is_named_twice_counts_once(sweep):
    assert len(summary.rows([sweep, sweep / "0"])) == 6


def test_what_did_not_pass_leads_nothing(sweep):
    rows = summary.rows([sweep])
    best = summary.leaders(rows)
    assert best["classification", "forward"] == 0.010
    assert [row.backbone for row in rows if summary.leads(row, "forward", best)] == ["resnet18"]


def test_each_task_has_a_best_of_its_own(tmp_path):
    report(tmp_path / "0", "resnet18")
    report(tmp_path / "1", "resnet50", forward=(0.5, 0.5, 0.5), task="segmentation")
    best = summary.leaders(summary.rows([tmp_path]))
    assert (best["classification", "forward"], best["segmentation", "forward"]) == (0.010, 0.5)


def test_overlapping_spreads_are_said_to_overlap(sweep):
    assert summary.indistinct(summary.rows([sweep])) == [("resnet18", "resnet34")]


def test_csv_has_every_field_and_markdown_survives_any_name(sweep):
    rows = summary.rows([sweep])
    read = list(csv.DictReader(summary.as_csv(rows).splitlines(keepends=True)))
    assert [one["backbone"] for one in read] == [row.backbone for row in rows]
    assert float(read[0]["forward"]) == 0.010 and read[5]["forward"] == ""
    lines = summary.as_markdown(rows).splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines[:8]} == {10}, "as many cells in every line"
    assert "**10.0 ms**" in lines[2] and "- broke: classification · backbone_head · broken|one  OSError: a" in lines


def test_summarize_writes_what_it_prints_and_gates(sweep, capsys):
    assert main([str(sweep)]) == 1
    printed = capsys.readouterr().out
    assert "3 passed, 1 failed, 1 broke, 1 unreadable" in printed and "cannot be told apart" in printed
    assert any(line.startswith("failed: ") and line.endswith("end") for line in printed.splitlines()), "one line each"
    assert len(json.loads((sweep / "summary.json").read_text())["rows"]) == 6
    assert main([str(sweep / "0"), str(sweep / "1"), "--into", str(sweep / "both")]) == 0
    assert {path.name for path in (sweep / "both").iterdir()} == {"summary.csv", "summary.md", "summary.json"}


@pytest.mark.parametrize("folders", [("nowhere",), (".",), ("nowhere", "elsewhere")])
def test_nothing_to_summarise_is_refused(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(list(folders)) == 2
    said = capsys.readouterr().err
    assert "  why " in said and all(folder in said for folder in folders) and not list(tmp_path.iterdir())


BREAKS = """
import torch


class Breaks:
    def __init__(self, why):
        self.why = why

    def __call__(self, subject):
        raise {error}
"""


def run_sweep(tmp_path, *arguments, error="KeyboardInterrupt"):
    (tmp_path / "breaks.py").write_text(BREAKS.format(error=error))
    command = [sys.executable, "-m", "aistudio", "-m", *arguments, *FAST]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)


def outcomes(folder):
    return [row.outcome for row in summary.rows([folder / "out"])]


def test_a_refusal_of_torch_is_a_row_and_the_others_run(tmp_path):
    done = run_sweep(tmp_path, "backbone=mobilenet_v3_small", "backbone.weights=IMAGENET1K_V9,null")
    assert done.returncode == 2, done.stderr
    assert outcomes(tmp_path) == ["refused", "passed"]
    assert "1 passed, 1 refused" in done.stdout and "Traceback" not in done.stderr
    assert "refused: classification · backbone_head · mobilenet_v3_small  backbone.weights=IMAGENET1K_V9" in done.stdout


def test_an_interrupted_sweep_keeps_its_rows(tmp_path):
    check = "+sanity.checks.mine={_target_:breaks.Breaks,why:.}"
    done = run_sweep(tmp_path, "backbone=mobilenet_v3_small", "runtime.seed=0,1", check)
    assert done.returncode == 130, done.stderr
    assert outcomes(tmp_path) == ["interrupted"] and (tmp_path / "out" / "summary.csv").exists()


def test_a_job_that_breaks_is_a_row_and_the_others_run(tmp_path):
    (tmp_path / "out" / "0" / "config.yaml").mkdir(parents=True)  # where the first job is to write a file
    done = run_sweep(tmp_path, "backbone=mobilenet_v3_small", "runtime.seed=0,1")
    assert done.returncode == 1 and "Traceback" in done.stderr, done.stderr
    assert outcomes(tmp_path) == ["broke", "passed"]
    assert "broke: classification · backbone_head · mobilenet_v3_small  IsADirectoryError" in done.stdout
