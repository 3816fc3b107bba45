"""The end of a sweep: a row for every job however it ended, and the same rows again from the files."""

import csv
import json

import pytest

from aistudio.cli.main import main
from aistudio.report import ranking, summary, tables
from aistudio.report.files import without_verdict

LEARNS = {"name": "overfits_one_batch", "status": "failed", "seen": "1 -> 1 " * 40 + "end"}


def config(backbone, task="classification", image_size=224):
    named = {"task": task, "architecture": "backbone_head", "backbone": backbone}
    tree = {group: {"name": name} for group, name in named.items()}
    tree["task"]["image_size"] = image_size
    return {**tree, "sanity": {"level": "quick"}, "runtime": {"seed": 0}}


def report(folder, backbone, forward=(0.010, 0.009, 0.011), verdict="passed", checks=(), **settings):
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
    (folder / "report.json").write_text(json.dumps({**parts, "config": config(backbone, **settings)}))


@pytest.fixture
def sweep(tmp_path):
    report(tmp_path / "0", "resnet18")
    report(tmp_path / "1", "resnet50", forward=(0.040, 0.038, 0.050))
    report(tmp_path / "2", "resnet34", forward=(0.011, 0.0105, 0.013))
    report(tmp_path / "10", "fast_but_wrong", forward=(0.001, 0.001, 0.001), verdict="failed", checks=[LEARNS])
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
    assert rows[3].reason.startswith("overfits_one_batch: 1 -> 1") and "no report of aistudio" in rows[5].reason
    assert tables.tally(rows) == "3 passed, 1 failed, 1 broke, 1 unreadable"


@pytest.mark.parametrize(
    ("task", "image_size", "at", "seen"),
    [
        ("classification", 380, 380, 83.4),
        ("classification", 224, None, 83.4),  # of a user's own, who does not say at which size
        ("classification", 224, 380, None),
        ("regression", 380, 380, None),
        ("segmentation", 320, 320, None),
    ],
)
def test_a_published_accuracy_stands_only_beside_what_it_was_published_for(task, image_size, at, seen, tmp_path):
    said = config("efficientnet_b4", task, image_size)
    said["backbone"]["published"] = {"top1": 83.4, **({"gmacs_at": at} if at else {})}
    report(tmp_path / "0", "efficientnet_b4")
    path = tmp_path / "0" / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "config": said}))
    assert summary.row(path).top1 == seen


def test_a_folder_that_is_named_twice_counts_once(sweep):
    assert len(summary.rows([sweep, sweep / "0"])) == 6


def test_what_did_not_pass_leads_nothing(sweep):
    rows = summary.rows([sweep])
    best = ranking.leaders(rows)
    assert best["classification", "forward"] == 0.010
    assert [row.backbone for row in rows if ranking.leads(row, "forward", best)] == ["resnet18"]


def test_each_task_has_a_best_of_its_own(tmp_path):
    report(tmp_path / "0", "resnet18")
    report(tmp_path / "1", "resnet50", forward=(0.5, 0.5, 0.5), task="segmentation")
    best = ranking.leaders(summary.rows([tmp_path]))
    assert (best["classification", "forward"], best["segmentation", "forward"]) == (0.010, 0.5)


def test_overlapping_spreads_are_said_to_overlap(sweep):
    assert list(ranking.indistinct(summary.rows([sweep]))) == [("resnet18", "resnet34")]


def test_of_a_backbone_that_ran_with_several_seeds_the_whole_span_counts(tmp_path):
    report(tmp_path / "0", "resnet18", forward=(0.010, 0.009, 0.011))
    report(tmp_path / "1", "resnet18", forward=(0.013, 0.012, 0.014))
    report(tmp_path / "2", "resnet34", forward=(0.0115, 0.0114, 0.0116))
    report(tmp_path / "3", "resnet50", forward=(0.020, 0.019, 0.021))
    assert list(ranking.indistinct(summary.rows([tmp_path]))) == [("resnet18", "resnet34")]


def test_runs_at_different_sizes_are_not_compared(tmp_path):
    report(tmp_path / "0", "resnet18", image_size=64)
    report(tmp_path / "1", "resnet34", image_size=224)
    assert not list(ranking.indistinct(summary.rows([tmp_path])))


def test_a_job_that_was_refused_by_its_names_is_a_row_of_these_names(tmp_path):
    named = {"task": {"name": "segmentation"}, "architecture": {"name": ""}, "backbone": {"name": "resnet18"}}
    (tmp_path / "report.json").write_text(without_verdict("refused", "the rule says no\n  why", named))
    (row,) = summary.rows([tmp_path])
    assert (row.outcome, row.task, row.backbone, row.seed) == ("refused", "segmentation", "resnet18", None)
    assert tables.reasons([row]) == ["refused: segmentation · resnet18  the rule says no"]


def test_jobs_that_ended_alike_share_a_reason(tmp_path):
    for job in range(5):
        (tmp_path / f"{job}").mkdir()
        text = without_verdict("unfinished", "not started", config(f"resnet{job}"))
        (tmp_path / f"{job}" / "report.json").write_text(text)
    assert tables.reasons(summary.rows([tmp_path])) == ["unfinished: 5 jobs (0, 1, 2, …)  not started"]


def test_rows_of_one_name_are_told_apart_by_their_jobs(tmp_path, capsys):
    for seed in (0, 1):
        report(tmp_path / f"runtime.seed={seed}", "resnet18")
    assert main(["summarize", str(tmp_path)]) == 0
    assert "runtime.seed=1" in capsys.readouterr().out and "runtime.seed=1" in (tmp_path / "summary.md").read_text()


def test_the_terminal_shows_what_one_can_read_and_the_files_hold_all(tmp_path, capsys):
    for job in range(60):
        report(tmp_path / f"{job}", f"net_{job}", verdict="failed", checks=[{**LEARNS, "seen": f"{job}"}])
    assert main(["summarize", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "10 more rows" in printed and "10 more reasons" in printed and "60 failed" in printed
    assert len((tmp_path / "summary.csv").read_text().splitlines()) == 61


def test_a_summary_that_cannot_be_written_is_said_and_no_success(tmp_path, monkeypatch, capsys):
    report(tmp_path / "0", "resnet18")
    monkeypatch.setattr(
        "aistudio.report.tables.write_whole", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    assert main(["summarize", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "1 passed" in printed and "cannot be written" in printed and "No space left" in printed


def test_csv_has_every_field_and_markdown_survives_any_name(sweep):
    rows = summary.rows([sweep])
    read = list(csv.DictReader(tables.as_csv(rows).splitlines(keepends=True)))
    assert [one["backbone"] for one in read] == [row.backbone for row in rows]
    assert float(read[0]["forward"]) == 0.010 and read[5]["forward"] == ""
    lines = tables.as_markdown(rows).splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines[:8]} == {11}, "as many cells in every line"
    assert "**10.0 ms**" in lines[2] and r"- broke: classification · backbone_head · broken\|one  OSError: a" in lines


def test_summarize_writes_what_it_prints_and_gates(sweep, capsys):
    assert main(["summarize", str(sweep)]) == 1
    printed = capsys.readouterr().out
    assert "3 passed, 1 failed, 1 broke, 1 unreadable" in printed and "cannot be told apart" in printed
    assert any(line.startswith("failed: ") and line.endswith("end") for line in printed.splitlines()), "one line each"
    assert len(json.loads((sweep / "summary.json").read_text())["rows"]) == 6
    assert main(["summarize", str(sweep / "0"), str(sweep / "1"), "--into", str(sweep / "both")]) == 0
    files = {"summary.html", "summary.csv", "summary.md", "summary.json", "memory.png", "parameters.png"}
    assert {path.name for path in (sweep / "both").iterdir()} == files


@pytest.mark.parametrize("folders", [("nowhere",), (".",), ("nowhere", "elsewhere")])
def test_nothing_to_summarise_is_refused(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(list(folders)) == 2
    said = capsys.readouterr().err
    assert "  why " in said and all(folder in said for folder in folders) and not list(tmp_path.iterdir())
