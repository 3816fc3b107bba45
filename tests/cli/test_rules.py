"""``sanity=rules``: a repository of experiments is judged in one go, and each problem is shown at its line."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from aistudio.config import groups
from aistudio.config.lines import line_of
from aistudio.errors import Problem
from aistudio.report.ci import Judgement, as_junit

EXPERIMENTS = {  # file: its text, and what is said of it at which line; nothing of those that fit
    "fits": ("defaults:\n  - override /task: regression\n", []),
    "pair": (
        "defaults:\n  - override /task: segmentation\n  - override /backbone: resnet18\n",
        [("backbone=resnet18 does not fit", 4)],
    ),
    "values": (
        "runtime:\n  threads: 1\n  seed: -1\ntask:\n  num_clases: 3\n  image_size: large\n",
        [("task.num_clases is unknown", 6), ("task.image_size=large", 7), ("runtime.seed=-1", 4)],
    ),
    "misspelt": ("defaults:\n  - override /task: segmentaton\n", [("task=segmentaton does not exist", 3)]),
    "broken": ("task: [\n", [("while parsing", 3)]),
    "hostile": ("task:\n  loss:\n    _target_: os.system\n", [("os.system is not trusted", 4)]),
}


@pytest.fixture
def repository(tmp_path, cli, no_torch):
    """Judges the experiments above in process; the exit code, what was printed, and the SARIF results."""
    folder = tmp_path / "empty" / "conf" / "experiment"
    folder.mkdir(parents=True)
    for name, (text, _) in EXPERIMENTS.items():
        (folder / f"{name}.yaml").write_text(f"# @package _global_\n{text}")

    def verify(*arguments):
        line = ("-m", "--config-dir", "conf", "experiment=glob(*)", "sanity=rules", *arguments)
        return (*cli(*line), tmp_path / "empty")

    return verify


def test_every_problem_is_at_its_line(repository):
    code, answer, folder = repository("sanity.sarif=out/rules.sarif")
    assert code == 2 and "Traceback" not in answer
    log = json.loads((folder / "out" / "rules.sarif").read_text())
    found = {}
    for result in log["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]
        path = Path(place["artifactLocation"]["uri"])
        assert path.parent == Path("conf/experiment"), "relative, so that a code host finds it"
        found.setdefault(path.stem, []).append((result["message"]["text"], place["region"]["startLine"]))
    assert set(found) == {name for name, (_, said) in EXPERIMENTS.items() if said}
    for name, (_, said) in EXPERIMENTS.items():
        assert len(found.get(name, [])) == len(said), found[name]
        for (text, line), (expected, at) in zip(found.get(name, []), said, strict=True):
            assert expected in text and line == at, (text, line)


def test_junit_has_a_case_for_every_experiment(repository):
    code, _, folder = repository("sanity.junit=rules.xml")
    suite = ElementTree.parse(folder / "rules.xml").getroot()
    cases = {case.get("name"): case for case in suite}
    assert code == 2 and {*EXPERIMENTS, *groups.options("experiment")} == set(cases)
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failed == {name for name, (_, said) in EXPERIMENTS.items() if said}
    assert suite.get("failures") == str(len(failed)) and suite.get("tests") == str(len(cases))
    assert "instead" in cases["pair"].find("failure").text
    assert cases["pair"].get("file") == "conf/experiment/pair.yaml"


def test_a_name_that_no_xml_may_hold_is_made_to_fit():
    text = as_junit([Judgement('a<b>&\x00"', None, [Problem("x\x1b[0m")])])
    assert ElementTree.fromstring(text.encode())[0].get("name") == 'a<b>&\\x00"'


def test_what_fits_is_said_and_nothing_is_written(tmp_path, cli, no_torch, capsys):
    for arguments in (("-m", "experiment=glob(*)"), ("backbone=resnet18",)):
        code, answer = cli(*arguments, "sanity=rules")
        assert code == 0 and not answer and not [*(tmp_path / "empty").iterdir()]


def test_a_refused_run_is_refused(cli, no_torch):
    code, answer = cli("task=segmentation", "backbone=resnet18", "sanity=rules")
    assert code == 2 and "backbone=resnet18 does not fit" in answer


def test_what_is_wrong_with_several_is_said_once(cli, no_torch):
    code, answer = cli("-m", "task=segmentation", "backbone=resnet18", "runtime.seed=0,1", "sanity=rules")
    assert code == 2 and answer.count("  why ") == 1 and "runtime.seed=0, runtime.seed=1\n" in answer, answer


def test_a_file_may_not_say_what_is_written_where(tmp_path, cli, no_torch):
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "x.yaml").write_text("# @package _global_\nsanity: {sarif: ../x.sarif}\n")
    code, answer = cli("--config-dir", str(tmp_path / "conf"), "experiment=x", "sanity=rules")
    assert code == 2 and "sanity.sarif=../x.sarif is set by a file" in answer and not (tmp_path / "x.sarif").exists()


def test_a_file_that_cannot_be_written_is_said(cli, no_torch, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "taken").touch()
    code, answer = cli("sanity=rules", "sanity.junit=taken/rules.xml")
    assert code == 2 and "sanity.junit=taken/rules.xml cannot be written" in answer and "instead" in answer


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a: 1\nb:\n  c: 2\n", "b.c", 3),
        ("a: 1\n", "nowhere", 1),
        ("", "a", 1),
        ("- a\n", "a", 1),
        ("defaults:\n  - x\n  - override /task: y\n", "task", 3),
    ],
)
def test_lines_are_counted_from_one(text, key, line, tmp_path):
    (tmp_path / "x.yaml").write_text(text)
    assert line_of(tmp_path / "x.yaml", Problem("something is wrong", where=key)) == line


def test_the_hook_for_pre_commit_runs(tmp_path):
    (hook,) = yaml.safe_load((Path(__file__).parent.parent.parent / ".pre-commit-hooks.yaml").read_text())
    program, *arguments = shlex.split(hook["entry"])
    assert program == "aistudio" and hook["language"] == "system" and hook["pass_filenames"] is False
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    done = subprocess.run([sys.executable, "-m", "aistudio", *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "conf" / "experiment" / "x.yaml").write_text("# @package _global_\nruntime: {seed: x}\n")
    done = subprocess.run([sys.executable, "-m", "aistudio", *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "runtime.seed=x is not a whole number" in done.stderr
