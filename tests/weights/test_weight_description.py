"""A file is described in a few lines, from its header alone."""

import pytest
import torch
from torchvision import models

from aistudio.weights.describe import facts, part_of
from aistudio.weights.header import read_header


def described(content, folder):
    path = folder / "last.pth"
    torch.save(content, path)
    header = read_header(path)
    return facts(path, header, part_of(header), "0123456789abcdef")


@pytest.fixture(scope="module")
def state():
    return models.mobilenet_v3_small(weights=None, num_classes=7).state_dict()


def test_a_plain_file(state, tmp_path):
    said = described(state, tmp_path)
    assert said["written by"] == "torchvision's EfficientNet or MobileNet"
    assert said["channels"] == "3 (features.0.0.weight)"
    assert said["classes"] == "7 outputs (classifier.3.weight)"
    assert said["holds"] == "244 tensors, 1.54 M numbers, float"
    assert "SHA-256 01234567…" in said["file"]
    assert not {"taken from", "wrappers", "code"} & said.keys()


def test_a_file_of_a_training_loop(state, tmp_path):
    wrapped = {f"module.{name}": tensor.half() for name, tensor in state.items() if "classifier" not in name}
    said = described({"model": state, "model_ema": wrapped, "epoch": 3}, tmp_path)
    assert said["taken from"] == "model_ema, a moving average; also there: model"
    assert said["wrappers"] == "module.features.0.0.weight is read as features.0.0.weight"
    assert said["classes"].startswith("no layer")
    assert said["holds"].endswith("half")


def test_a_file_with_code_is_described_all_the_same(state, tmp_path):
    said = described({"state_dict": state, "loss": torch.nn.BCELoss()}, tmp_path)
    assert "torch.nn.modules.loss.BCELoss" in said["code"] and said["classes"].startswith("7 outputs")


def test_a_file_without_tensors(tmp_path):
    assert described({"epoch": 3}, tmp_path)["holds"] == "no tensors by name: epoch"
