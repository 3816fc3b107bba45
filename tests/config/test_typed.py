"""Paths and names of files are taken as a shell hands them over."""

import pytest

from aistudio import Refusal, compose
from aistudio.config.typed import as_typed
from aistudio.jobs.combinations import judged

NAMES = (
    "é",
    "日本",
    "a=b",
    "a,b",
    "a(b",
    "a b",
    " a",
    "a[1]",
    "{a}",
    "2024",
    "a'b",
    'a"b',
    "a#b",
    "~a",
    "true",
    "1e5",
    "a\\b",
)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_what_was_typed(name, tmp_path, monkeypatch):
    (tmp_path / name).mkdir()
    assert compose("data=images", f"data.root={tmp_path / name}").data.root == str(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert as_typed(["data=images"]) == ["data=images"]
    if not name.startswith("~"):
        assert compose("data=images", f"data.root={name}").data.root == name


def test_weights_and_names_of_files_are_what_was_typed(tmp_path):
    with pytest.raises(Refusal, match="/tmp/é,b.pth cannot be loaded"):
        compose("backbone.weights=/tmp/é,b.pth")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "tâche (1).yaml").write_text("# @package _global_\nruntime: {seed: 5}\n")
    assert compose("experiment=tâche (1)", config_dir=tmp_path).runtime.seed == 5


def test_what_hydra_reads_as_it_was_meant_is_left_alone():
    lines = ["data.root=photos", "task.num_classes=3", "backbone.weights=DEFAULT", "data.root='a b'", "data.root=${x}"]
    lines += ["weights_dir=null", "backbone=resnet18", "~sanity.checks.frozen", "backbone.weights=A,B", "x"]
    assert as_typed(lines) == lines


def test_a_comma_is_of_the_path_where_there_is_such_a_path_and_else_between_two(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    line = ["data=images", "data.root=a,b"]
    assert len([*judged(as_typed(line, several=True))]) == 2
    (tmp_path / "a,b").mkdir()
    assert [job.config["data"]["root"] for job in judged(as_typed(line, several=True))] == ["a,b"]


def test_other_values_with_odd_signs_are_told_how_to_be_quoted():
    with pytest.raises(Refusal) as refusal:
        compose("task.name=é")
    assert "\"task.name='é'\"" in str(refusal.value)
