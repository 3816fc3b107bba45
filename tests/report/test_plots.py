"""The pictures at the end of a sweep: every name can be read, and nothing is drawn that is not so."""

import builtins
import itertools
import json
import os
import random
import subprocess
import sys
from dataclasses import asdict

import pytest

from aistudio.config import groups, shipped
from aistudio.report import figures, plots
from aistudio.report.summary import Row

pytest.importorskip("matplotlib")


def row(backbone, throughput, top1, task="classification", **others):
    """A row that passed, as far as pictures look at it."""
    known = {
        **{"job": backbone, "task": task, "architecture": "backbone_head", "backbone": backbone, "level": "standard"},
        **{"image_size": 224, "batch_size": 4, "device": "cpu", "top1": top1, "outcome": "passed", "reason": ""},
        **{"forward": 4 / throughput, "images_per_second": throughput, "peak_memory": 1e8, "parameters": 1e7},
        **{"images_per_second_low": throughput * 0.9, "images_per_second_high": throughput * 1.1, "folder": backbone},
    }
    return Row(**{**dict.fromkeys(Row.__dataclass_fields__), **known, **others})


def shipped_rows():
    for name in groups.options("backbone"):
        published = shipped.section("backbone", name)["published"]
        yield row(name, 4 / (0.01 + 0.015 * published["gmacs"]), published["top1"])


def scattered(count, seed=0):
    draw = random.Random(seed)
    return [row(f"network_{index}", draw.uniform(10, 110), draw.uniform(70, 82)) for index in range(count)]


CASES = {
    "shipped": [*shipped_rows()],
    "scattered": scattered(40),
    "in one place": [row(f"network_{index}", 50 + index / 1000, 75 + index / 1000) for index in range(8)],
    "two": [row("a", 1, 70), row("b", 1000, 80)],
    "long names": [row("a_name_that_never_ends_" * 4 + str(index), 50 + index, 75 + index) for index in range(4)],
    "many tasks": [row(name, 50 + index, 75, task) for task in "abcdefghi" for index, name in enumerate("xyz")],
    "several tasks": [row(name, 50 + index, 75, task) for task in "abc" for index, name in enumerate("xyz")],
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("case", CASES)
def test_every_name_is_there_inside_and_covers_neither_a_point_nor_another(case):
    figure = plots.accuracy(CASES[case])
    renderer = figure.canvas.get_renderer()
    boxes = 0
    for axes in figure.axes:
        labels = [text.get_window_extent(renderer) for text in axes.texts if text.get_gid() == "label"]
        inside = axes.get_window_extent(renderer)
        assert len(axes.collections) == 2, "spreads and points"
        points = axes.transData.transform(axes.collections[-1].get_offsets())
        boxes += len(labels)
        assert not any(one.overlaps(other) for one, other in itertools.combinations(labels, 2))
        assert not any(box.contains(x, y) for box in labels for x, y in points)
        assert all(inside.contains(*corner) for box in labels for corner in box.corners())
    assert boxes == len(CASES[case])


def test_of_too_many_points_the_front_is_named_and_the_rest_counted():
    rows = scattered(200)
    figure = plots.accuracy(rows)
    texts = {text.get_text() for text in figure.axes[0].texts if text.get_gid() == "label"}
    assert texts <= {one.backbone for one in plots.front(rows)} and len(texts) > 2
    assert f"{200 - len(texts)} names left out" in figure.get_supxlabel()


def test_the_front_is_what_no_other_beats():
    rows = scattered(100, seed=1)
    best = plots.front(rows)
    for one in rows:
        beaten = any(o.images_per_second > one.images_per_second and o.top1 > one.top1 for o in rows)
        assert (one in best) is not beaten
    line = plots.accuracy(rows).axes[0].lines[0]
    assert list(line.get_ydata()) == [one.top1 for one in best] and line.get_drawstyle() == "steps-pre"


@pytest.mark.parametrize(("taken", "busy"), [(None, False), (3.0, False), (40.0, True)])
def test_a_busy_machine_has_no_front(taken, busy):
    rows = [row(f"network_{index}", 10 + 10 * index, 80 - index, taken=taken) for index in range(5)]
    assert (plots.front(rows) == []) is busy
    assert ("the machine was busy" in plots.accuracy(rows).get_supxlabel()) is busy


def test_long_names_can_still_be_told_apart():
    names = plots.distinct_names(CASES["long names"])
    assert len(set(names)) == 4 and all(len(name) <= figures.LONGEST + 1 for name in names)


def test_names_say_what_the_rows_differ_in_and_no_more():
    rows = [row("a", 1, 70, image_size=64), row("a", 2, 70, image_size=224), row("b", 3, 70, "other")]
    assert plots.distinct_names(rows) == ["a · 64 px", "a · 224 px", "b"]


def test_runs_that_differ_in_their_seed_are_one_point():
    alike = [row("a", speed, 70) for speed in (10, 20, 30)]
    assert [one.images_per_second for one in plots.typical([*alike, row("b", 5, 70)])] == [20, 5]


def test_bars_hold_the_numbers_smallest_on_top():
    rows = [row("large", 1, 70, peak_memory=3 * 2**30), row("small", 1, 70, peak_memory=2**30), row("none", 1, 70)]
    figure = plots.bars([*rows[:2], row("unknown", 1, 70, peak_memory=None)], "peak_memory", "bytes", "Memory")
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [2**30, 3 * 2**30] and axes.yaxis_inverted()
    assert [text.get_text() for text in axes.get_yticklabels()] == ["small", "large"]
    assert [text.get_text() for text in axes.texts] == ["1.00 GiB", "3.00 GiB"]


def test_the_same_rows_give_the_same_bytes(tmp_path):
    once, again = (plots.draw(CASES["shipped"], tmp_path) and contents(tmp_path) for _ in range(2))
    assert once == again and set(once) == {"accuracy.png", "memory.png", "parameters.png"}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "rows", [[], [row("one", 1, 70)], [row("one", 1, 70), row("failed", 2, 80, outcome="failed")]], ids=len
)
def test_less_than_two_that_passed_are_no_picture(rows, tmp_path):
    assert plots.draw(rows, tmp_path) == [] and not [*tmp_path.iterdir()]


def test_without_matplotlib_the_table_says_how_to_get_pictures(tmp_path, monkeypatch, capsys):
    from aistudio.report.tables import conclude
    from aistudio.report.terminal import Terminal

    def without(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    assert conclude(CASES["two"], tmp_path, Terminal())
    assert "pip install 'aistudio[plots]'" in capsys.readouterr().out and (tmp_path / "summary.csv").exists()


DRAW = """
import json
import sys
from pathlib import Path
from aistudio.report import figures, plots
from aistudio.report.summary import Row
plots.draw([Row(**one) for one in json.load(sys.stdin)], Path(sys.argv[1]))
import matplotlib
print(matplotlib.rcParams["text.usetex"])
"""
SETTINGS = {  # what lies in the current folder as matplotlibrc
    "nothing": "",
    "LaTeX": "text.usetex: true\ntext.latex.preamble: \\input{ran}\n",
    "another backend": "backend: module://evil\n",
    "a font": "font.family: evil\nfont.sans-serif: evil\n",
    "a path effect": "path.effects: evil\npath.sketch: 9, 9, 9\n",
    "other colours": "figure.facecolor: red\naxes.prop_cycle: cycler('color', ['r'])\n",
    "no settings": "\x00 [x",
    "a pipe": None,
}


@pytest.mark.parametrize(
    "name", ["LaTeX", *(pytest.param(name, marks=pytest.mark.slow) for name in SETTINGS if name != "LaTeX")]
)
def test_settings_in_the_current_folder_change_nothing(name, tmp_path):
    (tmp_path / "here").mkdir()
    if SETTINGS[name] is None:
        os.mkfifo(tmp_path / "here" / "matplotlibrc")
    else:
        (tmp_path / "here" / "matplotlibrc").write_text(SETTINGS[name])
    (tmp_path / "here" / "evil.py").write_text("open('ran', 'w')")
    for program in ("latex", "dvipng", "kpsewhich"):
        (tmp_path / "here" / program).write_text("#!/bin/sh\ntouch ran\n")
        (tmp_path / "here" / program).chmod(0o755)
    path = f"{tmp_path / 'here'}:{os.environ['PATH']}"
    rows, line = (
        json.dumps([asdict(one) for one in CASES["shipped"]]),
        [sys.executable, "-c", DRAW, str(tmp_path / "out")],
    )
    settings = {"cwd": tmp_path / "here", "env": os.environ | {"PATH": path}, "input": rows.encode()}
    done = subprocess.run(line, **settings, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"False\n" and not (tmp_path / "here" / "ran").exists()
    plots.draw(CASES["shipped"], tmp_path / "usual")
    assert contents(tmp_path / "out") == contents(tmp_path / "usual")


def test_settings_of_who_calls_us_are_as_before_and_draw_nothing(tmp_path):
    import matplotlib

    with matplotlib.rc_context({"text.usetex": True, "figure.facecolor": "red"}):
        plots.draw(CASES["shipped"], tmp_path / "out")
        assert matplotlib.rcParams["text.usetex"] is True and matplotlib.rcParams["figure.facecolor"] == "red"
    plots.draw(CASES["shipped"], tmp_path / "usual")
    assert contents(tmp_path / "out") == contents(tmp_path / "usual")
