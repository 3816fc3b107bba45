"""What is judged is what is built: a configuration is resolved once, and nothing in it is interpreted again."""

import copy
import json
import sys

import pytest
from omegaconf import OmegaConf

from aistudio import Refusal
from aistudio.config import trust
from aistudio.config.compose import Settled, compose, settle
from aistudio.config.interpolations import resolver_problems

HUB = "{_target_: torch.hub.load, repo_or_dir: ., model: entry, source: local, trust_repo: true}"
OTHER = '"${oc.env:NOPE,evil}": torch.nn.MSELoss'  # what was judged in the place of ``evil``
CHOSEN = "{_target_: '${backbone.published[${oc.env:NOPE,evil}]}'"
KNOWN = {  # an experiment and a backbone: once built, each was something else than what was judged
    "decoded": (f"task: {{loss: {{weight: \"${{oc.decode:${{oc.env:NOPE,'{HUB}'}}}}\"}}}}", ""),
    "created": ("task: {loss: {weight: \"${oc.create:${oc.env:NOPE,'{_target_: evil.Check}'}}\"}}", ""),
    "chosen by the environment": (f"task: {{loss: {CHOSEN}}}}}", f"{{evil: evil.Check, {OTHER}}}"),
    "chosen, to write": (
        f"task: {{loss: {CHOSEN}, _args_: [{{_target_: torch.nn.MSELoss}}, x]}}}}",
        f"{{evil: pathlib.Path.write_text, {OTHER}}}",
    ),
    "chosen, in place of a mapping": (
        "task: {loss: {weight: '${backbone.published[${oc.env:NOPE,evil}]}'}}",
        f"{{evil: {HUB}, {OTHER}}}",
    ),
}
BACKBONE = "name: x\nmodel: {_target_: torchvision.models.mobilenet_v3_small, weights: null}\npublished: "
REFUSED = {  # the value of task.loss.weight
    "decode": "${oc.decode:5}",
    "decode, with blanks": "${ oc.decode : 5}",
    "decode in a text": "a${oc.decode:5}b",
    "decode, the second": "${runtime.seed}${oc.decode:5}",
    "decode as an argument": "${oc.env:NOPE,${oc.decode:5}}",
    "decode in a key": "${task[${oc.decode:name}]}",
    "decode in quotes": "${oc.env:NOPE,'${oc.decode:5}'}",
    "decode in two sorts of quotes": "${oc.env:NOPE,\"x ${oc.env:N,'${oc.decode:5}'}\"}",
    "decode of the environment": "${oc.decode:${oc.env:HOLDS}}",
    "create": "${oc.create:${task.loss}}",
    "create of a mapping": "${oc.create:{_target_: evil.Check}}",
    "deprecated": "${oc.deprecated:task.name}",
    "deprecated, with words": "${oc.deprecated:task.name,'$OLD_KEY'}",
    "keys": "${oc.dict.keys:task}",
    "values": "${oc.dict.values:task}",
    "the time": "${now:%Y}",
    "Hydra's": "${hydra:runtime.cwd}",
    "Python's version": "${python_version:minor}",
    "a resolver of an application": "${mine:5}",
    "the same without arguments": "${mine:}",
    "the same as a default": "${oc.select:nope,${mine:5}}",
    "unknown": "${nobody:5}",
    "a capital": "${OC.decode:5}",
    "a longer name": "${oc.env.x:5}",
    "a shorter name": "${oc:5}",
    "a name by interpolation": "${${runtime.device}:5}",
    "a part of a name": "${oc.${task.name}:5}",
    "the first part": "${${task.name}.decode:5}",
    "a name from the environment": "${${oc.env:HOLDS}:5}",
    "a mapping": "${oc.select:nope,{a: b}}",
    "a target": "${oc.select:nope,{_target_: evil.Check}}",
    "a list": "${oc.select:nope,[1,2]}",
    "an empty mapping": "${oc.select:nope,{}}",
    "a mapping that holds more": "${oc.select:nope,{a: '\\${mine:5}'}}",
    "a mapping in a list": "${oc.select:nope,[{_target_: evil.Check}]}",
    "a list for the environment": "${oc.env:NOPE,[a]}",
    "escaped": "\\${oc.decode:5}",
    "escaped, a key": "\\${task.name}",
    "escaped in quotes": "${oc.env:NOPE,'\\${oc.decode:5}'}",
    "escaped backslash": "\\\\\\${task.name}",
    "from the environment": "${oc.env:HOLDS}",
    "from the environment in a text": "x ${oc.env:HOLDS} y",
    "from the environment by selection": "${oc.select:architecture.holds,${oc.env:HOLDS}}",
    "itself": "${task.loss.weight}",
    "its parent": "${task.loss}",
    "nowhere": "${nope.nope}",
    "not set": "${oc.env:NOPE}",
    "far above": "${.......x}",
}
NAMES = {  # the value of task.loss._target_
    "a number": 5,
    "a truth": True,
    "nothing": None,
    "a list": ["os.system"],
    "a mapping": {"_target_": "torch.nn.MSELoss"},
    "from the environment": "${oc.env:NOPE,os.system}",
    "joined": "o${oc.env:NOPE,s.system}",
    "of two halves": "${oc.env:NOPE,o}${oc.env:NOPE,s.system}",
    "selected": "${oc.select:nope,os.system}",
    "selected from elsewhere": "${oc.select:data.evil}",
    "another value": "${data.evil}",
    "a list's element": "${data.list[0]}",
    "by a key that is chosen": "${data.${oc.env:NOPE,evil}}",
    "after a dot": "torch.nn.${data.evil}",
    "a model by name": "torchvision.models.get_model",
    "a builder by name": "torchvision.models.get_model_builder",
    "weights by name": "torchvision.models.get_weight",
    "all models": "torchvision.models.list_models",
    "weights of one's own": "torchvision.models.WeightsEnum",
    "weights": "torchvision.models.ResNet50_Weights",
    "weights of detectors": "torchvision.models.detection.FCOS_ResNet50_FPN_Weights",
    "quantised weights": "torchvision.models.quantization.ResNet50_QuantizedWeights",
    "a path": "aistudio.data.Path",
    "a tensor": "aistudio.checks.Tensor",
    "what watches them": "aistudio.checks.Watch",
    "a path of the pictures": "aistudio.checks.Path",
    "a refusal": "aistudio.tasks.Refusal",
    "a sheet": "aistudio.tasks.Sheet",
}
FINE = {  # the value of task.loss.reduction, and what is built
    "plain": ("mean", "mean"),
    "another value": ("${sanity.level}", "standard"),
    "the environment": ("${oc.env:WORD}", "sum"),
    "a default": ("${oc.env:NOPE,sum}", "sum"),
    "a default in quotes": ("${oc.env:NOPE,'a: b'}", "a: b"),
    "a default from elsewhere": ("${oc.env:NOPE,${sanity.level}}", "standard"),
    "selected": ("${oc.select:sanity.level,x}", "standard"),
    "selected by default": ("${oc.select:nope,x}", "x"),
    "a text with a colon": ("${sanity.level}: x", "standard: x"),
    "a dollar": ("$5 {a: b}", "$5 {a: b}"),
}


@pytest.fixture(scope="module")
def composed():
    return compose("backbone=mobilenet_v3_small")


@pytest.fixture
def with_values(composed, monkeypatch):
    """A composed configuration with these values put into it, as another application might."""
    monkeypatch.setenv("HOLDS", "${mine:5}")
    monkeypatch.setenv("WORD", "sum")
    called = []
    OmegaConf.register_new_resolver("mine", lambda *_: called.append(1) or "os.system", replace=True)

    def put(**values):
        changed = copy.deepcopy(composed)
        OmegaConf.set_struct(changed, False)
        for key, value in values.items():
            OmegaConf.update(changed, key.replace("__", "."), value, force_add=True)
        return changed

    yield put
    OmegaConf.clear_resolver("mine")
    assert not called and "evil" not in sys.modules


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A stranger's folder, from which commands are started; what lies in it is imported by nobody."""
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    folder = tmp_path / "empty"
    folder.mkdir()
    for name in ("hubconf.py", "evil.py"):
        (folder / name).write_text("open('ran', 'w')\nclass Check:\n    pass\ndef entry():\n    open('ran', 'w')\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("NOPE", raising=False)

    def write(text, published):
        (tmp_path / "conf" / "backbone").mkdir()
        (tmp_path / "conf" / "backbone" / "x.yaml").write_text(f"{BACKBONE}{published}\n")
        (tmp_path / "conf" / "experiment" / "x.yaml").write_text(f"# @package _global_\n{text}\n")
        return ["--config-dir", str(tmp_path / "conf"), "experiment=x", "backbone=x"]

    yield write
    assert not (folder / "ran").exists() and "evil" not in sys.modules


@pytest.mark.parametrize("attack", KNOWN)
@pytest.mark.parametrize("flags", [(), ("-m", "runtime.seed=0,1")], ids=["run", "sweep"])
def test_a_run_and_a_sweep_refuse_it(attack, flags, stranger, cli):
    code, answer = cli(*flags, *stranger(*KNOWN[attack]), "sanity=quick")
    assert code == 2 and "Traceback" not in answer and answer.count("\n") >= 3, answer


@pytest.mark.parametrize("attack", KNOWN)
def test_assembling_and_replaying_refuse_it(attack, stranger, composed, capsys):
    from aistudio import assemble, sanity_run
    from aistudio.cli.main import main

    stranger("", "")
    said, published = (OmegaConf.create(text) for text in KNOWN[attack])
    backbone = {"backbone": {"published": published}}
    hostile = OmegaConf.merge(OmegaConf.to_container(composed), said, backbone if published else {})
    for run in (assemble, sanity_run):
        with pytest.raises(Refusal):
            run(hostile)
    report = {"verdict": "passed", "config": OmegaConf.to_container(hostile), "checks": [], "measurements": []}
    with open("report.json", "w") as file:
        json.dump({**report, "versions": {"threads": 1}}, file)
    assert main(["replay", "report.json"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.sampled(10)
@pytest.mark.parametrize("value", REFUSED)
def test_what_may_not_be_asked_for_is_refused_and_not_called(value, with_values):
    with pytest.raises(Refusal) as refusal:
        settle(with_values(task__loss__weight=REFUSED[value]))
    assert "os.system" not in str(refusal.value), "and what it holds is not shown"


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", NAMES)
def test_a_target_is_judged_as_it_would_be_built(name, with_values):
    with pytest.raises(Refusal, match=r"is not trusted|is no name|is chosen by an env"):
        settle(with_values(data__evil="os.system", data__list=["os.system"], task__loss___target_=NAMES[name]))


@pytest.mark.parametrize("value", FINE)
def test_what_is_harmless_is_resolved(value, with_values):
    text, built = FINE[value]
    settled = settle(with_values(task__loss__reduction=text))
    assert settled.values["task"]["loss"]["reduction"] == built
    written = settled.written["task"]["loss"]["reduction"]
    assert ("oc.env" in text) == ("oc.env" in written) and (written == built or "oc.env" in text)


@pytest.mark.parametrize("text", ["${oc.decode:", "${", "${:", "${oc.select:" * 1000 + "x" + "}" * 1000])
def test_what_cannot_be_read_is_a_problem(text):
    assert ":" not in text or [*resolver_problems({"x": [text]})][0].where == "x[0]"
    with pytest.raises(Refusal):
        compose(f"+task.loss.weight={text}")


def test_a_reference_to_something_larger_is_looked_at_too(with_values):
    larger = OmegaConf.create({"x": "${mine:5}", "part": with_values(task__loss__weight="${x}")})
    with pytest.raises(Refusal, match="asks for the resolver mine"):
        settle(larger.part)


def test_problems_name_what_came_from_the_environment_as_it_was_written(with_values, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2.word")
    for key in ("task.loss._target_", "task.name", "backbone.name", "runtime.device", "sanity.measure._target_"):
        with pytest.raises(Refusal) as refusal:
            settle(with_values(**{key.replace(".", "__"): "${oc.env:SECRET}", "backbone__weights": 5}))
        assert "hunter2" not in str(refusal.value)


def test_what_is_built_is_judged_where_it_is_built(with_values):
    from aistudio.assembly.instantiate import build

    for entry in ({"_target_": "evil.Check"}, {"_target_": "torch.nn.ReLU", "x": "${mine:5}"}):
        with pytest.raises(Refusal):
            build(entry, "sanity.checks.x")


def test_shipped_files_ask_for_nothing_but_values():
    for files in ("sanity=quick", "sanity=full", "task=segmentation", "task=oriented_object_detection"):
        assert not [*resolver_problems(OmegaConf.to_container(compose(files)))]


def test_nothing_is_looked_up_before_the_verdict(with_values, monkeypatch):
    from aistudio.assembly import model, problems

    monkeypatch.setattr(problems, "keyword_problems", lambda *_: pytest.fail("looked up"))
    for value in ("evil.Check", "${oc.env:NOPE,evil.Check}"):
        with pytest.raises(Refusal):
            model.assemble(with_values(task__loss={"_target_": value}))


def test_what_is_defined_elsewhere_is_no_name_of_ours():
    import importlib
    import pkgutil

    import aistudio

    for module in (one.name for one in pkgutil.walk_packages(aistudio.__path__, "aistudio.")):
        if not module.startswith(("aistudio.conf.", "aistudio.__main__")):
            for name, value in vars(importlib.import_module(module)).items():
                named = callable(value) and trust.may_be_named(f"{module}.{name}", frozenset())
                assert not named or value.__module__.startswith(module), f"{module}.{name}"


def test_the_configuration_that_is_returned_is_not_resolved(composed):
    assert "${" in str(OmegaConf.to_container(composed)) and Settled
