"""Sweeps as a stranger runs them: everything that can happen to a job happens, and every job has its row."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from aistudio.report import summary

FAST = ("sanity=quick", "sanity.image_size=64", "task.image_size=64", "runtime.threads=1")
TINY = "backbone=mobilenet_v3_small"

MISHAPS = '''
import os
import signal
import sys
import time
from dataclasses import dataclass

import torch

from aistudio.checks.outcome import passed


@dataclass(frozen=True)
class Mishap:
    """A check to which something happens, unless the folder holds a file named ``mended``."""

    what: str
    why: str = "."

    def __call__(self, subject):
        if not os.path.exists("mended"):
            getattr(self, self.what)()
        return passed(self.what)

    def nothing(self):
        pass

    def raises(self):
        raise RuntimeError("a bug in a check")

    def exits(self):
        sys.exit(3)

    def out_of_memory(self):
        torch.empty(10**15)

    def is_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def crashes(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def hangs(self):
        time.sleep(600)

    def is_interrupted(self):
        raise KeyboardInterrupt
'''

EXPERIMENT = """# @package _global_
defaults:
  - override /backbone: {backbone}
  - override /task: {task}
  - _self_
sanity:
  checks:
    mishap: {{_target_: mishaps.Mishap, what: {what}}}
{more}
"""

EXPERIMENTS = {  # name: what happens, and how its row ends
    "a_fine": ("nothing", "passed", ""),
    "b_raises": ("raises", "failed", "mishap: RuntimeError: a bug in a check"),
    "c_fine": ("nothing", "passed", ""),
    "d_exits": ("exits", "broke", "SystemExit: 3"),
    "e_memory": ("out_of_memory", "failed", "mishap: "),
    "f_killed": ("is_killed", "broke", "killed by SIGKILL"),
    "g_fine": ("nothing", "passed", ""),
    "h_hangs": ("hangs", "broke", "hung: stopped after sweep.timeout=15 seconds"),
    "i_crashes": ("crashes", "broke", "killed by SIGSEGV"),
    "j_refused": ("nothing", "refused", "backbone=mobilenet_v3_small does not fit task=segmentation"),
    "k_device": ("nothing", "refused", "runtime.device=cuda:99"),
    "l_fine": ("nothing", "passed", ""),
}


def repository(folder):
    """An experiment repository with all of them."""
    (folder / "mishaps.py").write_text(MISHAPS)
    (folder / "conf" / "experiment").mkdir(parents=True)
    for name, (what, _, _) in EXPERIMENTS.items():
        task = "segmentation" if name == "j_refused" else "classification"
        more = "runtime:\n  device: cuda:99" if name == "k_device" else ""
        text = EXPERIMENT.format(backbone="mobilenet_v3_small", task=task, what=what, more=more)
        (folder / "conf" / "experiment" / f"{name}.yaml").write_text(text)


def command(*arguments):
    return [sys.executable, "-m", "aistudio", "-m", *arguments, *FAST]


def sweep(folder, *arguments):
    """Run a sweep in a process of its own; experiments with names of this file's only."""
    trusting = {**os.environ, "AISTUDIO_TRUST": "mishaps"}
    return subprocess.run(command(*arguments), cwd=folder, env=trusting, capture_output=True, text=True, timeout=600)


def rows(folder):
    return {row.job: row for row in summary.rows([folder])}


def findings(folder):
    """What the checks of a job saw, without times."""
    report = json.loads((folder / "report.json").read_text())
    return [(check["name"], check["status"], check["seen"]) for check in report["checks"]]


OURS = ("--config-dir", "conf", "experiment=glob('?_*')")


@pytest.mark.slow
def test_twelve_jobs_to_which_everything_happens(tmp_path):
    repository(tmp_path)
    line = (*OURS, "sweep.on_refusal=skip", "sweep.timeout=15", "hydra.sweep.dir=out")
    done = sweep(tmp_path, *line)
    found = rows(tmp_path / "out")
    assert done.returncode == 1, done.stdout + done.stderr
    assert {name: row.outcome for name, row in found.items()} == {
        name: end for name, (_, end, _) in EXPERIMENTS.items()
    }
    for name, (_, _, reason) in EXPERIMENTS.items():
        assert found[name].reason.startswith(reason), found[name]
    assert "memory" in found["e_memory"].reason
    assert "sweep of 12 jobs, 1 refused" in done.stdout and "Traceback" not in done.stdout + done.stderr
    assert "4 passed, 2 failed, 2 refused, 4 broke" in done.stdout

    (tmp_path / "mended").touch()
    kept = {name: (tmp_path / "out" / name / "report.json").stat().st_mtime_ns for name in found}
    again = sweep(tmp_path, *line)
    assert "sweep of 12 jobs, 4 passed before, 1 refused" in again.stdout, again.stdout
    written = {name: (tmp_path / "out" / name / "report.json").stat().st_mtime_ns for name in found}
    fine = {name for name, (_, end, _) in EXPERIMENTS.items() if end == "passed"}
    assert {name for name in found if written[name] == kept[name]} == fine
    assert {row.outcome for name, row in rows(tmp_path / "out").items() if name not in ("j_refused", "k_device")} == {
        "passed"
    }

    clean = sweep(tmp_path, *line[:-1], "hydra.sweep.dir=clean")
    assert clean.returncode == 1, "two are refused all the same"
    for name in fine:
        assert findings(tmp_path / "out" / name) == findings(tmp_path / "clean" / name)


def test_in_one_process_what_breaks_is_a_row_and_the_others_run(tmp_path):
    repository(tmp_path)
    done = sweep(tmp_path, "--config-dir", "conf", "experiment=b_raises,c_fine,d_exits,k_device", "hydra.sweep.dir=out")
    assert done.returncode == 1, done.stdout + done.stderr
    ends = {name: row.outcome for name, row in rows(tmp_path / "out").items()}
    assert ends == {"b_raises": "failed", "c_fine": "passed", "d_exits": "broke", "k_device": "refused"}
    assert "SystemExit" in (tmp_path / "out" / "d_exits" / "log.txt").read_text()
    assert "instead" in (tmp_path / "out" / "k_device" / "log.txt").read_text()


def test_refused_combinations_stop_a_sweep_before_its_first_job(tmp_path):
    done = sweep(tmp_path, "task=classification,segmentation", "backbone=mobilenet_v3_small,resnet18")
    assert done.returncode == 2 and not [*tmp_path.iterdir()], done.stdout + done.stderr
    assert "segmentation" in done.stderr and "mobilenet_v3_small" in done.stderr and "resnet18" in done.stderr
    assert "  why " in done.stderr and "  instead " in done.stderr


def test_a_sweep_of_nothing_but_refusals_stops_whatever_it_was_told(tmp_path):
    done = sweep(tmp_path, "task=segmentation", "backbone=mobilenet_v3_small,resnet18", "sweep.on_refusal=skip")
    assert done.returncode == 2 and not [*tmp_path.iterdir()], done.stdout + done.stderr


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("hydra/sweeper=optuna", "does not use hydra.sweeper"),
        ("hydra.sweeper.params.backbone=resnet18,resnet34", "does not use hydra.sweeper"),
        ("+hydra.callbacks.mine._target_=mine.Callback", "does not use hydra.callbacks"),
        ("hydra.sweep.subdir=mine", "does not use hydra.sweep.subdir"),
        ("hydra/launcher=nonsense", "no launcher of that name"),
        ("hydra.launcher.n_jobs=2", "hydra.launcher.n_jobs"),
        ("runtime.seed=range(0)", "names no value"),
        ("runtime.seed=interval(0,1)", "is no list of values"),
        ("backbone=glob(zzz*)", "names no file"),
        ("sweep.timeout=-1", "out of range"),
        ("sweep.on_refusal=maybe", "sweep.on_refusal"),
        ("sweep.nonsense=1", "sweep.nonsense"),
    ],
)
def test_what_no_sweep_understands_is_refused_before_it_starts(override, said, tmp_path, cli):
    code, answer = cli("-m", TINY, override)
    assert code == 2 and said in answer and "  why " in answer, answer
    assert not [*(tmp_path / "empty").iterdir()]


@pytest.mark.slow
def test_an_interrupted_sweep_keeps_its_rows_and_goes_on_where_it_was(tmp_path):
    repository(tmp_path)
    line = ("--config-dir", "conf", "experiment=a_fine,h_hangs,l_fine", "hydra.sweep.dir=out")
    running = subprocess.Popen(
        command(*line),
        cwd=tmp_path,
        env={**os.environ, "AISTUDIO_TRUST": "mishaps"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    first, log = tmp_path / "out" / "a_fine" / "report.json", tmp_path / "out" / "h_hangs" / "log.txt"
    until(lambda: first.exists() and "passed" in first.read_text()[:60] and log.exists() and log.stat().st_size > 0)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, out + err
    assert {name: row.outcome for name, row in rows(tmp_path / "out").items()} == {
        "a_fine": "passed",
        "h_hangs": "interrupted",
        "l_fine": "unfinished",
    }
    assert "1 passed, 2 interrupted" in out and "Traceback" not in err and (tmp_path / "out" / "summary.csv").exists()

    (tmp_path / "mended").touch()
    again = sweep(tmp_path, *line)
    assert again.returncode == 0 and "sweep of 3 jobs, 1 passed before" in again.stdout, again.stdout + again.stderr


def until(true, seconds=120):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


@pytest.mark.slow
def test_only_a_job_that_changed_runs_again(tmp_path):
    line = (TINY, "runtime.seed=0,1", "hydra.sweep.dir=out")
    assert sweep(tmp_path, *line).returncode == 0
    other_order = sweep(tmp_path, TINY, "runtime.seed=1,0,2", "hydra.sweep.dir=out")
    assert "sweep of 3 jobs, 2 passed before" in other_order.stdout
    changed = sweep(tmp_path, *line, "architecture.model.dropout=0.1")
    assert "sweep of 2 jobs · out" in changed.stdout
    report = json.loads((tmp_path / "out" / "runtime.seed=0" / "report.json").read_text())
    assert report["config"]["architecture"]["model"]["dropout"] == 0.1


@pytest.mark.slow
def test_fail_fast_starts_nothing_after_the_first_that_does_not_pass(tmp_path):
    repository(tmp_path)
    line = ("--config-dir", "conf", "experiment=a_fine,b_raises,c_fine", "sweep.fail_fast=true", "hydra.sweep.dir=out")
    done = sweep(tmp_path, *line)
    found = rows(tmp_path / "out")
    assert done.returncode == 1 and [row.outcome for row in found.values()] == ["passed", "failed", "interrupted"]
    assert "b_raises did not pass" in found["c_fine"].reason
    (tmp_path / "mended").touch()
    assert sweep(tmp_path, *line).returncode == 0, "what stopped it is forgotten by the next start"


def test_two_sweeps_in_the_same_second_have_a_folder_each(tmp_path):
    from aistudio.files import made, numbered

    names = [next(one for one in numbered(tmp_path / "12-00-00") if made(one)).name for _ in range(3)]
    assert names == ["12-00-00", "12-00-00-2", "12-00-00-3"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers(launcher, tmp_path):
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    repository(tmp_path)
    line = ("--config-dir", "conf", "experiment=a_fine,b_raises,f_killed,l_fine", f"hydra/launcher={launcher}")
    done = sweep(tmp_path, *line, "hydra.sweep.dir=out")
    ends = {name: row.outcome for name, row in rows(tmp_path / "out").items()}
    assert ends == {"a_fine": "passed", "b_raises": "failed", "f_killed": "broke", "l_fine": "passed"}, done.stderr
    assert done.returncode == 1 and "2 passed, 1 failed, 1 broke" in done.stdout


def test_a_launcher_that_gives_up_is_said_and_its_jobs_are_rows(tmp_path, monkeypatch, capsys):
    from hydra.core.plugins import Plugins

    from aistudio.jobs.sweep import sweep as run

    class Closed:
        def launch(self, *_, **__):
            raise RuntimeError("the queue is closed")

    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *_, **__: Closed())
    monkeypatch.chdir(tmp_path)
    assert run([TINY, "runtime.seed=0,1", "hydra.sweep.dir=out", *FAST], None) == 1
    printed = capsys.readouterr()
    assert "2 broke" in printed.out and "its launcher gave up: RuntimeError: the queue is closed" in printed.out


def test_a_disk_that_is_full_is_said_before_the_first_job(tmp_path, monkeypatch, cli):
    monkeypatch.setattr(
        "aistudio.report.files.write_whole", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    code, answer = cli("-m", TINY, "runtime.seed=0,1", "hydra.sweep.dir=out", *FAST)
    assert code == 2 and "cannot be written" in answer and "No space left" in answer and "  instead " in answer


def test_gpus_are_shared_out(tmp_path, monkeypatch):
    import torch

    from aistudio.jobs import gpus

    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: type("Card", (), {"uuid": f"gpu{index}"}))
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    with gpus.one_for_itself("auto", tmp_path), gpus.one_for_itself("cuda", tmp_path):
        monkeypatch.setattr(gpus.time, "sleep", lambda _: (_ for _ in ()).throw(TimeoutError))
        with pytest.raises(TimeoutError), gpus.one_for_itself("auto", tmp_path):
            pass
        with gpus.one_for_itself("cuda:1", tmp_path):
            pass
    with gpus.one_for_itself("auto", tmp_path):
        pass
    assert taken == [0, 1, 0], "a GPU each, none for the third, and the first again when it is free"
