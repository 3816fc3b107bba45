"""Pages of runs and sweeps: complete, made of text alone, the same every time, and whole whatever a report holds."""

import os
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import page_reports as pages
import pytest
from PIL import Image

from aistudio.report.html.charts import Axis, Point, curve, front, histogram, scatter
from aistudio.report.html.difference import Job, difference
from aistudio.report.html.images import BUDGET, embedded
from aistudio.report.html.pages import FOLDER, environment, printed
from aistudio.report.html.run_page import run_page
from aistudio.report.html.sweep_page import sweep_page

HERE = Path("sweep")
VOID = {"meta", "link", "img", "br", "input"}


class Reader(HTMLParser):
    """The elements, attributes and text of a page; every element must be closed."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.elements, self.texts, self.identifiers = [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.identifiers += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def assert_inert(page: str) -> None:
    """Nothing in a page runs or is fetched but its own style and script."""
    read = Reader(page)
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert {tag for tag, _ in read.elements}.isdisjoint({"iframe", "object", "embed", "form", "base", "image"})
    assert len(read.identifiers) == len({*read.identifiers})
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset")], attributes
        if source := attributes.get("src"):
            assert source.startswith("data:image/jpeg;base64,")
        if link := attributes.get("href"):
            assert link.startswith(("#r", "./")) or (tag, link) == ("link", "data:,")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ufeff]", page)
    page.encode()  # no half of a surrogate pair


def test_a_run_s_page_says_all_that_its_report_holds():
    report = pages.report()
    text = Reader(run_page(report)).text
    assert "python -m aistudio backbone=mobilenet_v3_small" in text
    for check in report["checks"]:
        assert check["name"] in text and check["why"] in text
        assert (check["seen"] or check["cause"]) in text
    for measurement in report["measurements"]:
        assert measurement["name"].replace("_", " ") in text and measurement["definition"] in text
    for said in (*report["assembled"].values(), *report["versions"].values(), *report["warnings"]):
        assert said in text
    assert report["receipt"]["config_sha256"] in text
    assert "IMAGENET1K_V1" in text and "task.loss.label_smoothing" in text
    assert "a box outside of its image" in text and "weights ledger" in text  # sections of others


def test_what_failed_comes_first_and_is_open():
    elements = Reader(run_page(pages.report())).elements
    checks = [attributes for tag, attributes in elements if tag == "details" and "check" in attributes["class"]]
    assert "failed" in checks[0]["class"] and "open" in checks[0]
    assert not [one for one in checks[1:] if "open" in one]


def test_where_each_value_came_from():
    text = Reader(run_page(pages.report())).text
    assert "said on the command line 1 runtime.seed 0" in text
    assert "conf/backbone/resnet18.yaml" in text
    assert "resolved" in Reader(run_page({**pages.report(), "origins": {}})).text


@pytest.mark.parametrize("verdict", ["refused", "broke", "interrupted", "unfinished"])
def test_a_run_without_a_verdict_says_why(verdict):
    report = {"schema": 1, "verdict": verdict, "reason": "line one\n  line two", "checks": [], "config": {}}
    page = run_page(report)
    assert verdict in Reader(page).text and "line one\n  line two" in page


def test_the_same_report_gives_the_same_bytes(tmp_path):
    save_images(tmp_path, 3)
    assert run_page(pages.report(), *embedded(tmp_path)) == run_page(pages.report(), *embedded(tmp_path))
    assert sweep_page(pages.rows(50), HERE) == sweep_page(pages.rows(50), HERE)


@pytest.mark.parametrize("poison", [*pages.HOSTILE, pages.ALL])
def test_hostile_text_is_text_in_every_field_of_a_run(poison, tmp_path):
    page = run_page(pages.poisoned(pages.report(), poison))
    assert_inert(page)
    shown = " ".join(printed(poison).split())
    assert Reader(page).text.count(shown) > 100


@pytest.mark.parametrize("poison", [*pages.HOSTILE, pages.ALL])
def test_hostile_text_is_text_in_every_field_of_a_sweep(poison):
    words = ("job", "task", "architecture", "backbone", "level", "device", "reason", "folder")
    rows = [replace(row, **dict.fromkeys(words, f"{poison}{index}")) for index, row in enumerate(pages.rows(20))]
    old = [Job(replace(row, outcome="passed"), {poison: poison, "b": poison}) for row in rows]
    changed = difference([Job(row, {poison: "1"}) for row in rows], old, poison)
    page = sweep_page(rows, HERE, title=poison, logs={row.folder: poison for row in rows}, against=changed)
    assert_inert(page)
    assert Reader(page).text.count(" ".join(printed(poison).split())) > 40


def test_a_link_to_a_job_stays_below_the_sweep(tmp_path):
    folders = ("javascript:alert(1)", "../outside", "plain", "a b/c?d#e", "..")
    sweep = tmp_path / "sweep"
    for folder in folders:
        (sweep / folder).mkdir(parents=True, exist_ok=True)
        (sweep / folder / "report.html").write_text("")
    rows = [replace(row, folder=f"{sweep}/{folder}") for row, folder in zip(pages.rows(5), folders, strict=True)]
    links = [attributes["href"] for tag, attributes in Reader(sweep_page(rows, sweep)).elements if tag == "a"]
    own = [link for link in links if not link.startswith("#")]
    assert own == ["./javascript%3Aalert%281%29/report.html", "./plain/report.html", "./a%20b/c%3Fd%23e/report.html"]


def test_every_attribute_in_the_templates_is_quoted():
    for template in FOLDER.glob("*.j2"):
        assert not re.search(r"\s[\w-]+=(?![\"'])\S*\{\{", re.sub(r"\{%.*?%\}", "", template.read_text()))
    assert environment().autoescape is True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\tc", "a\nb\tc"),
        ("\x1b[2K", r"\x1b[2K"),
        ("x\u202egnp", r"x\u202egnp"),
        ("\ud800", r"\ud800"),
        ("é画 ", "é画 "),
    ],
)
def test_what_would_act_unseen_is_shown(text, shown):
    assert printed(text) == shown


def test_a_text_without_end_is_cut_and_says_so():
    assert printed("x" * 100_000).endswith("… and 92,000 more characters")
    huge = {"verdict": "broke", "reason": "y" * 30_000_000, "warnings": ["z" * 10_000_000] * 3}
    assert len(run_page(huge)) < 100_000


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_anything_may_be_missing_or_of_another_type(every):
    mutilated = [broken for _, broken in pages.mutilated(pages.report())]
    assert len(mutilated) > 700
    for broken in mutilated[::every]:
        Reader(run_page(broken))
    for whole in (None, [], "text", 3, {}, {"checks": [{}]}, {"measurements": [{}]}):
        assert_inert(run_page(whole))


def test_numbers_that_are_none():
    nan, infinite = float("nan"), float("inf")
    report = pages.report()
    report["measurements"] = [
        {"name": f"m{index}", "value": value, "unit": unit, "definition": "", "low": low, "high": infinite}
        for index, (value, unit, low) in enumerate(
            [(nan, "s", 0), (infinite, "bytes", nan), (-infinite, "", 1), (None, "s", 1)]
        )
    ]
    report["checks"][-1]["losses"] = [nan, 1.0, infinite, 0.5, None, "x"]
    text = Reader(run_page(report)).text
    assert "m0 NaN" in text and "m1 ∞" in text and "m2 −∞" in text and "m3 not known" in text
    values = (nan, infinite, -infinite, 0.0, -1.0, 1e308, 5e-324)
    names = (
        "forward",
        "forward_low",
        "images_per_second",
        "images_per_second_high",
        "peak_memory",
        "top1",
        "parameters",
    )
    for name in names:
        rows = [replace(row, **{name: value}) for row, value in zip(pages.rows(7), values, strict=True)]
        assert "nan" not in re.sub(r"data-v=\"[^\"]*\"", "", sweep_page(rows, HERE)).lower()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_sweep_of_few_rows(count):
    page = sweep_page(pages.rows(count), HERE)
    assert_inert(page)
    assert page.count("<tr id=") == count


def test_a_thousand_rows_are_quick_and_small():
    rows = pages.rows(1000)
    started = time.process_time()
    page = sweep_page(rows, HERE)
    assert time.process_time() - started < 2
    assert len(page.encode()) < 2_000_000
    assert page.count("<tr id=") == 1000


@pytest.mark.slow
def test_ten_thousand_rows_are_all_there():
    page = sweep_page(pages.rows(10_000), HERE)
    assert page.count("<tr id=") == 10_000 and len(page) < 15_000_000


def test_three_hundred_checks_and_long_names():
    report = pages.report()
    report["checks"] = [{**report["checks"][index % 11], "name": f"{index:03}" + "n" * 297} for index in range(300)]
    page = run_page(report)
    assert page.count('class="check ') == 300 and len(page) < 1_000_000


def save_images(folder, count, size=(448, 480)):
    for index in range(count):
        noise = Image.effect_noise(size, 90 + index)
        Image.merge("RGB", [noise, noise.rotate(90).resize(size), noise]).save(folder / f"{index}.png")


def test_images_stay_within_their_budget(tmp_path):
    save_images(tmp_path, 14)
    images, note = embedded(tmp_path)
    assert [one.name for one in images] == [f"{index}.png" for index in range(12)] and note.startswith("2 more")
    assert sum(len(one.address) for one in images) <= BUDGET
    page = run_page(pages.report(), images, note)
    assert len(page.encode()) < 1_000_000 and page.count("<img ") == 12
    assert_inert(page)


def test_an_image_that_was_drawn_again_is_read_again(tmp_path):
    save_images(tmp_path, 1)
    (first,), _ = embedded(tmp_path)
    assert embedded(tmp_path)[0] == [first]
    Image.new("RGB", (448, 480), (9, 9, 9)).save(tmp_path / "0.png")
    assert embedded(tmp_path)[0] != [first]


def test_images_that_cannot_be_read_are_left_out(tmp_path):
    save_images(tmp_path, 1)
    (tmp_path / "1.png").write_bytes(b"no image")
    (tmp_path / "2.png").write_bytes((tmp_path / "0.png").read_bytes()[:2000])
    (tmp_path / "3.svg").write_text("<svg onload=alert(1)>")
    Image.new("1", (30_000, 30_000)).save(tmp_path / "4.png")
    (tmp_path / "5.png").symlink_to(tmp_path / "0.png")
    os.mkfifo(tmp_path / "6.png")  # opening it would wait for ever
    images, note = embedded(tmp_path)
    assert [one.name for one in images] == ["0.png"] and note.startswith("3 more")
    assert embedded(tmp_path / "nowhere") == ([], "")


def test_an_axis_has_round_ticks_inside_it():
    for low, high, log in ((0, 1, False), (0.0012, 0.0019, False), (-5, 5, False), (3, 40_000, True), (7, 7.5, True)):
        ticks = Axis(low, high, 0, 100, log).ticks()
        assert 2 <= len(ticks) <= 6 and all(0 <= place <= 100 for place, _ in ticks)
    assert [words for _, words in Axis(0, 10, 0, 100).ticks()] == ["0", "2", "4", "6", "8", "10"]


def test_a_curve_and_a_histogram_are_what_they_are_drawn_from():
    drawn = curve([4.0, 2.0, 1.0])
    assert [x for x, _ in drawn.points] == [44, 187, 330] and drawn.points[0][1] == 10 and drawn.points[1][1] == 68
    assert curve([1.0]) is None and curve([float("nan"), 1.0]) is None
    bars = histogram([1, 3], 0, 2).bars
    assert bars[1][3] == 3 * bars[0][3] or abs(bars[1][3] - 3 * bars[0][3]) < 0.3
    assert "75.0 %" in bars[1][4]
    assert histogram([], 0, 1) is None and histogram([1], 1, 1) is None and histogram([0, 0], 0, 1) is None


def test_the_front_is_what_no_other_point_beats():
    points = [
        Point(index, str(index), "", x, y) for index, (x, y) in enumerate([(1, 9), (2, 8), (2, 7), (3, 8), (4, 1)])
    ]
    assert {one.key for one in front(points)} == {0, 3, 4}
    assert {one.key for one in front(points, less=True)} == {4}
    marks = scatter("t", "x", "y", points).marks
    assert [mark.point.key for mark in marks if mark.front] == [0, 3, 4]


def test_a_busy_machine_has_no_front():
    quiet = [row for row in pages.rows(12) if row.outcome == "passed"]
    busy = sweep_page([replace(row, taken=40.0) for row in quiet], HERE)
    assert 'class="front"' in sweep_page(quiet, HERE)
    assert 'class="front"' not in busy and "point best" not in busy and "the machine was busy: no front" in busy


def test_what_a_training_did_to_the_metrics_is_told():
    report = pages.report()
    report["checks"][-1]["metrics"] = {"accuracy": [0.25, 0.875], "odd": [1], "none": None}
    page = Reader(run_page(report)).text
    assert "accuracy 0.25 before, 0.875 after" in page and "odd 1" not in page


def test_rows_that_did_not_pass_are_together_with_their_reasons():
    rows = pages.rows(70)
    page = Reader(sweep_page(rows, HERE)).text
    assert page.count("RuntimeError: backbone_00") == 1 + 10  # once on the wall, once in each row
    assert "broke 10" in page and "failed 10" in page
