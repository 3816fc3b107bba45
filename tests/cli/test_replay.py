"""A report can be run again, and what has changed since is said."""

import json
import subprocess

import pytest

from aistudio.cli import replay
from aistudio.cli.main import main
from aistudio.report import comparison
from aistudio.report.git import git
from aistudio.report.receipt import digest
from aistudio.report.records import Measurement

FAST = ("sanity=quick", "sanity.image_size=64", "task.image_size=64", "runtime.threads=1")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The report of a good run, made once."""
    from omegaconf import OmegaConf

    from aistudio.config.compose import compose
    from aistudio.report.files import as_json
    from aistudio.report.receipt import receipt
    from aistudio.sanity import sanity_run

    line = ("backbone=mobilenet_v3_small", *FAST)
    config = compose(*line)
    report = sanity_run(config)
    return json.loads(as_json(report, receipt(OmegaConf.to_container(config, resolve=True), line)))


@pytest.fixture
def again(original, tmp_path, capsys):
    """Replay the report after something was done to it; the exit code and what was printed."""

    def call(edit=lambda report: None):
        report = json.loads(json.dumps(original))
        edit(report)
        path = tmp_path / "report.json"
        path.write_text(json.dumps(report))
        code = main(["replay", str(path)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def measured(report, name):
    return next(one for one in report["measurements"] if one["name"] == name)


def test_the_same_code_gives_the_same_numbers(again):
    code, out, _ = again()
    assert code == 0 and "THE SAME" in out and "drift " not in out, out


def test_the_receipt_says_what_was_asked_for(original):
    receipt = original["receipt"]
    assert receipt["overrides"][0] == "backbone=mobilenet_v3_small" and receipt["weights"] == {}
    assert receipt["config_sha256"] == digest(original["config"]) and len(receipt["config_sha256"]) == 64


def test_another_loss_is_a_drift(again, monkeypatch):
    from aistudio.tasks.classification import Classification

    loss = Classification.loss
    doubled = lambda *given: {name: 2 * part for name, part in loss(*given).items()}  # noqa: E731
    monkeypatch.setattr(Classification, "loss", doubled)
    code, out, _ = again()
    assert code == 1 and "DRIFTED" in out and "drift    overfits_one_batch" in out and "was  passed: " in out


@pytest.mark.parametrize(
    ("name", "factor", "code"),
    [
        ("parameters", 2, 1),
        ("multiply_adds", 0.5, 1),
        ("forward_peak_memory", 1.2, 1),
        ("forward_peak_memory", 0.8, 1),
        ("forward", 100, 0),
        ("forward", 0.01, 0),
        ("time_to_verdict", 100, 0),
    ],
)
def test_numbers_that_differ(name, factor, code, original):
    then = dict(measured(original, name))
    now = {
        field: value * factor if field in ("value", "low", "high") and value else value for field, value in then.items()
    }
    then, now = Measurement(**then), Measurement(**now)
    kinds = {change.kind for change in comparison.measurement_changes(then, now)}
    assert kinds == ({"drift"} if code else set() if name == "time_to_verdict" else {"warning"})
    assert not [*comparison.measurement_changes(then, then)]


def test_a_check_that_is_gone_is_a_drift(again):
    code, out, _ = again(lambda report: report["checks"].append({"name": "mine", "status": "passed", "seen": "1"}))
    assert code == 1 and "is   not run" in out


def test_other_weights_are_a_drift(again):
    code, out, _ = again(lambda report: report["receipt"]["weights"].update({"resnet18.pth": "0" * 64}))
    assert code == 1 and "drift    resnet18.pth" in out


def test_versions_that_changed_are_said(again):
    code, out, _ = again(lambda report: report["versions"].update(torch="1.0"))
    assert code == 0 and "since then torch: 1.0 -> " in out


def edited(report):
    report["config"]["runtime"]["seed"] = 7


def lacking(report):
    del report["config"]["runtime"]["threads"], report["receipt"]["config_sha256"]


def refused(report):
    report["verdict"] = "refused"


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (edited, "the report's configuration was edited"),
        (refused, "has no verdict to compare with"),
        (lambda report: report.pop("config"), "is no report"),
        (lambda report: report.pop("verdict"), "is no report"),
        (lacking, "the report's configuration lacks runtime.threads"),
    ],
    ids=["edited", "refused", "no config", "no verdict", "no threads"],
)
def test_what_cannot_be_replayed_is_refused(edit, what, again):
    code, out, err = again(edit)
    assert code == 2 and what in err and "  instead " in err and not out


@pytest.mark.parametrize("said", ["0", "-1", "many", "9" * 5000, ""])
def test_a_report_that_does_not_say_its_threads_leaves_them_to_torch(said):
    assert replay.threads({"threads": said}) is None and replay.threads({"threads": "4"}) == 4


def test_no_file_is_refused(tmp_path, capsys):
    assert main(["replay", str(tmp_path / "report.json")]) == 2
    assert "is no report" in capsys.readouterr().err


def test_the_commit_and_whether_it_is_dirty(tmp_path):
    def run(*command):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, capture_output=True)

    assert git(tmp_path) is None
    run("init", "-q")
    (tmp_path / "a").write_text("1")
    run("add", "a")
    run("-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "a")
    assert git(tmp_path)["dirty"] is False and len(git(tmp_path)["commit"]) == 40
    (tmp_path / "a").write_text("2")
    assert git(tmp_path)["dirty"] is True


def test_a_digest_knows_settings_from_their_order_and_from_the_sweep():
    one = {"a": {"b": 1, "c": 2}, "sweep": {"timeout": None}}
    assert digest(one) == digest({"sweep": {"timeout": 5}, "a": {"c": 2, "b": 1}})
    assert digest(one) != digest({"a": {"b": 1, "c": 3}})
