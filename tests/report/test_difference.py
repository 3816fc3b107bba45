"""Two sweeps side by side: jobs are paired with their like, and the keys that made a difference are named."""

import copy
from dataclasses import replace

import page_reports as pages
import pytest

from aistudio.report.html.difference import Job, as_text, difference, settings_of


def job(row, **settings):
    return Job(
        row, {"task.image_size": "224", "backbone.name": row.backbone, "runtime.seed": str(row.seed), **settings}
    )


def test_a_key_that_all_jobs_share_is_said_once():
    rows = pages.rows(9)
    found = difference([job(row) for row in rows], [job(row, **{"task.image_size": "192"}) for row in rows], "old")
    assert [(key.name, key.old, key.new) for key in found.keys] == [("task.image_size", "192", "224")]
    assert found.unchanged == 9 and not found.changes and not found.added and not found.gone


def test_a_key_of_one_job_alone_and_what_it_did():
    rows = [replace(row, outcome="passed", reason="") for row in pages.rows(9)]
    worse = replace(rows[3], outcome="failed", reason="overfits_one_batch: no")
    new = [job(worse if row is rows[3] else row, **({"lr": "10"} if row is rows[3] else {"lr": "0.1"})) for row in rows]
    found = difference(new, [job(row, lr="0.1") for row in rows], "old")
    assert not found.keys and [one.outcome for one in found.changes] == [("passed", "failed")]
    assert [(key.name, key.old, key.new) for key in found.changes[0].keys] == [("lr", "0.1", "10")]
    assert found.changes[0].reason == "overfits_one_batch: no"
    assert any("lr: 0.1 -> 10" in line and "passed -> failed" in line for line in as_text(found))


def test_seeds_are_paired_with_their_own():
    rows = [
        replace(row, seed=seed, backbone="b", task="t", forward=1.0 + seed) for seed, row in enumerate(pages.rows(3))
    ]
    found = difference([job(row) for row in rows], [job(row) for row in rows[::-1]], "old")
    assert found.unchanged == 3


@pytest.mark.parametrize(("low", "high", "moved"), [(1.8, 2.2, True), (1.05, 2.2, False)])
def test_a_time_changed_only_where_the_spreads_are_apart(low, high, moved):
    row = replace(pages.row(0), forward=1.0, forward_low=0.9, forward_high=1.1)
    other = replace(row, forward=2.0, forward_low=low, forward_high=high)
    found = difference([job(other)], [job(row)], "old")
    assert bool(found.changes) is moved
    if moved:
        assert found.changes[0].numbers == [("forward", "1.00 s", "2.00 s", "× 2")]


def test_jobs_that_are_in_one_sweep_only():
    rows = pages.rows(4)
    found = difference([job(row) for row in rows[1:]], [job(row) for row in rows[:3]], "old")
    assert (found.pairs, len(found.added), len(found.gone)) == (2, 1, 1)
    assert "backbone_00003" in found.added[0] and "backbone_00000" in found.gone[0]
    assert not difference([], [], "old").keys


def test_what_a_run_was_told_is_read_from_any_report():
    settings = settings_of(pages.report())
    assert settings["backbone.name"] == "mobilenet_v3_small" and settings["versions.torch"]
    assert not [key for key in settings if key.startswith("sweep.")]
    for broken in (None, [], {"config": 3}, {"config": {"a": [float("nan")]}}):
        settings_of(copy.deepcopy(broken))
