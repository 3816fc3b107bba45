"""``aistudio rules``: a repository of experiments is judged in one go, and each problem is shown at its line."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from aistudio.config.lines import line_of
from aistudio.errors import Problem
from aistudio.report.ci import Judgement, as_junit
from aistudio.safety.conf_folder import conf_folder

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
    return lambda *arguments: (*cli("rules", *arguments), tmp_path / "empty")


def test_every_problem_is_at_its_line(repository):
    code, answer, folder = repository("--sarif", "out/rules.sarif")
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
    code, _, folder = repository("--config-dir", "conf", "--junit", "rules.xml")
    suite = ElementTree.parse(folder / "rules.xml").getroot()
    cases = {case.get("name"): case for case in suite}
    assert code == 2 and {*EXPERIMENTS} == set(cases), "those of the folder, and not those that ship"
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failed == {name for name, (_, said) in EXPERIMENTS.items() if said}
    assert suite.get("failures") == str(len(failed)) and suite.get("tests") == str(len(cases))
    assert "instead" in cases["pair"].find("failure").text
    assert cases["pair"].get("file") == "conf/experiment/pair.yaml"


def test_a_name_that_no_xml_may_hold_is_made_to_fit():
    text = as_junit([Judgement('a<b>&\x00"', None, [Problem("x\x1b[0m")])])
    assert ElementTree.fromstring(text.encode())[0].get("name") == 'a<b>&\\x00"'


def test_what_fits_is_said_and_nothing_is_written(tmp_path, cli, no_torch, capsys):
    for arguments in (("experiment=glob(*)",), ("backbone=resnet18",), ()):
        code, answer = cli("rules", *arguments)
        assert code == 0 and not answer and not [*(tmp_path / "empty").iterdir()]


def test_the_folder_that_ships_is_nobodys_own(cli, no_torch):
    """In a checkout of this repository conf/ is given, or found, and its files are not in the way of themselves."""
    code, answer = cli("rules", "--config-dir", str(conf_folder()))
    assert code == 0 and not answer


def test_a_refused_run_is_refused(cli, no_torch):
    code, answer = cli("rules", "task=segmentation", "backbone=resnet18")
    assert code == 2 and "backbone=resnet18 does not fit" in answer


def test_what_is_wrong_with_several_is_said_once(cli, no_torch):
    code, answer = cli("rules", "task=segmentation", "backbone=resnet18", "runtime.seed=0,1")
    assert code == 2 and answer.count("  why ") == 1 and "runtime.seed=0, runtime.seed=1\n" in answer, answer


def test_refusals_with_the_same_answer_share_it(cli, no_torch):
    code, answer = cli("rules", "task=segmentation", "backbone=resnet18,resnet34,resnet50")
    assert code == 2 and answer.count("  why ") == 1 and "resnet18, resnet34\n" in answer, answer


def test_a_file_that_still_says_what_is_written_where_is_told_how(tmp_path, cli, no_torch):
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "x.yaml").write_text("# @package _global_\nsanity: {sarif: ../x.sarif}\n")
    code, answer = cli("rules", "--config-dir", str(tmp_path / "conf"), "experiment=x")
    assert code == 2 and "sanity.sarif is unknown" in answer and "aistudio rules --sarif FILE" in answer, answer
    assert not (tmp_path / "x.sarif").exists()


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (["sanity=rules"], "aistudio rules"),
        (["-m", "sanity=rules", "backbone=a,b"], "aistudio rules backbone=a,b"),
        (
            ["--config-dir", "my conf", "experiment=glob(*)", "sanity=rules", "sanity.junit=a.xml"],
            "aistudio rules --config-dir 'my conf' --junit a.xml 'experiment=glob(*)'",
        ),
        (["-m", "rules", "task=regression"], "aistudio rules task=regression"),
        (["rules", "sanity=rules"], "aistudio rules, a command"),
        (["rule"], "aistudio rules …"),
        (["replya", "report.json"], "aistudio replay …"),
    ],
    ids=" ".join,
)
def test_what_is_not_typed_so_is_answered_with_what_to_type(line, instead, cli, no_torch, tmp_path):
    (tmp_path / "empty" / "my conf").mkdir(parents=True)
    code, answer = cli(*line)
    assert code == 2 and f"  instead  {instead}" in answer, answer


def test_a_file_that_cannot_be_written_is_said(cli, no_torch, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "taken").touch()
    code, answer = cli("rules", "--junit", "taken/rules.xml")
    assert code == 2 and "--junit taken/rules.xml cannot be written" in answer and "instead" in answer


@pytest.mark.parametrize("name", ["a, b", "it's", "x=y", "[z]", "null"])
def test_an_experiment_of_any_name_is_judged_and_found(name, cli, no_torch, tmp_path):
    (tmp_path / "empty" / "conf" / "experiment").mkdir(parents=True)
    path = tmp_path / "empty" / "conf" / "experiment" / f"{name}.yaml"
    path.write_text("# @package _global_\nruntime: {seed: x}\n")
    code, answer = cli("rules")
    assert code == 2 and "runtime.seed=x" in answer and f"conf/experiment/{name}.yaml" in answer, answer


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
