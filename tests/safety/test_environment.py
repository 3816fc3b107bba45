"""What a configuration asks of the environment leaves by no way, and what it does not ask for stays as it is."""

import io
import json
import os
import subprocess
import sys
import traceback

import pytest
import yaml
from omegaconf import OmegaConf

from aistudio.safety import environment
from aistudio.safety.environment import remember, scrub, scrubbed
from aistudio.safety.outlet import Outlet, as_json, as_yaml, said

SECRET = "hunter2-Zq"
ASKS = "${oc.env:SECRET}"


@pytest.fixture
def asked(monkeypatch):
    """Sets variables and asks for them."""

    def ask(value, name="SECRET"):
        monkeypatch.setenv(name, value)
        remember(name)

    return ask


FORMS = {
    "bare": "{}",
    "in a word": "x{}y",
    "quoted": "{!r}",
    "in capitals": "HUNTER2-ZQ",
    "in small letters": "hunter2-zq",
    "in a path": "/opt/{}/x.yaml",
    "twice": "{0}{0}",
    "in a key": "task.{}.x is unknown",
    "after an escape": "\\{}",
    "in markup": "[{}]",
    "in an interpolation": "${{{}}}",
    "in a call": "${{oc.env:{}}}",
    "in a default": "${{oc.env:SECRET,{}}}",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_value_is_replaced_in_whatever_form(form, asked):
    asked(SECRET)
    text = form.format(SECRET)
    assert "hunter2" not in scrub(text).lower() and ASKS in scrub(text)
    assert scrub(scrub(text)) == scrub(text)


VALUES = {
    "with quotes": "a'b\"c'dd",
    "with a backslash": "a\\b\\cdef",
    "with lines": "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n",
    "with control characters": "ab\x1b]0;cd\x07ef",
    "with letters beyond ASCII": "gehéim ßtraße 秘密秘密",
    "with brackets": "a]b[c(d){e}",
    "with HTML": "a<b>&c&d",
    "with what a pattern means": "a.*b+c?^$|",
    "with blanks around": "  hunter2  ",
    "with a dollar": "$ecret${x}",
    "with underscores": "my_secret_word",
    "with capitals": "HuNTeR2x",
    "of numbers": "31415926535",
    "with tabs": "hunter\ttwo\tthree",
    "with a lone surrogate": "hunter\udcff22",
    "long": "s3" * 5000,
    "with an emoji": "hunter💥two",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_whatever_the_value_holds(value, monkeypatch):
    monkeypatch.setitem(environment.ASKED, "SECRET", value)
    tree = {"x": value, "y": [f"a {value} b", value.upper()], "z": {"w": value}}
    written = [as_json(tree), as_yaml(tree), said(value), said(value, lines=True), scrub(repr(value)), said(tree)]
    file = io.StringIO()
    try:
        raise ValueError(value)
    except ValueError:
        traceback.print_exc(file=Outlet(file))
    print(value, file=Outlet(file))
    written += [file.getvalue(), scrub(json.dumps(value)), scrub(yaml.safe_dump(value, width=10**6))]
    inner = value.strip().splitlines()[len(value.strip().splitlines()) // 2]
    for text in written:
        assert value.strip() not in text and inner not in text and "oc.env:SECRET" in text, text[:300]
    assert json.loads(as_json(tree))["x"].strip() == ASKS


def test_parts_that_are_shown_alone_are_replaced_too(asked):
    asked("postgres://admin:correcthorse@database-7.example/x", "DSN")
    asked("/srv/customers/acme-turbines", "DATA")
    for text in ("correcthorse", "host database-7.example", "database-7", "no folder acme-turbines here"):
        assert "oc.env" in scrub(text) or text == "database-7", text
    assert scrub("/srv/customers/other and x") == "/srv/customers/other and x"


HEALTHY = (
    "backbone resnet50, weights: IMAGENET1K_V1; task classification: 10 outputs at 224 px on cpu, float32, true "
    "1.0 12 100 /usr/lib/python3.12/site-packages/torch/nn/modules/module.py line 1234 passed failed 0.1234 a b report"
)
COMMON = ["", "1", "0", "a", "on", "cpu", "/", "224", "true", "True", "null", "resnet50", "classification", "passed"]
COMMON += ["float32", "IMAGENET1K_V1", "torch", "1.0", "failed", "12", "0.1", "   ", "\n", "auto", "quick", "/usr:/bin"]


@pytest.mark.sampled(8)
@pytest.mark.parametrize("value", COMMON)
def test_short_and_common_values_make_no_garbage(value, asked):
    asked(value)
    assert scrub(HEALTHY) == HEALTHY


def test_what_nobody_asked_for_stays(monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    assert scrub(f"x {SECRET}") == f"x {SECRET}" and scrub(HEALTHY) == HEALTHY


def test_a_home_and_a_path_stay_readable(asked):
    asked("/home/engineer", "HOME")
    asked("/usr/local/bin:/usr/bin:/bin:/usr/lib/python3.12/site-packages", "PATH")
    text = 'File "/usr/lib/python3.12/site-packages/torch/x.py" /usr/bin/env /home/engineer/runs'
    assert scrub(text) == text.replace("/home/engineer", "${oc.env:HOME}")


def test_a_number_is_replaced_only_where_it_stands_alone(asked):
    asked("31337", "SIZE")
    assert scrub("31337 px, 313370, 0.31337, 31337.5, x31337") == "${oc.env:SIZE} px, 313370, 0.31337, 31337.5, x31337"
    assert scrubbed({"seconds": 31337, "n": [31337.0, True, None]}) == {"seconds": 31337, "n": [31337.0, True, None]}


def test_a_secret_in_another_and_names_that_are_values(asked):
    asked("hunter2", "SHORT")
    asked("hunter2-and-more", "LONG")
    asked("SHORT", "NAME")
    asked("env:LONG", "CALL")
    assert (
        scrub("hunter2-and-more hunter2")
        == "${oc.env:LONG} ${oc.env:SHORT}"
        == scrub(scrub("hunter2-and-more hunter2"))
    )
    asked("quoted", "a b'c")
    assert scrub("quoted") == "${oc.env:'a b\\'c'}"


def test_whoever_asks_is_remembered_also_by_a_name_that_is_made_up(monkeypatch):
    import aistudio.config.trust  # noqa: F401

    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("WHICH", "SECRET")
    config = OmegaConf.create({"a": "${oc.env:${oc.env:WHICH}}", "b": "${oc.${c}:SECRET}", "c": "env"})
    assert config.a == config.b == SECRET and scrub(SECRET) == ASKS
    assert OmegaConf.create({"a": "${oc.env:NOT_SET,x}"}).a == "x"


PLACES = {  # what an experiment says, and a word that the answer must hold where one is expected
    "a task's name": "task: {{name: '{0}'}}",
    "a backbone's name": "backbone: {{name: '{0}'}}",
    "an architecture's name": "architecture: {{name: '{0}'}}",
    "part of a name": "backbone: {{name: 'x{0}y'}}",
    "weights": "backbone: {{weights: 'x{0}'}}",
    "a size": "task: {{image_size: '{0}'}}",
    "a device": "runtime: {{device: '{0}'}}",
    "a precision": "runtime: {{precision: '{0}'}}",
    "a target": "task: {{loss: {{_target_: '{0}'}}}}",
    "an optimiser": "architecture: {{learning: {{optimizer: {{lr: '{0}'}}}}}}\nruntime: {{seed: x}}",
    "a key that is asked for": "runtime: {{seed: '${{task.{0}}}'}}",
    "a node that is asked for": "runtime: {{seed: '${{{0}}}'}}",
    "a variable that is asked for": "runtime: {{seed: '${{oc.env:{0}}}'}}",
    "a resolver": "runtime: {{seed: '${{{0}:x}}'}}",
    "a defaults list": "defaults: [{{override /task: '{0}'}}]",
    "a backbone that is chosen": "defaults: [{{override /backbone: '{0}'}}]",
    "an option of a group": "defaults: ['/task/{0}@x']",
    "a launcher": "defaults: [{{override /hydra/launcher: '{0}'}}]",
    "a rule": "task: {{rules: {{backbones: {{allow: [x], because: '{0}'}}}}}}",
    "an alternative": "task: {{rules: {{backbones: {{allow: ['{0}'], because: x}}}}}}",
    "a check's why": "sanity: {{checks: {{overfits_one_batch: {{why: '{0}'}}}}}}\nruntime: {{seed: x}}",
    "a run's folder": "hydra: {{run: {{dir: '{0}'}}}}",
    "a job's name": "hydra: {{job: {{name: '{0}'}}}}",
    "the help": "hydra: {{help: {{template: '{0}'}}}}\nruntime: {{seed: x}}",
    "a folder of pictures": "defaults: [{{override /data: images}}]\ndata: {{root: '/none/{0}'}}",
    "a way around the resolver": "runtime: {{device: '${{oc.select:task.x,{0}}}'}}",
    "a default of the same": "runtime: {{device: '${{oc.env:NOT_SET,{0}}}'}}",
    "a decoded list": "runtime: {{device: '${{oc.decode:{0}}}'}}",
}


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    monkeypatch.setenv("SECRET", SECRET)

    def write(text, name="x"):
        (tmp_path / "conf" / "experiment" / f"{name}.yaml").write_text(
            f"# @package _global_\n{text}\n", encoding="utf-8"
        )
        return "--config-dir", str(tmp_path / "conf"), f"experiment={name}"

    return write


@pytest.mark.sampled(12)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("more", [(), ("-m", "runtime.threads=1,2"), ("rules",)], ids=["run", "sweep", "rules"])
def test_refusals_hold_no_secret(place, more, experiment, cli, no_torch, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    files = ("--junit", "a.xml", "--sarif", "a.json") if more == ("rules",) else ()
    try:
        _, answer = cli(*more, *experiment(PLACES[place].format(ASKS)), *files)
    except Exception:
        answer = scrub(traceback.format_exc())
    left = [path for path in tmp_path.rglob("*") if path.is_file() and "conf" not in path.parts]
    answer += out.getvalue()
    for text in (answer, *(path.read_text(encoding="utf-8") for path in left)):
        assert "hunter2" not in text.lower(), text


LINES = [
    ("--help",), ("--cfg", "job"), ("--cfg", "job", "--resolve"), ("--cfg", "hydra", "--resolve"),
    ("--info", "defaults"), ("--cfg", "all", "--resolve"), ("--info", "all"),
]  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_looking_at_a_configuration_shows_no_secret(line, experiment, tmp_path):
    text = f"sanity: {{level: '{ASKS}'}}\nhydra: {{help: {{template: 'help {ASKS} \\e]0;x\\a'}}, job: {{name: x}}}}"
    said = experiment(text.replace("'help", '"help').replace("\\a'", '\\a"'))
    command = [sys.executable, "-m", "aistudio", *said, *line]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "COLUMNS": "20"})
    assert "hunter2" not in done.stdout + done.stderr and "\x1b]" not in done.stdout
    assert ASKS in done.stdout.replace("\n", "") or line[0] == "--info" or "hydra" in line


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "line",
    ["backbone.name=", "task=", "backbone=", "runtime.device=", "task.image_size=", "~", "experiment=", "nothing.",
     "+x=", "hydra/launcher=", "backbone.weights=", "runtime.seed=choice", "data.root="],
)  # fmt: skip
def test_what_a_person_typed_is_said_as_it_was_typed(line, cli, no_torch, monkeypatch):
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    monkeypatch.setenv("SECRET", SECRET)
    for flags in ((), ("-m",), ("rules",)):
        try:
            code, answer = cli(*flags, f"{line}{ASKS}", "runtime.threads=x")
        except Exception:
            code, answer = 2, scrub(traceback.format_exc())
        assert code == 2 and "hunter2" not in (answer + out.getvalue()).lower(), answer


FORGED = ["{task: [backbone=evil]}", "{task: []}", "{hydra: [], task: ['x y']}", "{task: null}", "{task: x}", "null"]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("more", [(), ("runtime.seed=0,1",)], ids=["one", "several"])
def test_a_file_does_not_say_what_the_command_line_said(forged, more, experiment, cli, no_torch):
    code, answer = cli("rules", *more, *experiment(f"hydra: {{overrides: {forged}}}"))
    if forged != "{task: []}":
        assert code == 2 and "Traceback" not in answer, answer


@pytest.mark.slow
def test_a_whole_run_leaves_no_secret(tmp_path, experiment):
    """By every way at once, in one process, in a sweep's own and in one that is isolated."""
    text = (
        f"backbone: {{weights: null}}\n"
        f"sanity: {{level: 'x{ASKS}', checks: {{overfits_one_batch: {{why: '{ASKS}'}}, "
        f"other: {{_target_: aistudio.checks.Gradients, why: 'a {ASKS} b'}}}}}}\n"
        f"task: {{loss: {{_target_: torch.nn.CrossEntropyLoss, reduction: '{ASKS}'}}}}"
    )
    shared = [*experiment(text), "sanity=quick", "backbone=mobilenet_v3_small", "runtime.threads=1"]
    shared += ["sanity.image_size=64", "task.image_size=64"]
    for flags, where in (
        ((), ["hydra.run.dir=run"]),
        (("-m",), ["hydra.sweep.dir=sweep"]),
        (("-m",), ["hydra.sweep.dir=apart", "sweep.timeout=100"]),
    ):
        command = [sys.executable, "-m", "aistudio", *flags, *shared, *where]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert done.returncode in (1, 2) and "hunter2" not in done.stdout + done.stderr, done.stderr
    reports = 0
    for path in (path for path in tmp_path.rglob("*") if path.is_file() and "conf" not in path.parts):
        assert b"hunter2" not in path.read_bytes().lower(), path
        reports += path.name == "report.json"
    assert reports == 3
