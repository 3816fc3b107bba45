"""A configuration is data: hostile ones are refused, and none of them runs a line."""

import json
import os
import pickle
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from aistudio.config import plain, trust
from aistudio.config.compose import compose
from aistudio.config.hydra import composed_without_files

MODULE = "open('ran', 'w')\n\n\nclass Check:\n    why = '.'\n\n    def __init__(self, **_):\n        open('ran', 'w')\n"
CALL = "{{_target_: {}, _args_: ['touch ran']}}"

TARGETS = [
    "os.system",
    "os.popen",
    "posix.system",
    "subprocess.Popen",
    "subprocess.run",
    "builtins.exec",
    "builtins.eval",
    "builtins.open",
    "builtins.__import__",
    "shutil.rmtree",
    "shutil.copy",
    "pathlib.Path.write_text",
    "importlib.import_module",
    "runpy.run_path",
    "ctypes.CDLL",
    "pickle.loads",
    "numpy.load",
    "torch.load",
    "torch.hub.load",
    "torch.hub.download_url_to_file",
    "torch.utils.cpp_extension.load",
    "torch.jit.load",
    "torch.nn.modules.module.sys.exit",
    "torch.nn.Module.load_state_dict",
    "torch.optim.optimizer.functools.partial",
    "torchvision.models._api.load_state_dict_from_url",
    "torchvision.models.resnet.torch.load",
    "torchvision.datasets.utils.extract_archive",
    "torchvision.transforms.functional.os.system",
    "hydra.utils.call",
    "hydra.utils.get_method",
    "hydra._internal.utils._locate",
    "aistudio.jobs.job.run",
    "aistudio.files.write_whole",
    "aistudio.report.terminal.os.system",
    "aistudio.checks.predictions.write_whole",
    "aistudio.data.Path.unlink",
    "aistudio.oriented.rotated_fcos.torch.load",
    "evil.Check",
    "torch.nn.Linear ",
    "torch.nn..Linear",
    "torch.nn.Linear\u0430",
    "torchx.nn.Linear",
    "torch_nn.Linear",
]
PLACES = {
    "a backbone": "backbone: {{model: {call}}}",
    "a loss": "task: {{loss: {call}}}",
    "a source": "data: {call}",
    "a check": "sanity: {{checks: {{mine: {call}}}}}",
    "an optimiser": "architecture: {{learning: {{optimizer: {call}}}}}",
    "a list": "sanity: {{checks: {{mine: {{_target_: aistudio.checks.OverfitsOneBatch, why: [[{call}]]}}}}}}",
    "rules": "task: {{rules: {{backbones: {{allow: [{call}], because: x}}}}}}",
    "an argument": "task: {{loss: {{_target_: torch.nn.CrossEntropyLoss, weight: {call}}}}}",
    "an interpolation": "runtime: {{seed: os.system}}\ntask: {{loss: {{_target_: '${{runtime.seed}}', _args_: [x]}}}}",
    "the environment": "task: {{loss: {{_target_: '${{oc.env:EVIL}}', _args_: ['touch ran']}}}}",
}
HYDRA = {  # what an experiment says in Hydra's own section
    "a callback": "{callbacks: {x: {_target_: evil.Check}}}",
    "a logging factory": "{job_logging: {handlers: {x: {(): evil.Check}}, root: {handlers: [x]}}}",
    "a logging class": "{hydra_logging: {version: 1, handlers: {x: {class: evil.Check}}}}",
    "a launcher": "{launcher: {_target_: evil.Check}}",
    "a launcher of another module": "{launcher: {_target_: hydra_plugins.evil.Check}}",
    "a launcher's set-up": "{launcher: {setup: ['touch ran']}}",
    "a launcher's interpreter": "{launcher: {python: ./evil.sh}}",
    "a launcher's arguments": "{launcher: {additional_parameters: {wrap: touch ran}}}",
    "a line in a batch script": '{launcher: {name: "x\\ntouch ran"}}',
    "an option in a batch script": "{launcher: {name: 'x --output=/opt/out'}}",
    "a line feed of strftime": "{launcher: {name: '${now:x%ntouch}'}}",
    "a run folder by way of the time": "{run: {dir: '${now:/opt/out}'}}",
    "a run folder above, by way of the time": "{run: {dir: '${now:../../out}'}}",
    "a job's name that leads away": "{job: {name: ../../out}, run: {dir: 'outputs/${hydra.job.name}'}}",
    "a job's name of two lines": '{job: {name: "x\\ntouch ran"}}',
    "a sweep folder of two lines": '{sweep: {dir: "x\\ntouch ran"}}',
    "a sweeper": "{sweeper: {_target_: evil.Check}}",
    "an environment variable": "{job: {env_set: {AISTUDIO_TRUST: evil}}}",
    "a copied variable": "{job: {env_copy: [SECRET]}}",
    "another folder": "{job: {chdir: true}}",
    "an output folder": "{output_subdir: ../../out}",
    "an absolute run folder": "{run: {dir: /opt/out}}",
    "a run folder above": "{run: {dir: ../out}}",
    "a run folder at home": "{run: {dir: ~/out}}",
    "a run folder from the environment": "{run: {dir: '${oc.env:EVIL}'}}",
    "an absolute sweep folder": "{sweep: {dir: /opt/out}}",
    "a folder for submitit": "{launcher: {submitit_folder: /opt/out}}",
    "a search path": "{searchpath: ['file:///opt']}",
    "a mode": "{mode: MULTIRUN}",
}


@pytest.fixture
def hostile(tmp_path, monkeypatch, cli, no_torch):
    """Runs an experiment of these lines; whether it was refused, the answer, and whether a line of its code ran."""
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "evil.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("EVIL", "os.system")
    monkeypatch.setenv("SECRET", "hunter2")

    def run(text, *flags, more=()):
        (tmp_path / "conf" / "experiment" / "x.yaml").write_text(f"# @package _global_\n{text}\n", encoding="utf-8")
        code, answer = cli(*flags, "--config-dir", str(tmp_path / "conf"), "experiment=x", *more)
        assert not (folder / "ran").exists() and "evil" not in sys.modules
        assert {path.name for path in folder.iterdir()} == {"evil.py"}, "nothing is written"
        return code, answer

    return run


@pytest.mark.sampled(10)
@pytest.mark.parametrize("target", TARGETS)
def test_code_that_nobody_trusts_is_refused(target, hostile):
    code, answer = hostile(PLACES["a loss"].format(call=CALL.format(json.dumps(target))))
    assert code == 2 and "is not trusted" in answer and "  instead  " in answer, answer


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_stands(place, hostile):
    code, answer = hostile(PLACES[place].format(call=CALL.format("os.system")))
    assert code == 2 and "is not trusted" in answer, answer


@pytest.mark.sampled(8)
@pytest.mark.parametrize("said", HYDRA)
def test_files_say_nothing_dangerous_to_hydra(said, hostile):
    for flags, more in (((), ()), (("-m",), ("runtime.seed=0,1",))):
        code, answer = hostile(f"hydra: {HYDRA[said]}", *flags, more=more)
        assert code == 2 and "hydra." in answer, answer


@pytest.mark.sampled(7)
@pytest.mark.parametrize("said", [name for name in HYDRA if name not in ("a mode", "a search path")])
def test_a_person_may_say_so_all_the_same(said, monkeypatch):
    own = composed_without_files((), "basic")
    theirs = OmegaConf.merge(OmegaConf.create(OmegaConf.to_container(own)), OmegaConf.create(HYDRA[said]))
    assert trust.hydra_problems(theirs, own)
    monkeypatch.setenv("AISTUDIO_TRUST", "hydra")
    assert not trust.hydra_problems(theirs, own)


def test_what_is_harmless_may_be_said_to_hydra(tmp_path):
    for text in (
        "hydra: {run: {dir: 'runs/${now:%H-%M-%S}'}, sweep: {dir: sweeps/mine}, job: {name: mine}}",
        "defaults: [{override /hydra/launcher: side_by_side}]\nhydra: {launcher: {n_jobs: 2}}",
    ):
        (tmp_path / "experiment").mkdir(exist_ok=True)
        (tmp_path / "experiment" / "x.yaml").write_text(f"# @package _global_\n{text}\n")
        compose("experiment=x", config_dir=tmp_path)


def test_a_yaml_tag_makes_no_object(hostile):
    code, answer = hostile("task: {name: !!python/object/apply:os.system ['touch ran']}")
    assert code == 2 and "Traceback" not in answer


@pytest.mark.parametrize("option", ["--config-name=x", "--config-path=.", "--experimental-rerun=x.pickle"])
def test_hydras_ways_around_the_configuration_are_not_taken(option, cli, no_torch):
    code, answer = cli(option)
    assert code == 2 and "is not taken" in answer and "  instead  " in answer


@pytest.mark.sampled(1)
@pytest.mark.parametrize("option", [("--cfg", "job"), ("--cfg", "hydra"), ("--info", "defaults"), ("--help",)])
def test_looking_at_a_configuration_runs_none_of_it(option, tmp_path):
    (tmp_path / "evil.py").write_text(MODULE)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    text = f"# @package _global_\ntask: {{loss: {{_target_: evil.Check}}}}\nhydra: {HYDRA['a callback']}\n"
    (tmp_path / "conf" / "experiment" / "x.yaml").write_text(text)
    line = [sys.executable, "-m", "aistudio", "--config-dir", "conf", "experiment=x", *option]
    subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=60)
    assert not (tmp_path / "ran").exists()


def test_the_script_imports_nothing_that_lies_in_the_current_folder(tmp_path):
    for name in ("yaml.py", "torch.py", "hydra_plugins/evil/__init__.py", "hydra_plugins/evil/plugin.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(MODULE)
    script = Path(sys.executable).parent / "aistudio"
    for arguments in (("rules",), ("rules", "runtime.seed=0,1"), ("--cfg", "job")):
        done = subprocess.run([script, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and not (tmp_path / "ran").exists(), done.stderr


@pytest.mark.slow
def test_who_runs_it_may_trust_a_package_and_then_it_runs(tmp_path):
    (tmp_path / "evil.py").write_text(MODULE)
    line = [sys.executable, "-m", "aistudio", "+sanity.checks.mine._target_=evil.Check", "sanity=quick"]
    line += ["backbone=mobilenet_v3_small", "sanity.image_size=64", "task.image_size=64", "hydra.run.dir=out"]
    for packages, ran in (("", False), ("evils,evi", False), ("timm, evil", True)):
        subprocess.run(line, cwd=tmp_path, env={**os.environ, "AISTUDIO_TRUST": packages}, capture_output=True)
        assert (tmp_path / "ran").exists() is ran


def test_a_configuration_of_another_application_is_judged_before_anything_is_looked_up(monkeypatch):
    from aistudio import Refusal, assemble, sanity_run

    config = compose("backbone=mobilenet_v3_small")
    OmegaConf.update(config, "task.loss._target_", "antigravity.geohash")
    for run in (assemble, sanity_run):
        with pytest.raises(Refusal, match="is not trusted"):
            run(config)
    assert "antigravity" not in sys.modules


class Touch:
    def __reduce__(self):
        return open, ("ran", "w")


def test_weights_are_tensors_also_in_the_cache(tmp_path, monkeypatch):
    import torch

    from aistudio import assemble

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    cached = tmp_path / "hub" / "checkpoints" / "mobilenet_v3_small-047dcff4.pth"
    cached.write_bytes(pickle.dumps(Touch(), protocol=2))
    with pytest.raises(Exception, match=r"a pickle that wants to run io.open; nothing of it was run"):
        assemble(compose("backbone=mobilenet_v3_small", "backbone.weights=IMAGENET1K_V1"))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(Exception):  # noqa: B017  whatever comes of a file that is no state dict
        torch.load(cached, weights_only=False).items()
    assert (tmp_path / "ran").exists(), "the trap works"


def test_secrets_of_the_environment_get_into_no_report(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    written = ("${oc.env:SECRET}", "a/${oc.env:SECRET}", "${oc.${x}:SECRET}", "${a}", "${oc.decode:${oc.env:SECRET}}")
    config = OmegaConf.create({"x": "env", "a": written[0], "all": [*written], "b": "${oc.env:NOT_SET,'x, y'}"})
    assert config["all"][1] == "a/hunter2"
    kept = plain.plain(config)
    assert "hunter2" not in str(kept) and str(kept).count("${oc.env:SECRET}") == 6
    assert OmegaConf.to_container(OmegaConf.create(kept), resolve=True)["all"][1] == "a/hunter2", (
        "replayed, it is there"
    )
    assert config["a"] == "hunter2", "and it is there again"


@pytest.mark.slow
def test_a_receipt_says_the_command_line_as_it_was_written(tmp_path):
    line = ["backbone=mobilenet_v3_small", "sanity=quick", "sanity.image_size=64", "task.image_size=64"]
    line += ["sanity.checks.overfits_one_batch.why=${oc.env:SECRET}", "runtime.threads=1"]
    for flags, where in (((), "hydra.run.dir=out"), (("-m",), "hydra.sweep.dir=out")):
        command = [sys.executable, "-m", "aistudio", *flags, *line, where]
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "SECRET": "hunter2"}, capture_output=True)
        assert done.returncode == 0, done.stderr
    reports = [json.loads(path.read_text()) for path in tmp_path.rglob("report.json")]
    assert len(reports) == 2
    for report in reports:
        assert line[-2] in report["receipt"]["overrides"]
        assert report["config"]["sanity"]["checks"]["overfits_one_batch"]["why"] == "${oc.env:SECRET}"
        assert "hunter2" not in json.dumps([report["config"], report["receipt"]])


def test_a_folder_of_pictures_may_come_from_the_environment(tmp_path, monkeypatch, cli, no_torch):
    monkeypatch.setenv("PICTURES", str(tmp_path / "hunter2"))
    asked = ("data=images", "data.root=${oc.env:PICTURES}")
    code, answer = cli(*asked)
    assert code == 2 and "data.root=${oc.env:PICTURES} is not a folder" in answer and "hunter2" not in answer
    (tmp_path / "hunter2").mkdir()
    assert compose(*asked).data.root == str(tmp_path / "hunter2")


def test_nothing_reachable_by_an_allowed_name_starts_commands_or_writes():
    import importlib
    import pkgutil

    import aistudio

    harmless = {"aistudio", "torch", "torchvision", "typing", "collections", "functools", "pathlib", "contextlib"}
    names = [one.name for one in pkgutil.walk_packages(aistudio.__path__, "aistudio.") if "__main__" not in one.name]
    names += ["torch.nn", "torch.optim", "torch.optim.lr_scheduler", "torchvision.ops", "torchvision.transforms.v2"]
    names += ["torchvision.models", "torchvision.models.detection", "torchvision.models.segmentation"]
    seen = 0
    for name in (name for name in names if not name.startswith("aistudio.conf")):
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            if (
                callable(value)
                and typing.get_origin(value) is None
                and trust.may_be_named(f"{name}.{attribute}", frozenset())
            ):
                seen += 1
                home = getattr(value, "__module__", None) or "typing"
                assert home.split(".")[0] in harmless, f"{name}.{attribute} is {home}"
                assert not (home.startswith("aistudio") and not isinstance(value, type) and "oriented" not in home)
    assert seen > 200
