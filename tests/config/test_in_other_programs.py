"""One line in the defaults list of another program's Hydra application, at its root or below a key of it."""

import subprocess
import sys
from textwrap import dedent

import pytest

PROGRAM = """
import hydra
from omegaconf import OmegaConf
import aistudio
from aistudio.config.part import model_settings

@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg):
    part = model_settings(cfg.net if "net" in cfg else cfg).values
    names = [part[name]["name"] for name in ("backbone", "architecture", "task")]
    print("SAW", *names, part["task"].get("num_classes"), *cfg)

main()
"""
FILES = {
    "train.yaml": """
        defaults:
          - LINE
          - data: photos
          - optional experiment: null
          - override hydra/hydra_logging: colorlog
          - override hydra/job_logging: colorlog
          - _self_
        epochs: 3
        hydra:
          searchpath: [pkg://aistudio.conf]
          run: {dir: runs}
          sweep: {dir: runs}
    """,
    "data/photos.yaml": "_target_: their.photos.Module\nfolder: ${hydra:runtime.output_dir}\n",
    "experiment/first.yaml": "# @package _global_\ndefaults:\n  - override TASK: segmentation\nepochs: 5\n",
}


@pytest.fixture
def program(tmp_path):
    """The program with one line in its defaults list; calling it gives what it printed."""

    def write(line, task):
        for name, text in FILES.items():
            path = tmp_path / "configs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).replace("LINE", line).replace("TASK", task))
        (tmp_path / "theirs.py").write_text(PROGRAM)

        def call(*arguments):
            command = [sys.executable, "theirs.py", *arguments]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
            return [line for line in done.stdout.splitlines() if line.startswith("SAW")] or [done.stdout + done.stderr]

        return call

    return write


@pytest.mark.slow
def test_at_the_root(program):
    call = program("aistudio", "/task")
    ours = "backbone architecture task data epochs"
    assert call() == [f"SAW resnet50 backbone_head classification 10 {ours}"]
    assert call("task=segmentation", "backbone=resnet101", "task.num_classes=21") == [
        f"SAW resnet101 deeplabv3_resnet101 segmentation 21 {ours}"
    ]
    assert call("experiment=first", "architecture=lraspp") == [
        f"SAW mobilenet_v3_large lraspp_mobilenet_v3_large segmentation 4 {ours}"
    ]
    assert call("-m", "backbone=resnet18,resnet34", "task=regression") == [
        f"SAW {name} backbone_head regression None {ours}" for name in ("resnet18", "resnet34")
    ]
    assert "does not fit task=segmentation" in call("task=segmentation", "backbone=resnet18")[0]


def test_below_a_key(program):
    call = program("aistudio_below@net", "/task@net")
    assert call() == ["SAW resnet50 backbone_head classification 10 net data epochs"]
    assert call("task@net=segmentation", "backbone@net.backbone=resnet101", "net.task.num_classes=21") == [
        "SAW resnet101 deeplabv3_resnet101 segmentation 21 net data epochs"
    ]
    assert call("experiment=first") == ["SAW resnet50 deeplabv3_resnet50 segmentation 4 net data epochs"]
    assert call("task@net=object_detection", "architecture@net.architecture=fcos") == [
        "SAW resnet50 fcos_resnet50_fpn object_detection 3 net data epochs"
    ]


def test_their_own_help_and_configuration_are_shown(program):
    call = program("aistudio", "/task")
    assert "theirs is powered by Hydra" in call("--help")[0] and "photos" in call("--help")[0]
    assert "epochs: 3" in call("--cfg", "job")[0]
