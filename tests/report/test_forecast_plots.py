"""The pictures of a sweep of forecasts."""

import json

import pytest

from aistudio.report import forecast_plots, plots, summary

pytest.importorskip("matplotlib")


def report(folder, name, needed, top1, largest, passed=True):
    numbers = {"training_step_forecast_memory": needed, "largest_batch_t4": largest, "room_t4": 13 * 2**30}
    config = {
        "task": {"name": "classification", "image_size": 224},
        "architecture": {"name": "backbone_head"},
        "backbone": {"name": name, "published": {"top1": top1}},
        "sanity": {"level": "forecast"},
        "data": {"batch_size": 64},
    }
    check = {"name": "fits_t4", "status": "passed" if passed else "failed", "seen": "20 GiB of 15 GiB"}
    whole = {
        "schema": 1,
        "verdict": check["status"],
        "seconds": 1.0,
        "checks": [check],
        "measurements": [{"name": key, "value": value} for key, value in numbers.items()],
        "config": config,
    }
    (folder / name).mkdir()
    (folder / name / "report.json").write_text(json.dumps(whole))


@pytest.fixture
def rows(tmp_path):
    report(tmp_path, "small", 2**30, 70.0, 512)
    report(tmp_path, "large", 20 * 2**30, 80.0, 40, passed=False)
    return summary.rows([tmp_path])


def test_rows_hold_the_forecast_and_the_card(rows):
    small = next(row for row in rows if row.backbone == "small")
    assert (small.forecast_memory, small.largest_batch, small.card) == (2**30, 512, "t4")
    assert small.card_memory == 13 * 2**30
    assert "fits_t4: 20 GiB" in next(row for row in rows if row.backbone == "large").reason


def test_what_does_not_fit_is_beyond_the_line_of_the_card(rows):
    with plots.matplotlibs_defaults():
        axes = forecast_plots.memory_and_accuracy(rows).axes[0]
        assert {text.get_text().strip() for text in axes.texts} == {"small", "large", "t4"}
        assert axes.lines[0].get_xdata()[0] == 13
        assert forecast_plots.memory_and_accuracy(rows[:1]) is None


def test_they_are_drawn_beside_the_others(rows, tmp_path):
    assert {path.name for path in plots.draw(rows, tmp_path)} == {"forecast.png", "largest_batch.png"}


def test_other_sweeps_have_none(rows, tmp_path):
    assert plots.draw([row for row in rows if row.level != "forecast"], tmp_path) == []
