"""Each tracker is given a run by its real library, into a folder or a database; one that is down harms nothing."""

import struct
import sys
import time
from pathlib import Path

import page_reports as pages
import pytest
from PIL import Image

from aistudio.config.compose import compose
from aistudio.errors import Refusal
from aistudio.report.html.run_page import run_page
from aistudio.report.receipt import digest
from aistudio.report.track.entry import entry
from aistudio.report.track.record import TRACKERS, record


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder as a run leaves it, and what a tracker is told of it; what a tracker writes here stays in its folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "resnet18-classification"
    (folder / "drawings").mkdir(parents=True)
    for index in range(2):
        Image.new("RGB", (32, 24), (200, index, 0)).save(folder / "drawings" / f"{index}.png")
    (folder / "report.html").write_text(run_page(pages.report()), encoding="utf-8")
    (folder / "report.json").write_text("{}")
    return entry(pages.report(), folder, "sweep")


def test_what_a_tracker_is_told(run):
    assert run.name == "resnet18-classification" and run.verdict == "failed" and not run.passed
    assert run.parameters["backbone.name"] == "mobilenet_v3_small"
    assert run.metrics["checks/failed"] == 1 and run.metrics["forward"] > run.metrics["forward/low"] > 0
    assert run.losses == {"checks/learns_more/loss": [2.3, 2.29, 2.31, 2.28, 2.3, 2.29]}
    assert [path.name for path in (*run.files, *run.images)] == ["report.html", "report.json", "0.png", "1.png"]


def test_anything_may_be_told_of_a_report_that_is_none(tmp_path):
    for _, broken in pages.mutilated(pages.report()):
        entry(broken, tmp_path)
    told = entry(pages.poisoned(pages.report()), tmp_path)
    assert all(len(name) <= 250 and name.isascii() for name in (*told.parameters, *told.metrics, *told.losses))


@pytest.mark.slow
def test_mlflow(run, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/runs.db"
    assert record([run, run], {"name": "mlflow", "uri": uri, "experiment": "pages"}) == ""
    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name("pages").experiment_id])
    assert [one.info.run_name for one in found] == [run.name] * 2 and found[0].info.status == "FAILED"
    assert found[0].data.params == run.parameters and found[0].data.tags["sweep"] == "sweep"
    assert found[0].data.metrics["forward"] == run.metrics["forward"]
    losses = client.get_metric_history(found[0].info.run_id, "checks/learns_more/loss")
    assert [one.value for one in losses] == run.losses["checks/learns_more/loss"]
    assert {one.path for one in client.list_artifacts(found[0].info.run_id)} >= {"report.html", "drawings"}


@pytest.mark.slow
def test_tensorboard(run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert record([run], {"name": "tensorboard", "folder": str(tmp_path / "board")}) == ""
    read = EventAccumulator(str(tmp_path / "board" / "sweep" / run.name)).Reload()
    assert set(read.Tags()["scalars"]) == {*run.metrics, *run.losses}
    assert [one.value for one in read.Scalars("checks/learns_more/loss")] == pytest.approx(
        [2.3, 2.29, 2.31, 2.28, 2.3, 2.29]
    )
    assert read.Scalars("forward")[0].value == pytest.approx(run.metrics["forward"])
    assert read.Images("drawings/0")[0].encoded_image_string == run.images[0].read_bytes()
    assert b"failed" in read.Tensors("verdict")[0].tensor_proto.string_val[0]
    assert "_hparams_/session_start_info" in read.summary_metadata


def written(log: bytes):
    """The records of a W&B file: LevelDB's log format behind seven bytes, in blocks of 32 KiB."""
    place, whole = 7, b""
    while place + 7 <= len(log):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack("<HB", log[place + 4 : place + 7])
        whole += log[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


@pytest.mark.slow
def test_wandb_offline(run, tmp_path, monkeypatch):
    from wandb.proto import wandb_internal_pb2

    monkeypatch.chdir(tmp_path)
    assert record([run], {"name": "wandb", "folder": str(tmp_path), "project": "pages"}) == ""
    (log,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    kinds, keys = set(), set()
    for data in written(log.read_bytes()):
        one = wandb_internal_pb2.Record()
        one.ParseFromString(data)
        kinds.add(one.WhichOneof("record_type"))
        keys |= {item.key or item.nested_key[0] for item in one.history.item}
    assert {"run", "history", "exit"} <= kinds
    assert {"forward", "page", "drawings", "checks/learns_more/loss"} <= keys
    assert [*(tmp_path / "wandb").rglob("page*.html")]


@pytest.mark.slow
@pytest.mark.parametrize("tracker", ["mlflow"])
def test_a_server_that_is_down_is_a_warning_once_and_in_time(run, tracker):
    started = time.monotonic()
    settings = {"name": tracker, "uri": "http://127.0.0.1:9", "timeout": 6}
    assert record([run, run, run], settings).startswith("mlflow did not take resnet18-classification: ")
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_tracker_that_is_not_installed_is_a_warning(run, tracker, monkeypatch):
    for module in [one for one in sys.modules if one.split(".")[0] == tracker]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, tracker, None)
    monkeypatch.delitem(sys.modules, f"aistudio.report.track.{tracker}_runs", raising=False)
    warning = record([run], {"name": tracker})
    assert "is not installed" in warning and f"aistudio[{tracker}]" in warning


def test_a_name_that_is_no_tracker_is_a_warning_and_imports_nothing(run):
    assert "none of mlflow" in record([run], {"name": "../os"})


@pytest.mark.parametrize("error", [RuntimeError("the disk\nis full"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_a_tracker_raises_is_one_warning(run, monkeypatch, error):
    calls = []

    def log(one, settings):
        calls.append(one)
        raise error

    monkeypatch.setitem(sys.modules, "aistudio.report.track.wandb_runs", type("Module", (), {"log": staticmethod(log)}))
    warning = record([run, run], {"name": "wandb"})
    assert warning.startswith(f"wandb did not take resnet18-classification: {type(error).__name__}")
    assert "\n" not in warning and len(calls) == 1


def test_a_tracker_that_does_not_answer_is_left(run, monkeypatch):
    module = type("Module", (), {"log": staticmethod(lambda one, settings: time.sleep(30))})
    monkeypatch.setitem(sys.modules, "aistudio.report.track.wandb_runs", module)
    started = time.monotonic()
    assert "no answer in track.timeout=0.2 seconds" in record([run, run], {"name": "wandb", "timeout": 0.2})
    assert time.monotonic() - started < 5


def test_no_tracker_is_imported_by_anything_else():
    package = Path(__file__).parent.parent.parent / "aistudio"
    for path in package.rglob("*.py"):
        if not path.stem.endswith("_runs"):
            assert not [
                one for one in TRACKERS if f"import {one}" in path.read_text() or f"from {one}" in path.read_text()
            ]


def problems_of(said, folder):
    try:
        compose(*said, config_dir=folder)
    except Refusal as refusal:
        return [problem.what for problem in refusal.problems]
    return []


@pytest.mark.parametrize(
    ("name", "text", "said", "refused"),
    [
        ("experiment/e", "defaults: [{override /track: mlflow}]", ["experiment=e"], True),
        ("experiment/e", "track: {uri: 'http://example.org'}", ["experiment=e", "track=mlflow"], True),
        ("experiment/e", "runtime: {seed: 1}", ["experiment=e", "track=mlflow"], False),
        ("experiment/e", "runtime: {seed: 1}", ["experiment=e", "track=mlflow", "track.uri=sqlite:///a.db"], False),
        ("experiment/e", "runtime: {seed: 1}", ["experiment=e"], False),
        ("track/ours", "{name: mlflow, uri: null, experiment: team, timeout: 9}", ["track=ours"], False),
    ],
)
def test_only_the_command_line_says_where_runs_are_sent(tmp_path, name, text, said, refused):
    path = tmp_path / f"{name}.yaml"
    path.parent.mkdir()
    path.write_text(f"# @package _global_\n{text}\n" if "experiment" in name else text)
    assert ("a file says where runs are sent" in problems_of(said, tmp_path)) is refused
    assert refused or not problems_of(said, tmp_path)


def test_a_tracker_changes_nothing_of_what_a_run_does():
    assert digest({"a": 1}) == digest({"a": 1, "track": {"name": "mlflow"}}) != digest({"a": 2})
