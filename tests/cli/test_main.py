"""The command line as a stranger uses it: whole processes, from an empty folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aistudio.cli.main import COMMANDS
from aistudio.files import write_whole
from aistudio.report.files import as_json
from aistudio.report.records import CheckResult, Measurement, SanityReport
from aistudio.report.terminal import Terminal, quantity


def aistudio(*arguments, cwd, module="aistudio"):
    """Run ``python -m aistudio`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )


FAST = ("sanity=quick", "sanity.image_size=64", "task.image_size=64", "runtime.threads=1")


@pytest.fixture(scope="module")
def good_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    done = aistudio("backbone=resnet18", "task=regression", "hydra.run.dir=out", *FAST, cwd=folder)
    return folder, done


def test_a_good_pair_ends_in_a_verdict(good_run):
    folder, done = good_run
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("aistudio  regression · resnet18 · backbone_head\n")
    assert "\nPASSED  " in done.stdout and "out/report.json" in done.stdout
    assert "\x1b" not in done.stdout, "plain text where output is no terminal"
    assert done.stderr == ""


def test_the_report_says_what_was_run(good_run):
    folder, done = good_run
    report = json.loads((folder / "out" / "report.json").read_text())
    assert (report["schema"], report["verdict"]) == (1, "passed")
    assert report["config"]["backbone"]["name"] == "resnet18" and report["config"]["task"]["image_size"] == 64
    assert {check["status"] for check in report["checks"]} <= {"passed", "skipped"}
    assert all(check["name"] in done.stdout for check in report["checks"])
    assert all(measurement["definition"] for measurement in report["measurements"])
    assert "${" not in (folder / "out" / "config.yaml").read_text(), "the configuration is resolved"


def test_a_model_that_cannot_learn_fails_with_exit_code_1(tmp_path):
    done = aistudio(
        "backbone=mobilenet_v3_small", "architecture.learning.optimizer.lr=0", "hydra.run.dir=out", *FAST, cwd=tmp_path
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "✗" in done.stdout and "\nFAILED  " in done.stdout and "cause" in done.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "overfits_one_batch" in {check["name"] for check in report["checks"] if check["status"] == "failed"}


def test_a_sweep_runs_every_combination(tmp_path):
    line = ("-m", "backbone=mobilenet_v3_small,resnet18", "task=classification", "hydra.sweep.dir=out", *FAST)
    done = aistudio(*line, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("mobilenet_v3_small", "resnet18"):
        report = json.loads((tmp_path / "out" / name / "report.json").read_text())
        assert (report["verdict"], report["config"]["backbone"]["name"]) == ("passed", name)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("arguments", "what", "instead"),
    [
        (("backbone.weights=IMAGENET1K_V9", "backbone=resnet50"), "backbone.weights=IMAGENET1K_V9", "IMAGENET1K_V2"),
        (("runtime.device=cuda:99",), "runtime.device=cuda:99", "cpu"),
        (
            ("sanity.checks.overfits_one_batch._target_=torch.nn.Gone",),
            "sanity.checks.overfits_one_batch._target_ cannot be imported",
            "the dotted path",
        ),
        (("+task.loss.label_smoothin=0.1",), "task.loss.label_smoothin is unknown", "label_smoothing (nearest)"),
        (
            ("task=object_detection", "+architecture.model.trainable_backbone_layer=3"),
            "architecture.model.trainable_backbone_layer is unknown",
            "trainable_backbone_layers (nearest)",
        ),
        (("task.loss._target_=torch.nn.CrossEntropy",), "torch.nn.CrossEntropy", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_only_torch_knows_is_refused_in_the_same_form(arguments, what, instead, cli):
    code, answer = cli(*arguments, *FAST)
    assert code == 2 and "Error executing" not in answer, answer
    assert what in answer and instead in answer and "Traceback" not in answer
    assert "  why " in answer and "  instead " in answer


def test_help_is_a_page(tmp_path):
    done = aistudio("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("python -m aistudio") >= 5 and len(done.stdout.splitlines()) <= 40
    for group in ("backbone:", "task:", "architecture:", "sanity:"):
        assert group in done.stdout


def test_a_reader_that_goes_away_gets_no_traceback():
    running = subprocess.Popen(
        [sys.executable, "-m", "aistudio", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    running.stdout.close()
    assert not running.stderr.read() and running.wait() == 1


def test_the_catalog_needs_no_torch(tmp_path):
    code = "import sys; sys.modules['torch'] = None; from aistudio.cli.main import main; main(['catalog'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for word in ("efficientnet_b4", "19.3 M", "83.4", "instance_segmentation", "lraspp", "torchvision"):
        assert word in done.stdout


def test_words_choose_from_the_catalog(cli, capsys):
    from aistudio.cli.main import main

    assert main(["catalog", "Efficientnet", "B4"]) == 0
    printed = capsys.readouterr().out
    assert "efficientnet_b4" in printed and "efficientnet_b3" not in printed and "architecture=" not in printed
    code, answer = cli("catalog", "nothing_of_the_kind")
    assert code == 2 and "  instead  " in answer


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_loads_without_torch(command, no_torch, capsys):
    from aistudio.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0 and printed.startswith(f"usage: aistudio {command} ") and len(printed) > 200


def test_the_version_is_ours(capsys):
    import aistudio
    from aistudio.cli.main import main

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"aistudio {aistudio.__version__}\n"


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("line", "offered", "not_offered"),
    [
        ("aistudio ru", ["rules"], ["replay"]),
        ("aistudio ", ["rules", "replay", "summarize", "catalog"], []),
        ("aistudio task=seg", ["task=segmentation"], ["rules"]),
        ("aistudio rules task=seg", ["task=segmentation"], ["rules"]),
        ("aistudio task=regression ru", [], ["rules"]),
        ("aistudio -m backbone=resnet18,resn", ["backbone=resnet18,resnet50"], ["backbone=resnet18,resnet18"]),
        ("aistudio --conf", ["--config-dir"], ["rules"]),
        ("aistudio --config-dir own backbone=m", ["backbone=mine", "backbone=mobilenet_v3_large"], []),
        ("aistudio -m task=regression runtime.se", ["runtime.seed="], []),
    ],
)
def test_tab_completes_commands_and_what_follows_them(line, offered, not_offered, tmp_path):
    (tmp_path / "own" / "backbone").mkdir(parents=True)
    (tmp_path / "own" / "backbone" / "mine.yaml").touch()
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    command = [sys.executable, "-m", "aistudio", "-sc", "query=bash"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    words = done.stdout.split()
    assert done.returncode == 0 and not done.stderr and {*offered} <= {*words} and not {*not_offered} & {*words}, done


def test_tab_completion_can_be_installed(tmp_path):
    script = aistudio("-sc", "install=bash", cwd=tmp_path)
    assert script.returncode == 0 and "COMP_LINE" in script.stdout and "query=bash" in script.stdout


REPORT = SanityReport(
    config={"task": {"name": "t"}},
    assembled={"backbone": "b"},
    checks=(
        CheckResult("a", "why a", "passed", "seen a", seconds=0.5),
        CheckResult("b", "why b", "failed", "seen b", "expected b", "cause b", 1.5),
        CheckResult("c", "why c", "skipped", cause="nothing there"),
    ),
    measurements=(
        Measurement("parameters", 11_181_642, "", "all"),
        Measurement("forward", 0.0123, "s", "median", 0.012, 0.013),
        Measurement("peak", None, "bytes", "no counter"),
    ),
    versions={"torch": "x"},
    seconds=2.0,
    warnings=("look here",),
)


def test_golden_terminal(golden, capsys):
    terminal = Terminal()
    terminal.head("t", "b", "a")
    terminal.assembled(REPORT.assembled)
    for check in REPORT.checks:
        terminal.checked(check)
    terminal.measured(REPORT.measurements)
    terminal.ended(REPORT)
    terminal.files([Path("out/report.json")])
    golden("terminal.txt", capsys.readouterr().out)


def test_golden_json(golden):
    golden("report.json", as_json(REPORT))


def test_a_run_that_proved_nothing_has_not_passed():
    nothing = SanityReport({}, {}, (REPORT.checks[2],), (), {}, 0.0)
    assert nothing.verdict == "failed" and REPORT.verdict == "failed"
    assert SanityReport({}, {}, REPORT.checks[:1], (), {}, 0.0).verdict == "passed"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (2, "s", "2.00 s"),
        (2**31, "bytes", "2.00 GiB"),
        (2**20, "bytes", "1.0 MiB"),
        (1.8e9, "MACs", "1.80 GMACs"),
        (11_181_642, "", "11.18 M"),
        (3, "", "3"),
        (None, "s", "not known"),
        (104.2, "images/s", "104.2 images/s"),
    ],
)
def test_numbers_for_people(value, unit, text):
    assert quantity(value, unit) == text


def test_nobody_sees_half_a_file(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    write_whole(path, "old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        write_whole(path, "new")
    assert path.read_text() == "old" and [*tmp_path.iterdir()] == [path]


def test_files_may_be_read_by_whoever_may_read_others(tmp_path):
    (tmp_path / "other").touch()
    write_whole(tmp_path / "report.json", "x")
    assert (tmp_path / "report.json").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_refusal_leaves_out_what_is_empty():
    from aistudio.errors import Problem, refusal_text

    assert refusal_text([Problem("x is wrong", instead="y")]) == "x is wrong\n  instead  y"
