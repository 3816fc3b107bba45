"""Where files of a run go: never through a link, never over what is not ours, and never where a file says."""

import os
from pathlib import Path

import pytest

from aistudio import Refusal
from aistudio.files import claimed, made, no_link, numbered, refuse_links, refuse_links_in, write_whole
from aistudio.jobs.job import printing_to

QUICK = ["backbone=mobilenet_v3_small", "sanity=quick", "sanity.image_size=64", "task.image_size=64"]
KEY = "hydra.run.dir"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder that a stranger filled, beside one that holds a file of the person's."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("as it was")
    (tmp_path / "empty").mkdir()  # where the fixture ``cli`` starts
    monkeypatch.chdir(tmp_path / "empty")
    return tmp_path / "empty"


def link(path, target="outside"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(Path.cwd().parent / target, path.parent.resolve()))


def untouched(here):
    outside = here.parent / "outside"
    return [*outside.iterdir()] == [outside / "precious"] and (outside / "precious").read_text() == "as it was"


AWAY = [  # where links lie, and what is then said on the command line
    ("outputs", []),
    ("multirun", ["-m", "runtime.seed=0,1"]),
    ("runs", ["hydra.run.dir=runs"]),
    ("runs", ["hydra.run.dir=runs/deeper/still"]),
    ("runs", ["hydra.run.dir=./runs/../runs"]),
    ("runs/of/mine", ["hydra.run.dir=runs/of/mine/now"]),
    ("runs", ["hydra.run={dir: runs/x}"]),
    ("runs/.hydra", ["hydra.run.dir=runs"]),
    ("runs/drawings", ["hydra.run.dir=runs"]),
    ("runs/mine", ["hydra.run.dir=runs", "hydra.output_subdir=mine"]),
    ("sweeps", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
    ("sweeps", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps/mine"]),
    ("sweeps/.submitit", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
    ("sweeps/runtime.seed=1", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
    ("sweeps/runtime.seed=1/.hydra", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
    ("sweeps/runtime.seed=0/drawings", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
    ("reports", ["rules", "--junit", "reports/junit.xml"]),
    ("reports/deeper", ["rules", "--sarif", "reports/deeper/x.sarif"]),
]
FILES = [
    ("runs/.hydra/config.yaml", ["hydra.run.dir=runs"]),
    ("runs/.hydra/hydra.yaml", ["hydra.run.dir=runs"]),
    ("runs/.hydra/overrides.yaml", ["hydra.run.dir=runs"]),
    ("runs/drawings/batch.png", ["hydra.run.dir=runs"]),
    ("runs/report.json", ["hydra.run.dir=runs"]),
    ("runs/config.yaml", ["hydra.run.dir=runs"]),
    ("sweeps/stopped", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
    ("sweeps/summary.csv", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
    ("sweeps/runtime.seed=0/log.txt", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
    ("sweeps/runtime.seed=0/report.json", ["-m", "runtime.seed=0,1", "hydra.sweep.dir=sweeps"]),
]


@pytest.mark.sampled(6)
@pytest.mark.parametrize(("place", "said"), AWAY)
def test_a_link_to_a_folder_is_refused_before_anything_is_written(place, said, here, cli, no_torch):
    link(here / place)
    code, answer = cli(*said, *QUICK)
    assert code == 2 and f"{place} is a link" in answer and "  instead " in answer, answer
    assert untouched(here)


@pytest.mark.sampled(8)
@pytest.mark.parametrize(("place", "said"), FILES)
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_so_is_one_to_a_file_and_a_pipe(place, said, kind, here, cli, no_torch):
    if kind == "pipe":
        (here / place).parent.mkdir(parents=True)
        os.mkfifo(here / place)
    else:
        link(here / place, "outside/precious" if kind == "link" else "outside/new")
    code, answer = cli(*said, *QUICK)
    assert code == 2 and f"{place} is {'no file' if kind == 'pipe' else 'a link'}" in answer, answer
    assert untouched(here)


SAID_BY_FILES = [  # what an experiment says, and what lies there; None: it may
    ("run: {dir: .}", "config.yaml", "no folder below"),
    ("run: {dir: ./}", "config.yaml", "no folder below"),
    ("run: {dir: x/..}", "config.yaml", "leaves the folder"),
    ("run: {dir: runs}", "runs/config.yaml", "runs-2"),
    ("run: {dir: runs}", "runs/report.json", "runs-2"),
    ("run: {dir: .git/hooks}", ".git/hooks/x", ".git/hooks-2"),
    ("run: {dir: runs}", None, "runs"),
]


@pytest.mark.parametrize(("said", "there", "ends"), SAID_BY_FILES)
def test_a_folder_that_files_name_is_a_new_one(said, there, ends, here, cli, monkeypatch):
    conf = here.parent / "conf" / "experiment"
    conf.mkdir(parents=True)
    (conf / "x.yaml").write_text(f"# @package _global_\nhydra: {{{said}}}\n")
    if there:
        (here / there).parent.mkdir(parents=True, exist_ok=True)
        (here / there).write_text("as it was")
    went = []
    monkeypatch.setattr("aistudio.cli.run.reported", lambda config, folder, overrides, judged: went.append(folder) or 0)
    code, answer = cli("--config-dir", str(conf.parent), "experiment=x", *QUICK)
    if " " in ends:
        assert code == 2 and ends in answer and not went, answer
    else:
        assert [folder.relative_to(here) for folder in went] == [Path(ends)], answer
    assert not there or (here / there).read_text() == "as it was"


def test_what_a_person_names_absolutely_is_theirs(here, cli, monkeypatch):
    link(here / "runs")
    went = []
    monkeypatch.setattr("aistudio.cli.run.reported", lambda config, folder, overrides, judged: went.append(folder) or 0)
    assert cli(*QUICK, f"hydra.run.dir={here}/runs/x") == (0, "")
    assert cli(*QUICK, f"hydra.run.dir={here.parent}/outside/y") == (0, "")
    assert cli(*QUICK, "hydra.run.dir=mine") == (0, "")
    assert cli(*QUICK, "hydra.run.dir=mine") == (0, ""), "and again into the same"
    assert went == [here / "runs" / "x", here.parent / "outside" / "y", here / "mine", here / "mine"]
    assert sorted(path.name for path in (here / "mine" / ".hydra").iterdir()) == [
        "config.yaml",
        "hydra.yaml",
        "overrides.yaml",
    ]


def test_two_runs_in_the_same_second_have_a_folder_each(here):
    assert [claimed("outputs/12-00-00", KEY, False).name for _ in range(3)] == ["12-00-00", "12-00-00-2", "12-00-00-3"]
    assert next(one for one in numbered(here / "new") if made(one)) == here / "new"


@pytest.mark.parametrize("asked", [False, True])
def test_a_link_that_stays_inside_is_none_the_less_one(asked, here):
    (here / "a").mkdir()
    (here / "b").symlink_to("a")
    with pytest.raises(Refusal, match="b is a link"):
        claimed("b/c", KEY, asked)
    assert claimed("a/c", KEY, asked) == here / "a" / "c"


def test_a_current_folder_that_is_reached_by_a_link_is_as_good_as_any(here, monkeypatch):
    link(here / "way", "outside")
    monkeypatch.chdir(here / "way")
    assert claimed("runs", KEY, False).is_dir()
    refuse_links(Path.cwd() / "runs" / "x", KEY)


def test_writing_replaces_a_link_and_follows_none(here):
    link(here / "x.json", "outside/precious")
    write_whole(here / "x.json", "new")
    assert (here / "x.json").read_text() == "new" and not (here / "x.json").is_symlink() and untouched(here)


def test_a_log_is_appended_to_no_link_and_no_pipe(here):
    link(here / "link.txt", "outside/precious")
    os.mkfifo(here / "pipe.txt")
    for name in ("link.txt", "pipe.txt"):
        with pytest.raises(OSError), printing_to(here / name):
            print("x")
    for _ in range(2):
        with printing_to(here / "log.txt"):
            print("x")
    assert (here / "log.txt").read_text() == "x\nx\n" and untouched(here)
    with pytest.raises(FileExistsError):
        os.close(no_link(str(here / "log.txt"), os.O_CREAT | os.O_EXCL))


def test_a_healthy_folder_is_not_refused(here):
    (here / "runs" / ".hydra").mkdir(parents=True)
    (here / "runs" / ".hydra" / "config.yaml").write_text("x")
    (here / "runs" / "data").symlink_to("/")
    refuse_links_in(here / "runs", (".hydra", "drawings", "report.json", ""), KEY)
