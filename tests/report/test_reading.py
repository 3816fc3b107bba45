"""A report may hold anything: it is read, or it is said why not, soon and without harm to the others."""

import json
import os
from pathlib import Path

import pytest

from aistudio.cli import replay
from aistudio.cli.main import main
from aistudio.jobs.sweep import passed_before
from aistudio.report import files, summary
from aistudio.report.files import without_verdict
from aistudio.report.records import SanityReport
from aistudio.report.validation import Unreadable

RELEASED = Path(__file__).parent.parent / "released" / "0.1.0" / "report.json"


def changed(**parts):
    """The text of a real report with other parts."""
    return json.dumps({**json.loads(RELEASED.read_text()), **parts})


def check(**parts):
    return changed(checks=[{"name": "mine", "status": "passed", "seen": "1", "seconds": 0.1, **parts}])


def measurement(**parts):
    return changed(measurements=[{"name": "forward", "value": 1.0, "unit": "s", "low": 0.5, "high": 2.0, **parts}])


def task(**parts):
    config = json.loads(RELEASED.read_text())["config"]
    return changed(config={**config, "task": {**config["task"], **parts}})


UNREADABLE = {  # what is wrong: the text of the file, and the words of the reason
    "nothing": ("", "not JSON"),
    "half": (changed()[:5000], "not JSON"),
    "bytes": (b"\xff\xfe\x00", "not UTF-8"),
    "half a character": (changed(versions={"device": "\ud800"}), "not UTF-8"),
    "deep": ("[" * 200_000 + "]" * 200_000, "nested too deeply"),
    "deep mappings": ('{"a":' * 200_000 + "1" + "}" * 200_000, "nested too deeply"),
    "a list": ("[]", "report is a list, not keys and values"),
    "a number": ("5", "report is 5"),
    "verdict banana": (changed(verdict="banana"), "verdict is banana, not one of passed, failed"),
    "verdict a list": (changed(verdict=["passed"]), "verdict is a list"),
    "no verdict": (changed(verdict=None), "verdict is null"),
    "seconds as text": (changed(seconds="2.0"), "seconds is 2.0, not a number"),
    "seconds true": (changed(seconds=True), "seconds is True"),
    "seconds NaN": (changed(seconds=float("nan")), "seconds is nan"),
    "seconds without end": (changed(seconds=float("inf")), "seconds is inf"),
    "seconds 1e999": (changed().replace('"seconds": 0.571', '"seconds": 1e999'), "seconds is inf"),
    "seconds before the start": (changed(seconds=-1), "seconds is -1"),
    "seconds huge": (changed(seconds=10**4000), "seconds is an integer beyond"),
    "seconds of 5,000 digits": (changed().replace('"seconds": 0.571', f'"seconds": {"9" * 5000}'), "not JSON"),
    "checks a mapping": (changed(checks={"overfits_one_batch": "passed"}), "checks is keys and values, not a list"),
    "checks of texts": (changed(checks=["overfits_one_batch"]), "checks is overfits_one_batch, not keys and values"),
    "no checks": (changed(checks=None), "checks is null"),
    "a check without a name": (check(name=None), "name is null"),
    "a status of its own": (check(status="maybe"), "status is maybe"),
    "seen a list": (check(seen=[]), "seen is a list"),
    "measurements a mapping": (changed(measurements={}), "measurements is keys and values, not a list"),
    "a value as text": (measurement(value="1.0"), "value is 1.0, not a number"),
    "half a spread": (measurement(high=None), "forward: low=0.5 and high=null are no spread"),
    "a spread of nothing": (measurement(value=None), "are no spread of null"),
    "a spread the wrong way": (measurement(low=3.0), "forward: low=3.0 and high=2.0 are no spread"),
    "config a list": (changed(config=[]), "config is a list, not keys and values"),
    "config of nothing": (changed(config={}), "task is null"),
    "a task of its name": (task(name=["classification"]), "name is a list"),
    "a size as text": (task(image_size="224"), "image_size is 224, not a number"),
    "a broken size": (task(image_size=22.5), "image_size is 22.5, not a whole number"),
    "versions a list": (changed(versions=["torch"]), "versions is a list"),
    "a version of a number": (changed(versions={"torch": 2}), "torch is 2, not a text"),
    "receipt a text": (changed(receipt="none"), "receipt is none"),
    "weights of numbers": (changed(receipt={"weights": {"a.pth": 5}}), "a.pth is 5"),
    "escape sequences": (changed(verdict="\x1b[2Jx\n"), "verdict is \\x1b[2Jx\\n, not"),
}


def fifo(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def directory(path):
    path.mkdir()


def circle(path):
    path.symlink_to(path)


def gigantic(path):
    with open(path, "wb") as file:
        file.truncate(10**12)  # a hole: it takes no room


NO_FILES = {
    fifo: "no regular file",
    device: "no regular file",
    directory: "directory",
    circle: "symbolic link",
    gigantic: "larger than 64 MiB",
}


def left(folder, name, content):
    """Leave a report in a folder of that name."""
    (folder / name).mkdir(parents=True)
    path = folder / name / "report.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("fault", UNREADABLE)
def test_what_is_no_report_is_said(fault, tmp_path):
    content, reason = UNREADABLE[fault]
    path = left(tmp_path, "0", content)
    with pytest.raises(Unreadable) as raised:
        files.read(path)
    assert reason in str(raised.value) and len(str(raised.value)) < 300 and "\n" not in str(raised.value)


@pytest.mark.parametrize("make", NO_FILES, ids=lambda make: make.__name__)
def test_what_is_no_file_is_not_waited_for(make, tmp_path):
    make(tmp_path / "report.json")
    with pytest.raises(Unreadable, match=f"(?i){NO_FILES[make]}"):
        files.read(tmp_path / "report.json")


def test_one_row_takes_no_other_with_it(tmp_path, capsys):
    for number, (content, _) in enumerate(UNREADABLE.values()):
        left(tmp_path, f"{number}", content)
    for make in NO_FILES:
        (tmp_path / make.__name__).mkdir()
        make(tmp_path / make.__name__ / "report.json")
    left(tmp_path, "²", changed())
    assert main(["summarize", str(tmp_path)]) == 1
    assert f"1 passed, {len(UNREADABLE) + len(NO_FILES)} unreadable" in capsys.readouterr().out
    rows = json.loads((tmp_path / "summary.json").read_text())["rows"]
    assert [row["backbone"] for row in rows if row["outcome"] == "passed"] == ["mobilenet_v3_small"]


def test_a_folder_whose_name_is_no_text_is_a_row(tmp_path, capsys):
    left(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")), "\udcfe", changed(verdict="failed"))
    assert main(["summarize", str(tmp_path)]) == 1
    assert "1 failed" in capsys.readouterr().out and "\\xff" in (tmp_path / "summary.csv").read_text()


@pytest.mark.parametrize(
    "config", [{}, {"task": None}, {"task": 5, "backbone": {"name": []}}, {"runtime": {"seed": "x"}}]
)
def test_a_run_that_was_refused_for_its_configuration_is_read_all_the_same(config, tmp_path):
    row = summary.row(left(tmp_path, "0", without_verdict("refused", "it says so", config)))
    assert (row.outcome, row.reason, row.backbone, row.seed) == ("refused", "it says so", "", None)


def test_what_a_run_writes_is_read():
    report = files.read(RELEASED)
    whole = json.loads(RELEASED.read_text())
    assert report.config == whole["config"] and report.settings.backbone == "mobilenet_v3_small"
    assert [check.name for check in report.checks] == [check["name"] for check in whole["checks"]]
    assert [one.value for one in report.measurements] == [one["value"] for one in whole["measurements"]]


def test_only_a_report_that_can_be_read_and_shows_it_has_passed(tmp_path):
    config = json.loads(RELEASED.read_text())["config"]
    assert passed_before(left(tmp_path, "whole", changed()), config)
    lost = {"measurements": None, "seconds": "1", "checks": [], "versions": 5}
    for key, value in lost.items():
        assert not passed_before(left(tmp_path, key, changed(**{key: value})), config), key
    failed = [{"name": "overfits_one_batch", "status": "failed"}]
    assert not passed_before(left(tmp_path, "failed", changed(checks=failed)), config)


@pytest.fixture
def stub(monkeypatch):
    """Replays run nothing: what they would find is what the report says."""

    def run(judged, *_):
        before = files.read(RELEASED)
        return SanityReport({}, {}, tuple(before.checks), tuple(before.measurements), before.versions, 1.0)

    monkeypatch.setattr(replay, "import_examine", lambda: run)


@pytest.mark.parametrize("fault", UNREADABLE)
def test_what_is_no_report_is_not_replayed(fault, tmp_path, stub, capsys):
    assert main(["replay", str(left(tmp_path, "0", UNREADABLE[fault][0]))]) == 2
    assert "is no report" in capsys.readouterr().err


def test_a_released_report_is_replayed(stub, capsys):
    assert main(["replay", str(RELEASED)]) == 0 and "THE SAME" in capsys.readouterr().out
