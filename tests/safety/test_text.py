"""What is shown is text: whatever strangers' names and messages hold, nothing of it is obeyed or hidden."""

import contextlib
import csv
import html.parser
import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import yaml

from aistudio.cli.main import main
from aistudio.errors import Problem, refusal_text
from aistudio.report import summary
from aistudio.report.files import as_json as report_json
from aistudio.report.files import without_verdict
from aistudio.report.records import CheckResult, Measurement, SanityReport
from aistudio.report.terminal import Terminal
from aistudio.safety.outlet import Outlet, as_json, as_yaml
from aistudio.safety.text import in_csv, in_json, in_markdown, is_hidden, visible

HOSTILE = {
    "a colour": "x\x1b[31mred\x1b[0m",
    "a cleared screen": "x\x1b[2J\x1b[H",
    "a title": "x\x1b]0;owned\x07",
    "the clipboard": "x\x1b]52;c;cm0gLXJm\x07",
    "a link": "x\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "a device control string": "x\x1bPq#0\x1b\\",
    "a report of the cursor": "x\x1b[6n",
    "C1 CSI": "x\x9b31m",
    "C1 OSC": "x\x9d0;owned\x9c",
    "a bell": "x\x07",
    "backspaces": "fail\b\b\b\bpass",
    "a carriage return": "FAILED\rPASSED",
    "NUL": "x\x00y",
    "DEL": "x\x7fy",
    "shift out": "x\x0ey",
    "a form feed": "x\x0cy",
    "a vertical tab": "x\x0by",
    "a record separator": "x\x1ey",
    "next line": "x\x85y",
    "a line": "x\n  instead  rm -rf /",
    "a line separator": "x\u2028y",
    "a paragraph separator": "x\u2029y",
    "a tab": "x\ty",
    "right to left override": "x\u202egnp.exe",
    "left to right override": "x\u202dy",
    "embeddings": "x\u202a\u202b\u202cy",
    "isolates": "x\u2066\u2067\u2068\u2069y",
    "marks": "x\u200e\u200f\u061cy",
    "zero widths": "res\u200bnet\u200c\u200d\u2060\ufeff18",
    "a soft hyphen": "res\xadnet18",
    "invisible operators": "x\u2061\u2062\u2063\u2064y",
    "deprecated controls": "x\u206a\u206fy",
    "tags": "x\U000e0001\U000e0041y",
    "selectors": "x\ufe00\U000e0100y",
    "fillers": "x\u3164\u115f\uffa0\u2800y",
    "a joiner": "x\u034fy",
    "annotations": "x\ufff9\ufffa\ufffby",
    "private": "x\ue000\U000f0000y",
    "no character": "x\uffff\ufffe\U0001ffffy",
    "a lone surrogate": "x\ud800y",
    "a low surrogate": "x\udcffy",
    "a pair the wrong way round": "x\udc00\ud800y",
    "markup that closes": "x[/y]",
    "markup": "[red]x[/red]",
    "markup that links": "[link=http://evil]x[/link]",
    "markup that acts": "[@click=app.quit]x[/]",
    "an emoji's name": ":skull:",
    "a backslash and a bracket": "x\\[/]",
    "a half formula": "$\\frac{x$",
    "one dollar": "x$",
    "a formula": "$x^2$",
    "HTML": "<img src=x onerror=alert(1)>",
    "a comment": "<!-- x",
    "an entity": "&lt;b&gt;",
    "the end of CDATA": "x]]>y",
    "a pipe": "a|b",
    "a link of Markdown": "[click](javascript:alert(1))",
    "a picture": "![x](http://evil/track.png)",
    "a bare link": "http://evil.example",
    "a mention": "@everyone",
    "code": "`x`",
    "emphasis": "**x** _y_ ~~z~~",
    "a backslash and a pipe": "a\\|b",
    "a sum": "=1+1",
    "a command": "=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "minus": "-1+cmd",
    "at": "@SUM(1+1)",
    "a blank before a sum": " =1+1",
    "a wide equals sign": "＝1+1",
    "quotes": "\"'x",
    "an attribute": "x' onload='y",
    "a template": "{x} {0} %s %(x)s ${x}",
}
HEALTHY = [
    "resnet50",
    "größe",
    "Модель",
    "模型",
    "モデル 1",
    "a-b_c.d",
    "τ=0.5 ± 2 %",
    "✓ ok",
    "x (y), z: 1 → 2",
    "",
    "⚠️",
]
every = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def harmless(text, lines="\n"):
    """Nothing in a text is obeyed by a terminal or hidden from a reader, nor beyond what UTF-8 can hold."""
    return not [char for char in text if char not in lines and is_hidden(char)]


def report(text):
    """A run in which a stranger chose every word."""
    check = CheckResult(text, text, "failed", text, text, text, 0.1)
    config = {group: {"name": text} for group in ("task", "architecture", "backbone")}
    config["sanity"] = {"level": text, text: [text]}
    measured = (Measurement(text, 1.0, text, text), Measurement("forward", 0.1, "s", "", 0.1, 0.2))
    checks = (check, CheckResult("skipped", "", "skipped", cause=text))
    return SanityReport(config, {text: text}, checks, measured, {text: text}, 1.0, (text,), {text: text})


@every
def test_hidden_characters_are_written_out(text):
    assert harmless(visible(text), "") and harmless(visible(text, lines=True), "\n\t")
    assert visible(visible(text)) == visible(text)
    if harmless(text, ""):
        assert visible(text) == text


@pytest.mark.parametrize("text", HEALTHY)
def test_what_is_healthy_stays_as_it_is(text):
    assert visible(text) == in_json(text) == in_csv(text) == text
    assert refusal_text([Problem(text, text, text, text)]).splitlines()[:1] == [text] * bool(text)


@pytest.mark.sampled(12)
@every
def test_a_refusal_has_the_lines_that_it_has(text):
    answer = refusal_text([Problem(text, text, text, text), Problem(text, text, text, text), Problem(text)])
    assert harmless(answer) and len(answer.splitlines()) == 6


@every
@pytest.mark.sampled(24)
@pytest.mark.parametrize("draws", [False, True], ids=["into a file", "on a terminal"])
def test_a_run_is_shown_as_text(text, draws, monkeypatch):
    from rich.console import Console

    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    terminal = Terminal(Console(file=file, force_terminal=True, width=400, markup=False)) if draws else Terminal()
    terminal.head(text, text, text)
    terminal.sweep(2, 1, 0, Path(text))
    terminal.assembled({text: text})
    for check in report(text).checks:
        terminal.checked(check)
    terminal.started(text)
    terminal.measured(report(text).measurements)
    terminal.ended(report(text))
    terminal.files([Path(text)])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
    assert harmless(shown) and shown.count("FAILED  ") >= 1
    if draws:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", visible(text))
        assert plain in shown


@pytest.mark.sampled(12)
@every
def test_files_of_json_and_yaml_hold_it_as_it_is(text):
    for document in (report_json(report(text)), without_verdict("broke", text, {text: text}), as_json([text])):
        assert harmless(document), "and are text themselves"
    read = json.loads(report_json(report(text)))
    assert read["checks"][0]["name"] == read["config"]["sanity"][text][0] == read["warnings"][0] == text
    document = as_yaml({"x": text, "y": [text]})
    assert harmless(document)
    with contextlib.suppress(UnicodeEncodeError):
        text.encode()
        assert yaml.safe_load(document) == {"x": text, "y": [text]}


def test_json_has_no_numbers_that_are_none():
    document = as_json({"a": [float("nan"), float("inf"), -float("inf"), 1.5], 1: None})
    assert json.loads(document, parse_constant=pytest.fail) == {"a": [".nan", ".inf", "-.inf", 1.5], "1": None}


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)

    def handle_comment(self, data):
        self.found.append(data)


def sweep_of(folder, text):
    """Three reports of a stranger's, two of them fit for pictures."""
    for index, outcome in enumerate(("passed", "passed", "failed")):
        parts = json.loads(report_json(report(text)))
        parts["verdict"] = outcome
        parts["measurements"] += [{"name": "parameters", "value": index + 5, "low": None, "high": None}]
        parts["config"]["backbone"]["published"] = {"top1": 70 + index}
        parts["config"]["backbone"]["name"] = text * (index + 1)
        (folder / str(index)).mkdir(parents=True)
        (folder / str(index) / "report.json").write_text(in_json(json.dumps(parts)))


@pytest.mark.sampled(12)
@every
def test_a_summary_shows_it_as_text(text, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("aistudio.report.plots.draw", lambda rows, folder: [])
    sweep_of(tmp_path, text)
    assert main(["summarize", str(tmp_path)]) == 1
    assert harmless(capsys.readouterr().out)
    for name in ("summary.csv", "summary.md", "summary.json"):
        assert harmless((tmp_path / name).read_text(encoding="utf-8")), name
    rows = [*csv.DictReader(io.StringIO((tmp_path / "summary.csv").read_text(encoding="utf-8")))]
    if re.search("[\ud800-\udfff]", text):  # no text: such a report is not read
        assert [row["outcome"] for row in rows] == ["unreadable"] * 3
        return
    assert len(rows) == 3 and rows[0]["parameters"] == "5"
    for value in (value for row in rows for value in row.values()):
        assert not value.lstrip().startswith(("=", "+", "-", "@", "＝"))
    assert rows[0]["task"].removeprefix("'") == visible(text)
    markdown = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in markdown.splitlines()[:5]] == [10] * 5
    assert sum(bool(line) for line in markdown.splitlines()) == 6
    tags = Tags()
    tags.feed(markdown)
    assert not tags.found and not re.search(r"(?<!\\)\]\(", markdown) and "http://evil" not in markdown
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["rows"][0]["task"] == text


@pytest.mark.parametrize("name", ["a half formula", "one dollar", "a line", "a title", "markup", "NUL"])
def test_pictures_are_drawn_whatever_the_names(name, tmp_path):
    from aistudio.report import plots

    sweep_of(tmp_path, HOSTILE[name])
    assert len(plots.draw(summary.rows([tmp_path]), tmp_path)) >= 1


def test_plain_numbers_stay_numbers_in_a_table():
    assert [in_csv(value) for value in (-1.5, 0, None, True, "a-b", "1e-3")] == [-1.5, 0, None, True, "a-b", "1e-3"]
    assert [in_csv(text)[0] for text in ("-1", "=x", "\tx", "\rx", "@x", "+x", "  =x")] == ["'"] * 7


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "a_b_c", "x (y)", "1.5 → 2", "größe: 3, 4"])
def test_healthy_names_stay_as_they_are_in_markdown(name):
    assert in_markdown(name) == name


@pytest.mark.sampled(12)
@every
def test_ci_formats_hold_it_as_text(text, tmp_path, monkeypatch):
    from aistudio.report.ci import Judgement, as_junit, as_sarif

    monkeypatch.chdir(tmp_path)
    judgements = [Judgement(text, None, [Problem(text, text, text, text)])]
    with contextlib.suppress(OSError, ValueError, UnicodeError):  # not every text can be a file's name
        path = tmp_path / f"{text.replace('/', '_')} #?%.yaml"
        path.write_text("x: 1")
        judgements.append(Judgement(text, path, [Problem(text, text, text, text)]))
    junit, sarif = as_junit(judgements), as_sarif(judgements, "1")
    assert harmless(junit) and harmless(sarif)
    case = ElementTree.fromstring(junit)[0]
    assert case.get("name") == case[0].get("message") == visible(text)
    for result in json.loads(sarif)["runs"][0]["results"]:
        assert harmless(result["message"]["text"])
        for place in result["locations"]:
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"(?:[\w.~/:-]|%[0-9A-F]{2})+", uri, re.ASCII), uri


@pytest.mark.sampled(12)
@every
def test_what_is_printed_past_all_that_is_text_too(text):
    file = io.StringIO()
    print(text, file=Outlet(file))
    assert harmless(file.getvalue(), "\n\t")
    progress = Outlet(file := io.StringIO())
    progress.write("\r 50 %")
    progress.writelines(["\r100 %", "\r\n"])
    assert file.getvalue() == "\r 50 %\r100 %\n" or file.getvalue() == "\r 50 %\r100 %\r\n"


@pytest.mark.sampled(8)
@every
def test_names_in_a_configuration_are_refused_in_text(text, tmp_path, cli, no_torch):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    said = {"task": {"image_size": text, "strange": {text: text}}, "runtime": {"device": text}, text: 1}
    lines = "# @package _global_\n" + yaml.safe_dump(said)
    (tmp_path / "conf" / "experiment" / "x.yaml").write_text(lines)
    code, answer = cli("--config-dir", str(tmp_path / "conf"), "experiment=x")
    assert code == 2 and harmless(answer) and "Traceback" not in answer, answer


def test_every_text_for_the_terminal_is_made_in_one_place():
    package = Path(summary.__file__).parent.parent
    makers = {path.name for path in package.rglob("*.py") if re.search(r"(?<![\w.])Text\(", path.read_text("utf-8"))}
    assert makers == {"terminal.py"}
    report_file = (package / "report" / "terminal.py").read_text("utf-8")
    assert len(re.findall(r"(?<![\w.])Text\(", report_file)) == 1


def test_progress_shows_the_names_of_jobs_as_text(monkeypatch):
    from aistudio.jobs.progress import Progress

    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    for text in HOSTILE.values():
        row = SimpleNamespace(outcome="failed", reason=f"{text}|", seconds=1.0, folder=f"a/{text}")
        progress = Progress([Path("x")], Terminal())
        progress.reports.clear()
        progress.tell(row)
    assert harmless(file.getvalue())
