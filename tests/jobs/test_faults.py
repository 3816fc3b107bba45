"""What is left when something ends a sweep, a job or its surroundings: measured, and written down in docs/faults.md."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from omegaconf import read_write

from aistudio.config import hydra
from aistudio.report import summary
from aistudio.safety import signals
from aistudio.safety.encoding import plain_where_needed

FAST = ("sanity=quick", "sanity.image_size=64", "task.image_size=64", "runtime.threads=1", "hydra.sweep.dir=out")
PAGE = Path(__file__).parent.parent.parent / "docs" / "faults.md"

MISHAPS = """
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass

from aistudio.checks.outcome import passed


@dataclass(frozen=True)
class Mishap:
    what: str
    why: str = "."

    def __call__(self, subject):
        getattr(self, self.what)()
        return passed(self.what)

    def nothing(self):
        pass

    def hangs(self):
        deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
        started = [subprocess.Popen(["sleep", "600"]), subprocess.Popen(["python3", "-c", deaf])]
        with open("started.part", "w") as file:
            file.write(" ".join(str(process.pid) for process in started) + f" {os.getpid()}")
        os.rename("started.part", "started")
        time.sleep(600)

    def fills_the_disk(self):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def is_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def out_of_memory(self):
        raise MemoryError

    def leaves_a_pipe(self):
        os.remove("out/a_fine/report.json")
        os.mkfifo("out/a_fine/report.json")
"""

EXPERIMENT = """# @package _global_
defaults: [override /backbone: mobilenet_v3_small, override /task: classification, _self_]
sanity:
  checks:
    mishap: {{_target_: mishaps.Mishap, what: {what}}}
"""


@dataclass(frozen=True)
class Fault:
    """What happens in the second job's check, which signals come once it hangs, and how the sweep is started."""

    what: str = "hangs"
    signals: tuple[int, ...] = ()
    settings: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    shell: str = ""


INT, TERM, HUP, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL
ISOLATED = ("sweep.isolate=true",)
FAULTS = {
    "Ctrl-C": Fault(signals=(INT,)),
    "Ctrl-C, `sweep.isolate=true`": Fault(signals=(INT,), settings=ISOLATED),
    "SIGTERM (Slurm, Docker)": Fault(signals=(TERM,)),
    "SIGTERM, `sweep.isolate=true`": Fault(signals=(TERM,), settings=ISOLATED),
    "SIGHUP (the terminal closes)": Fault(signals=(HUP,)),
    "SIGKILL, `sweep.isolate=true`": Fault(signals=(KILL,), settings=ISOLATED),
    "a job hangs, `sweep.timeout=30`": Fault(settings=("sweep.timeout=30",)),
    "a job is killed, `sweep.isolate=true`": Fault("is_killed", settings=ISOLATED),
    "memory runs out in a check": Fault("out_of_memory"),
    "the disk is full, `sweep.isolate=true`": Fault("fills_the_disk", settings=ISOLATED),
    "the disk is full": Fault("fills_the_disk"),
    "a report becomes a pipe": Fault("leaves_a_pipe"),
    "who reads the output goes (`\\| head -1`)": Fault("nothing", shell="| head -1"),
    "the output's disk is full": Fault("nothing", shell="> /dev/full"),
    "a terminal of ASCII": Fault("nothing", environment=(("PYTHONIOENCODING", "ascii"),)),
}


def repository(folder, what):
    (folder / "mishaps.py").write_text(MISHAPS)
    (folder / "conf" / "experiment").mkdir(parents=True)
    for name, happens in {"a_fine": "nothing", "b_fault": what, "c_fine": "nothing"}.items():
        (folder / "conf" / "experiment" / f"{name}.yaml").write_text(EXPERIMENT.format(what=happens))


def alive(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def run(folder, fault, experiments="a_fine,b_fault,c_fine"):
    """Let it happen to a sweep of three jobs; its exit code, its rows, what was printed, and what still runs."""
    repository(folder, fault.what)
    sweep = ("-m", "--config-dir", "conf", f"experiment={experiments}", *FAST, *fault.settings)
    line = [sys.executable, "-m", "aistudio", *sweep]
    if fault.shell:
        words = " ".join(f"'{word}'" for word in line)
        line = ["bash", "-c", f"{words} {fault.shell}; exit ${{PIPESTATUS[0]}}"]
    running = subprocess.Popen(
        line,
        cwd=folder,
        env={**os.environ, "AISTUDIO_TRUST": "mishaps", "OMP_NUM_THREADS": "1", **dict(fault.environment)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in signals.SIGNALS],
    )
    if fault.signals:
        until(lambda: (folder / "started").exists() or running.poll() is not None)
        for number in fault.signals:
            running.send_signal(number)
            time.sleep(0.3)
    out, err = running.communicate(timeout=120)
    started = (folder / "started").read_text().split() if (folder / "started").exists() else []
    until(lambda: not any(alive(pid) for pid in started), 10)
    rows = {row.job: row for row in summary.rows([folder / "out"])}
    return running.returncode, rows, out, err


def line_of(name, code, rows, folder):
    """A row of the page."""
    cells = [f"{job.outcome}" for job in (rows["a_fine"], rows["b_fault"], rows["c_fine"])]
    reason = rows["b_fault"].reason or rows["a_fine"].reason
    there = "written" if (folder / "out" / "summary.json").exists() else "by `aistudio summarize`"
    return f"| {name} | {code} | {' · '.join(cells)} | {reason} | {there} |"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM, `sweep.isolate=true`", "SIGTERM (Slurm, Docker)"])
def test_sigterm_ends_all_and_leaves_reports_and_a_summary(name, tmp_path):
    code, rows, out, err = run(tmp_path, FAULTS[name], "b_fault,c_fine")
    assert code == 143 and "Traceback" not in err, out + err
    assert {job: row.outcome for job, row in rows.items()} == {"b_fault": "interrupted", "c_fine": "unfinished"}
    assert rows["b_fault"].reason == "ended by SIGTERM" and (tmp_path / "out" / "summary.csv").exists()
    assert "2 interrupted" in out


def test_a_run_that_is_ended_by_sigterm_leaves_a_report(tmp_path):
    repository(tmp_path, "hangs")
    running = subprocess.Popen(
        [sys.executable, "-m", "aistudio", "--config-dir", "conf", "experiment=b_fault", *FAST, "hydra.run.dir=out/0"],
        cwd=tmp_path,
        env={**os.environ, "AISTUDIO_TRUST": "mishaps"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: (tmp_path / "started").exists() or running.poll() is not None)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert not any(alive(pid) for pid in (tmp_path / "started").read_text().split())
    (row,) = summary.rows([tmp_path / "out"])
    assert (running.returncode, row.outcome, row.reason) == (143, "interrupted", "ended by SIGTERM"), out + err
    assert err == "ended by SIGTERM\n"


GOES_ON = ("who reads the output goes (`\\| head -1`)", "the output's disk is full", "a terminal of ASCII")


@pytest.mark.slow
@pytest.mark.parametrize("name", GOES_ON)
def test_whatever_becomes_of_the_output_a_sweep_goes_on_to_its_summary(name, tmp_path):
    code, rows, out, err = run(tmp_path, FAULTS[name], "a_fine,c_fine")
    assert (code, err) == (0, "") and [row.outcome for row in rows.values()] == ["passed"] * 2, out + err
    assert (tmp_path / "out" / "summary.csv").exists()
    if "ASCII" in name:
        assert "1/2  +  a_fine" in out and out.isascii()


@pytest.mark.slow
def test_a_full_disk_is_said_in_the_row(tmp_path):
    code, rows, out, err = run(tmp_path, FAULTS["the disk is full, `sweep.isolate=true`"], "b_fault,c_fine")
    assert code == 1 and "Traceback" not in out + err
    assert rows["b_fault"].outcome == "broke" and "File too large" in rows["b_fault"].reason


@pytest.mark.parametrize(
    ("name", "said"),
    [("ascii", b"+ a \\u7f51 -> ..."), ("cp1252", b"+ a \\u7f51 -> \x85"), ("utf-8", "✓ a 网 → …".encode())],
)
def test_marks_are_written_as_a_terminal_can_show_them(name, said, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=name))
    with plain_where_needed():
        print("✓ a 网 → …", end="", flush=True)
    assert written.getvalue() == said and sys.stdout.errors == "strict"


@pytest.mark.parametrize(
    ("line", "file"), [((), "outputs"), (("hydra.run.dir=mine/0",), "mine"), (("-m",), "multirun")]
)
def test_a_file_in_the_place_of_a_folder_is_refused(line, file, tmp_path, cli):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / file).write_text("mine")
    code, answer = cli(*line, "backbone=resnet18")
    assert code == 2 and file in answer and "  why " in answer and "Traceback" not in answer, answer
    assert (tmp_path / "empty" / file).read_text() == "mine"


def test_two_runs_in_one_second_have_a_folder_each(tmp_path, monkeypatch, cli):
    monkeypatch.setattr(
        "aistudio.cli.run.reported", lambda config, folder, said, judged: (folder / "report.json").touch() or 0
    )
    monkeypatch.setattr("aistudio.config.compose.hydra_composed", at_noon(hydra.hydra_composed))
    for _ in range(3):
        assert cli("backbone=resnet18")[0] == 0
    folders = sorted(path.parent.name for path in (tmp_path / "empty" / "outputs").rglob("report.json"))
    assert folders == ["noon", "noon-2", "noon-3"]


def at_noon(compose):
    """Hydra's composition, always in the same second."""

    def composed(*given):
        config = compose(*given)
        with read_write(config):
            config.hydra.run.dir = "outputs/noon"
        return config

    return composed


def test_handlers_are_ours_within_the_command_alone():
    before = [signal.getsignal(one) for one in signals.SIGNALS]
    with pytest.raises(signals.Ended), signals.ending_with_a_report():
        assert signal.getsignal(signal.SIGTERM) is signals.end_once
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert [signal.getsignal(one) for one in signals.SIGNALS] == before


TWICE = """
import os, signal, time
from aistudio.safety.signals import Ended, ending_with_a_report
with ending_with_a_report():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    except Ended:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        print("there was time")
"""


def test_a_second_signal_ends_at_once():
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")


def test_what_ignores_a_signal_goes_on_ignoring_it():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with signals.ending_with_a_report():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_no_handler_is_set():
    errors = []

    def enter():
        try:
            with signals.ending_with_a_report():
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert not errors


@pytest.mark.slow
def test_the_page_on_faults_is_what_happens(tmp_path, request):
    lines = []
    for number, (name, fault) in enumerate(FAULTS.items()):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        code, rows, out, err = run(folder, fault)
        assert "Traceback" not in out + err, (name, out, err)
        lines.append(line_of(name, code, rows, folder))
    text = PAGE.read_text(encoding="utf-8")
    head, tail = text.partition("| --- |")[0], "| --- | --- | --- | --- | --- |\n" + "\n".join(lines) + "\n"
    if request.config.getoption("--overwrite"):
        PAGE.write_text(head + tail, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == head + tail, "if that is meant: pytest --overwrite"
