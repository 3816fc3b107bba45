"""What a sweep writes into the reports of its jobs when they have ended."""

import json

import pytest
from omegaconf import OmegaConf

from aistudio.jobs import rounds
from aistudio.jobs.job import IN_PROCESS
from aistudio.report import summary
from aistudio.report.files import read
from aistudio.report.records import Rounds
from aistudio.report.terminal import Terminal
from aistudio.report.validation import Unreadable

SWEEP = {"rounds_budget": 5, "isolate": None, "timeout": None}


def report(folder, name, taken=1.0, **parts):
    measured = [
        {"name": "parameters", "value": 1000},
        {"name": "forward", "value": 0.5, "low": 0.4, "high": 0.6},
        {"name": "forward_images_per_second", "value": 4.0, "low": 3.3, "high": 5.0},
        {"name": "forward_cpu_time", "value": 0.5},
        {"name": "time_taken_away", "value": taken},
    ]
    config = {"task": {"name": "t"}, "architecture": {"name": "a"}, "backbone": {"name": name}}
    whole = {"verdict": "passed", "checks": [{"name": "c", "status": "passed"}], "measurements": measured}
    folder.mkdir()
    path = folder / "report.json"
    path.write_text(json.dumps({**whole, "config": config, "kept": name, **parts}))
    return path


@pytest.fixture
def timed(monkeypatch):
    """What is asked for, and answers of it: 0.1 s a pass, 0.2 s of CPU time."""
    asked = []

    def in_rounds(configs, weights, budget, busy, name):
        asked.append((configs, weights, budget, busy))
        return {job: Rounds(name, (0.1,) * 5, (0.2,) * 5, 3.0, 2) for job in configs}, ""

    monkeypatch.setattr(rounds, "import_in_rounds", lambda: in_rounds)
    return asked


def again(tmp_path, sweep=SWEEP, launcher=IN_PROCESS):
    return rounds.time_again(summary.rows([tmp_path]), sweep, launcher, Terminal())


def test_the_jobs_that_passed_are_timed_again_and_their_reports_say_it(tmp_path, timed):
    paths = [report(tmp_path / name, name) for name in "ab"]
    report(tmp_path / "c", "c", verdict="failed")
    assert again(tmp_path) == ""
    ((configs, weights, budget, busy),) = timed
    assert [OmegaConf.to_container(one)["backbone"]["name"] for one in configs.values()] == ["a", "b"]
    assert (weights, budget, busy) == (2 * 4 * 1000, 5, False)
    first, second, failed = summary.rows([tmp_path])
    assert first.rounds.name == second.rounds.name and failed.rounds is None
    assert first.forward == 0.1 and first.forward_cpu == 0.2 and first.images_per_second == pytest.approx(20)
    assert json.loads(paths[0].read_text())["kept"] == "a"
    assert read(paths[0]).measurements[1].value == 0.5, "the job's own times stay"


def test_another_sweep_has_rounds_of_another_name(tmp_path, timed):
    for name in "ab":
        report(tmp_path / name, name)
    names = set()
    for _ in range(2):
        again(tmp_path)
        names.add(summary.rows([tmp_path])[0].rounds.name)
    assert len(names) == 2


def test_a_machine_that_was_busy_is_said_to_be(tmp_path, timed):
    for name, taken in (("a", 50.0), ("b", 40.0), ("c", 2.0)):
        report(tmp_path / name, name, taken)
    again(tmp_path)
    assert timed[0][3] is True


@pytest.mark.parametrize(
    ("sweep", "launcher", "said"),
    [
        ({"rounds_budget": 0}, IN_PROCESS, ""),
        ({"isolate": True}, IN_PROCESS, "processes of their own"),
        ({"timeout": 60}, IN_PROCESS, "processes of their own"),
        ({}, "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher", "processes of their own"),
    ],
)
def test_where_no_models_are_in_the_process_it_is_said(sweep, launcher, said, tmp_path, timed):
    for name in "ab":
        report(tmp_path / name, name)
    assert said in again(tmp_path, {**SWEEP, **sweep}, launcher) and not timed
    assert summary.rows([tmp_path])[0].forward == 0.5


def test_one_job_has_none_to_be_compared_with(tmp_path, timed):
    report(tmp_path / "a", "a")
    assert again(tmp_path) == "" and not timed


def test_what_raises_there_does_not_spoil_the_sweep(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(rounds, "import_in_rounds", lambda: broken)
    for name in "ab":
        report(tmp_path / name, name)
    assert again(tmp_path) == "not timed again in rounds: RuntimeError: out of memory"


def test_busy_rounds_leave_the_times_of_the_clock_to_the_jobs(tmp_path):
    busy = {"name": "x", "seconds": [9.0] * 5, "cpu_seconds": [0.2] * 5, "taken": 40.0, "threads": 1}
    report(tmp_path / "a", "a", rounds=busy)
    (row,) = summary.rows([tmp_path])
    assert row.forward == 0.5 and row.images_per_second == 4.0 and row.forward_cpu == 0.2


@pytest.mark.parametrize(
    "wrong",
    [5, "x", [], {"name": "x"}, {"seconds": []}, {"seconds": [1, None]}, {"seconds": [1, 2]}, {"cpu_seconds": ["1"]}],
)
def test_rounds_that_are_none_make_a_report_unreadable(wrong, tmp_path):
    whole = {"name": "x", "seconds": [1.0], "cpu_seconds": [1.0], "taken": 1.0, "threads": 1}
    rounds_ = {**whole, **wrong} if isinstance(wrong, dict) and wrong != {"name": "x"} else wrong
    path = report(tmp_path / "a", "a", rounds=rounds_)
    with pytest.raises(Unreadable):
        read(path)
