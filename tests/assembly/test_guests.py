"""aistudio as a guest: inside another program's Hydra, with a part of another program's configuration."""

import subprocess
import sys

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from omegaconf import OmegaConf

from aistudio.assembly.model import assemble
from aistudio.config.compose import compose
from aistudio.config.hydra import Singleton
from aistudio.errors import Refusal

SMALL = ("backbone=mobilenet_v3_small", "task=regression")


# ---- another Hydra ----


def test_composing_inside_a_running_hydra_leaves_it_as_it_was(tmp_path):
    (tmp_path / "mine.yaml").write_text("epochs: 3\n")
    with hydra.initialize_config_dir(str(tmp_path), job_name="theirs", version_base="1.2"):
        running, held = GlobalHydra.instance().hydra, dict(Singleton._instances)
        assert compose(*SMALL).backbone.name == "mobilenet_v3_small"
        with pytest.raises(Refusal, match="does not fit"):
            compose("backbone=resnet18", "task=segmentation")
        assert GlobalHydra.instance().hydra is running and JobRuntime.instance().get("name") == "theirs"
        assert hydra.version.getbase() == hydra.version._get_version("1.2")
        assert all(Singleton._instances[kind] is one for kind, one in held.items())
        assert hydra.compose("mine").epochs == 3
    assert not GlobalHydra.instance().is_initialized()


def test_composing_leaves_no_hydra_behind():
    GlobalHydra.instance().clear()
    compose(*SMALL)
    assert not GlobalHydra.instance().is_initialized()
    with hydra.initialize_config_dir("/tmp", version_base="1.3"):
        assert GlobalHydra.instance().is_initialized()


PROGRAM = """
import hydra
from hydra.core.hydra_config import HydraConfig
import aistudio

@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    one = aistudio.compose("backbone=resnet18", "task=regression")
    print(one.backbone.name, HydraConfig.get().job.name, HydraConfig.get().job.num)

main()
"""


def test_every_job_of_a_sweep_of_theirs_may_compose(tmp_path):
    (tmp_path / "theirs.py").write_text(PROGRAM)
    line = [sys.executable, "theirs.py", "-m", "+x=1,2,3"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if line.startswith("resnet18")]
    assert said == [f"resnet18 theirs {number}" for number in range(3)], done.stdout + done.stderr


# ---- their configuration ----


def theirs(part, **others):
    """A program's configuration, with a model's below ``net`` and much that is none of our business."""
    around = {
        "net": OmegaConf.to_container(part),
        "trainer": {"_target_": "lightning.Trainer", "callbacks": "${callbacks}"},
        "callbacks": {"_target_": "their.callbacks.Early", "folder": "${paths.output}"},
        "data": {"_target_": "their.data.Module", "root": "/nowhere", "batch_size": -1},
        "paths": {"output": "${hydra:runtime.output_dir}", "missing": "???", "cwd": "${nobody:knows}"},
        "runtime": "theirs",
        "classes": 3,
    }
    return OmegaConf.create({**around, **others})


def three_sections(*overrides):
    return OmegaConf.masked_copy(compose(*overrides), ["backbone", "architecture", "task"])


@pytest.mark.parametrize("overrides", [SMALL, ("task=segmentation", "architecture=lraspp")])
def test_a_part_of_a_configuration_is_assembled_and_the_rest_left_alone(overrides):
    cfg = theirs(three_sections(*overrides))
    before = OmegaConf.to_yaml(cfg)
    assert isinstance(assemble(cfg.net), torch.nn.Module)
    assert OmegaConf.to_yaml(cfg) == before


def test_the_sections_at_the_root_of_a_larger_configuration():
    cfg = OmegaConf.merge(theirs(OmegaConf.create()), three_sections(*SMALL))
    OmegaConf.set_readonly(cfg, True)
    assert assemble(cfg).head.fc.out_features == 1


def test_a_part_may_ask_for_values_of_the_whole_and_of_itself(monkeypatch):
    monkeypatch.setenv("THEIR_OUTPUTS", "${classes}")
    cfg = theirs(three_sections(*SMALL))
    cfg.net.task.num_outputs = "${classes}"
    assert assemble(cfg.net).head.fc.out_features == 3
    cfg.net.task.num_outputs = "${net.outputs}"
    cfg.net.outputs = "${..classes}"
    assert assemble(cfg.net).head.fc.out_features == 3
    cfg.net.task.num_outputs = "${...classes}"
    assert assemble(cfg.net).head.fc.out_features == 3
    cfg.nets = {"first": cfg.net}
    cfg.nets.first.task.num_outputs = "${nets.first.backbone.out_channels}"
    assert assemble(cfg.nets.first).head.fc.out_features == 576


@pytest.mark.parametrize("number", ["${nobody:knows}", "${hydra:job.num}", "${paths.cwd}", "${paths.output}"])
def test_what_a_model_reaches_is_judged_wherever_it_stands(number):
    asked = []
    OmegaConf.register_new_resolver("nobody", lambda *_: asked.append(1) or 2, replace=True)
    cfg = theirs(three_sections(*SMALL))
    cfg.net.task.num_outputs = number
    with pytest.raises(Refusal):
        assemble(cfg.net)
    assert not asked
    assert OmegaConf.has_resolver("nobody") and OmegaConf.has_resolver("hydra")
    OmegaConf.clear_resolver("nobody")


REFUSED = {
    "net.task.loss._target_=os.system": "os.system is not trusted",
    "net.backbone.name=resnet18": "does not fit",
    "net.task.image_size=8": "task.image_size=8 is too small",
    "net.backbone.model=???": "backbone.model is missing",
    "net.task.num_classes=${nothing}": "nothing",
    "net.task=5": "there is no section task",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_would_be_built_is_judged(line):
    cfg = theirs(three_sections("task=segmentation"))
    key, value = line.split("=")
    OmegaConf.update(cfg, key, int(value) if value.isdigit() else value)
    with pytest.raises(Refusal, match=REFUSED[line]):
        assemble(cfg.net)


def test_an_optimiser_of_theirs_is_not_built_and_not_judged():
    cfg = theirs(three_sections(*SMALL))
    cfg.net.architecture.learning = {"optimizer": {"_target_": "their.Lion"}, "steps": "${nobody:knows}"}
    assemble(cfg.net)
    del cfg.net.architecture["learning"]
    assemble(cfg.net)


def test_a_plain_mapping_and_the_few_keys_that_one_writes_by_hand():
    net = OmegaConf.to_container(three_sections(*SMALL), resolve=True)
    net["backbone"] = {name: net["backbone"][name] for name in ("name", "model")}
    assert assemble(net).head.fc.out_features == 1


def test_a_secret_of_the_environment_is_not_in_a_refusal(monkeypatch):
    monkeypatch.setenv("THEIR_SECRET", "hunter2hunter2")
    cfg = theirs(three_sections(*SMALL))
    cfg.net.backbone.name = "${oc.env:THEIR_SECRET}"
    cfg.net.architecture.rules = {"backbones": {"allow": ["resnet18"]}}
    with pytest.raises(Refusal) as refused:
        assemble(cfg.net)
    assert "hunter2" not in str(refused.value)


# ---- their seed ----


def test_the_seed_of_the_caller_decides_the_weights():
    cfg = compose(*SMALL)

    def weights(callers, **options):
        torch.manual_seed(callers)
        return assemble(cfg, **options).head.fc.weight

    assert torch.equal(weights(1), weights(1)) and not torch.equal(weights(1), weights(3))
    assert torch.equal(weights(1, seed=5), weights(3, seed=5))


def test_a_seed_given_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assemble(compose(*SMALL), seed=5)
    assert torch.equal(torch.rand(3), expected)


def test_nothing_of_hydra_is_left_configured():
    compose(*SMALL)
    assert not HydraConfig.initialized()
