"""A repository with parts of its own: backbone, head, loss, task, source and check, each by its dotted path."""

import json
import os
import subprocess
import sys

import pytest

PARTS = '''
from dataclasses import dataclass

import torch
from torch import nn

from aistudio.checks.outcome import passed
from aistudio.data import Sample
from aistudio.models import PooledHead
from aistudio.tasks.regression import Regression


class Features(nn.Sequential):
    """A backbone that returns a feature map, at a quarter of the size."""

    def __init__(self, width):
        layers = [nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1)]
        super().__init__(*layers)


class TwoPools(nn.Module):
    """A head on average and maximum."""

    def __init__(self, backbone, num_classes):
        super().__init__()
        self.backbone = backbone
        self.mean, self.peak = (PooledHead(backbone.out_channels, num_classes, 0.0) for _ in range(2))

    def forward(self, x):
        features = self.backbone(x)
        return self.mean(features) + self.peak(features.amax((2, 3), keepdim=True))


class Tilted(nn.Module):
    """The pinball loss: to guess too low costs more."""

    def forward(self, values, targets):
        error = targets - values
        return torch.maximum(0.8 * error, -0.2 * error).mean()


class Age(Regression):
    """The task of a repository."""


class Dusk:
    """A source that knows how bright its images are, and takes no orders."""

    description = "images at dusk"

    def __init__(self, batch_size):
        self.batch_size = batch_size
        self.warnings = []

    def samples(self, count, size, generator):
        bright = torch.rand(count, generator=generator)
        images = bright.view(-1, 1, 1, 1) * torch.rand(count, 3, size, size, generator=generator)
        return [Sample(image, values=4 * one[None] - 2) for image, one in zip(images, bright)]


@dataclass(frozen=True)
class Small:
    """A check."""

    why: str

    def __call__(self, subject):
        return passed("it was asked")
'''
FILES = {
    "parts.py": PARTS,
    "conf/backbone/thin.yaml": "name: thin\nmodel: {_target_: parts.Features, width: 16}\n",
    "conf/architecture/two_pools.yaml": """name: two_pools
tasks: [age]
rules: {image_size: {at_least: 48, because: smaller faces say nothing}}
model:
  _target_: parts.TwoPools
  backbone: {_target_: aistudio.models.BackboneWrapper, model: "${backbone.model}", backbone_name: thin}
learning: {optimizer: {_target_: torch.optim.SGD, lr: 0.1}, steps: 30, ratio: 0.6}
""",
    "conf/task/age.yaml": """# @package _global_
defaults:
  - override /architecture: two_pools
  - _self_
task:
  _target_: parts.Age
  name: age
  image_size: 64
  num_outputs: 1
  loss: {_target_: parts.Tilted}
  rules: {backbones: {allow: [thin], because: nothing else was measured}}
""",
    "conf/data/dusk.yaml": "_target_: parts.Dusk\nbatch_size: 4\n",
    "conf/experiment/age.yaml": """# @package _global_
defaults:
  - override /backbone: thin
  - override /task: age
  - override /data: dusk
  - _self_
sanity: {checks: {small: {_target_: parts.Small, why: It must be asked.}}}
""",
}


@pytest.fixture
def repository(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def run(*arguments, trust="parts"):
        line = [sys.executable, "-m", "aistudio", "--config-dir", "conf", *arguments, "hydra.run.dir=out"]
        environment = {**os.environ, "AISTUDIO_TRUST": trust}
        return subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


@pytest.mark.slow
def test_every_part_of_ones_own_is_used(repository, tmp_path):
    done = repository("experiment=age", "sanity=quick", "runtime.threads=1")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["small"]["seen"] == "it was asked"
    assert checks["uses_targets"]["status"] == "passed" and checks["overfits_one_batch"]["status"] == "passed"
    assert report["assembled"]["data"] == "images at dusk" and report["assembled"]["architecture"] == "two_pools"
    assert (tmp_path / "out" / "drawings" / "predictions.png").exists()


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("experiment=age", "backbone=resnet18"), "nothing else was measured"),
        (("experiment=age", "task.image_size=32"), "smaller faces say nothing"),
        (("experiment=age", "architecture=backbone_head"), "architecture=backbone_head does not fit task=age"),
        (("experiment=age", "backbone.out_channels=17"), "its last map has 16 channels"),
        (("task=classification", "backbone=thin", "architecture=two_pools"), "it is built for age"),
    ],
)
def test_rules_of_ones_own_are_kept(arguments, said, repository):
    done = repository(*arguments, "sanity=quick")
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_nothing_of_it_runs_without_trust(repository):
    done = repository("experiment=age", trust="")
    assert done.returncode == 2 and done.stderr.count("is not trusted") == 6, done.stderr
    assert "AISTUDIO_TRUST=parts" in done.stderr
