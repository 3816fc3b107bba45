"""Backbones that do not ship: a YAML file of five lines, whatever library the model is from."""

import os
import subprocess
import sys

import pytest

BACKBONES = {
    "convnext_tiny": "_target_: torchvision.models.convnext_tiny",
    "regnet_y_400mf": "_target_: torchvision.models.regnet_y_400mf",
    "swin_t": "_target_: torchvision.models.swin_t",
    "densenet121": "_target_: torchvision.models.densenet121",
    "maxvit_t": "_target_: torchvision.models.maxvit_t",
    **{
        name: f"{{_target_: timm.create_model, model_name: {name}}}"
        for name in (
            "convnext_atto",
            "mobilenetv3_small_100",  # a convolution after pooling
            "efficientvit_b0",  # a convolution before pooling, which only its classifier calls
            "inception_next_atto",
            "mambaout_femto",  # maps (N, H, W, C)
            "resnet18",  # branches that start at zero
            "tresnet_m",  # its first convolution sees no colours
            "coatnet_0_rw_224",  # one size alone
            "selecsls42",  # no chain
        )
    },
    "old_recipe": "{_target_: timm.create_model, model_name: ghostnet_050, num_classes: 0, global_pool: ''}",
}
WHOLE = {
    "vit_b_16": "_target_: torchvision.models.vit_b_16",
    "vit_tiny": "{_target_: timm.create_model, model_name: vit_tiny_patch16_224}",
}


def run(folder, name, model):
    (folder / "conf" / "backbone").mkdir(parents=True)
    model = model if model.startswith("{") else f"\n  {model}"
    (folder / "conf" / "backbone" / "mine.yaml").write_text(f"name: mine\nmodel: {model}\n")
    line = ["--config-dir", "conf", "backbone=mine", "sanity=quick", "architecture.learning.optimizer.lr=1e-4"]
    line += ["runtime.threads=1", "task.image_size=224"]
    trusting = {**os.environ, "AISTUDIO_TRUST": "timm"}
    command = [sys.executable, "-m", "aistudio", *line]
    return subprocess.run(command, cwd=folder, env=trusting, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_of_five_lines_passes(name, tmp_path):
    done = run(tmp_path, name, BACKBONES[name])
    assert done.returncode == 0 and "PASSED" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_model_that_cannot_be_cut_is_refused_with_the_reason_alone(name, tmp_path):
    done = run(tmp_path, name, WHOLE[name])
    first = "refused: 1 problem\nbackbone=mine cannot be cut"
    assert done.returncode == 2 and done.stderr.startswith(first), done.stderr
    assert "  why      " in done.stderr and "  instead  " in done.stderr and len(done.stderr.splitlines()) == 5
