"""Backbones that do not ship: a YAML file of five lines, whatever library the model is from."""

import os
import subprocess
import sys

import pytest

import aistudio

SMALL = (  # timm's own small models of each of its ways to build one, at 160 px
    "test_coatnet",  # one size alone, attention
    "test_convnext2",  # layer norms, branches that are scaled down
    "test_efficientnet",
    "test_efficientnet_evos",
    "test_efficientnet_gn",
    "test_mambaout",  # maps (N, H, W, C)
    "test_nfnet",  # no norm, standardised weights
    "test_resnet",  # branches that start at zero
)
PUBLISHED = {
    "swin_t": "{_target_: torchvision.models.swin_t}",
    "densenet121": "{_target_: torchvision.models.densenet121}",
    **{
        name: f"{{_target_: timm.create_model, model_name: {name}}}"
        for name in (
            "mobilenetv3_small_100",  # a convolution after pooling
            "efficientvit_b0",  # a convolution before pooling, which only its classifier calls
            "inception_next_atto",
            "tresnet_m",  # its first convolution sees no colours
        )
    },
    "old_recipe": "{_target_: timm.create_model, model_name: ghostnet_050, num_classes: 0, global_pool: ''}",
}
WHOLE = {
    "vit_b_16": "_target_: torchvision.models.vit_b_16",
    "vit_tiny": "{_target_: timm.create_model, model_name: vit_tiny_patch16_224}",
}


def write(folder, model):
    (folder / "conf" / "backbone").mkdir(parents=True)
    model = model if model.startswith("{") else f"\n  {model}"
    (folder / "conf" / "backbone" / "mine.yaml").write_text(f"name: mine\nmodel: {model}\n")
    return folder / "conf"


def run(folder, model):
    """The command, as its user types it."""
    write(folder, model)
    line = ["--config-dir", "conf", "backbone=mine", "sanity=quick", "architecture.learning.optimizer.lr=1e-4"]
    line += ["runtime.threads=1", "task.image_size=224"]
    trusting = {**os.environ, "AISTUDIO_TRUST": "timm"}
    command = [sys.executable, "-m", "aistudio", *line]
    return subprocess.run(command, cwd=folder, env=trusting, capture_output=True, text=True)


def failures(folder, model, *overrides):
    """What the failed checks saw, without the price of another process."""
    cfg = aistudio.compose("backbone=mine", "runtime.threads=1", *overrides, config_dir=str(write(folder, model)))
    return {check.name: check.seen for check in aistudio.sanity_run(cfg).failures}


@pytest.mark.slow
def test_a_backbone_of_five_lines_passes_by_the_command(tmp_path):
    done = run(tmp_path, "_target_: torchvision.models.convnext_tiny")
    assert done.returncode == 0 and "PASSED" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_backbone_of_five_lines_passes(name, tmp_path, monkeypatch):
    monkeypatch.setenv("AISTUDIO_TRUST", "timm")
    assert failures(tmp_path, PUBLISHED[name], "sanity=quick", "task.image_size=224") == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_check_of_standard_passes_a_small_backbone(name, tmp_path, monkeypatch):
    monkeypatch.setenv("AISTUDIO_TRUST", "timm")
    model = f"{{_target_: timm.create_model, model_name: {name}, drop_path_rate: 0.2}}"
    fast = ("sanity.measure.training=false", "sanity.measure.repeats=1", "sanity.measure.budget=0.1")
    assert failures(tmp_path, model, "sanity=standard", "task.image_size=160", *fast) == {}


DENSE = """
from torch import nn
from torch.nn.functional import interpolate
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork


class Pyramid(nn.Module):
    def __init__(self, body, width=32):
        super().__init__()
        self.body, self.out_channels = body, width
        self.fpn = FeaturePyramidNetwork(list(body.channels.values()), width)

    def forward(self, x):
        return self.fpn(self.body.forward_multiscale(x))


class Segmenter(nn.Module):
    def __init__(self, backbone, num_classes):
        super().__init__()
        self.backbone = Pyramid(backbone)
        self.head = nn.Conv2d(32, num_classes, 1)

    def forward(self, x):
        maps = (self.head(one) for one in self.backbone(x).values())
        return {"out": sum(interpolate(one, x.shape[-2:], mode="bilinear") for one in maps)}


def detector(backbone, num_classes):
    anchors = AnchorGenerator(sizes=((8,), (16,), (32,), (64,)), aspect_ratios=((1.0,),) * 4)
    return FCOS(Pyramid(backbone), num_classes, min_size=160, max_size=160, anchor_generator=anchors)
"""
ARCHITECTURE = """name: around
tasks: [{task}]
rules: {{backbones: {{allow: any}}}}
model:
  _target_: dense_of_theirs.{model}
  backbone: {{_target_: aistudio.models.BackboneWrapper, model: "${{backbone.model}}", backbone_name: mine}}
learning: {{optimizer: {{_target_: torch.optim.Adam, lr: 1e-3}}, steps: 40, ratio: 0.6}}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("task", "model"), [("segmentation", "Segmenter"), ("object_detection", "detector")])
@pytest.mark.parametrize("more", ["", ", features_only: true"])
def test_a_segmenter_and_a_detector_of_ones_own_stand_on_a_foreign_backbone(task, model, more, tmp_path, monkeypatch):
    monkeypatch.setenv("AISTUDIO_TRUST", "timm,dense_of_theirs")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "dense_of_theirs.py").write_text(DENSE)
    (tmp_path / "conf" / "architecture").mkdir(parents=True)
    (tmp_path / "conf" / "architecture" / "around.yaml").write_text(ARCHITECTURE.format(task=task, model=model))
    backbone = f"{{_target_: timm.create_model, model_name: test_convnext2{more}}}"
    line = (f"task={task}", "architecture=around", "task.rules.backbones.allow=any", "task.image_size=160")
    assert failures(tmp_path, backbone, *line, "sanity=quick", "sanity.measure.training=false") == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_model_that_cannot_be_cut_is_refused_with_the_reason_alone(name, tmp_path):
    done = run(tmp_path, WHOLE[name])
    first = "refused: 1 problem\nbackbone=mine cannot be cut"
    assert done.returncode == 2 and done.stderr.startswith(first), done.stderr
    assert "  why      " in done.stderr and "  instead  " in done.stderr and len(done.stderr.splitlines()) == 5
