"""The doctor says what a file is, which models it fits and how to use it, and runs nothing in it."""

import os
import shlex

import pytest
import torch
from torchvision import models

from aistudio.assembly.model import assemble
from aistudio.cli.main import main
from aistudio.config.compose import compose

SMALL = models.mobilenet_v3_small(weights=None, num_classes=7).state_dict()


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.system, (f"touch {self.marker}",))


@pytest.fixture
def doctor(tmp_path, capsys):
    def call(content):
        path = tmp_path / "last.pth"
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        code = main(["doctor", str(path)])
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return call


def test_the_line_that_it_gives_builds_the_model(doctor):
    code, text, _ = doctor({"state_dict": {f"model.{name}": tensor for name, tensor in SMALL.items()}})
    assert code == 0 and len(text.splitlines()) <= 12
    assert "backbone=mobilenet_v3_small: 206 of 206 tensors; without model. before the names" in text
    assert "7 outputs (model.classifier.3.weight)" in text
    words = shlex.split(text.splitlines()[-1])
    model = assemble(compose(*words[words.index("aistudio") + 1 :]))
    assert torch.equal(model.backbone.model.features[0][0].weight, SMALL["features.0.0.weight"])


def test_a_whole_model_of_ours_is_known_again(doctor):
    ours = assemble(compose("backbone=resnet18", "task.num_classes=4"))
    code, text, _ = doctor(ours.state_dict())
    assert code == 0 and "task.num_classes=4 architecture.weights=" in text
    assert "aistudio's backbone with a head" in text


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", 2, "empty"),
        (b"<!doctype html>", 2, "web page"),
        ({"epoch": 3}, 2, "no tensors by name"),
        ({"conv_stem.weight": torch.rand(8, 3, 3, 3), "blocks.0.0.conv_dw.weight": torch.rand(8, 1, 3, 3)}, 1, "timm"),
        ({"a\x1b[31m.weight": torch.rand(3)}, 1, "none of the models that ship"),
    ],
)
def test_what_fits_nothing_is_said(content, code, word, doctor):
    found, out, err = doctor(content)
    assert found == code and word in out + err and "Traceback" not in err and "\x1b" not in out


def test_code_in_a_file_is_named_and_not_run(doctor, tmp_path):
    code, out, _ = doctor({"state_dict": SMALL, "args": Bomb(tmp_path / "executed")})
    assert code == 2 and ".system" in out and not (tmp_path / "executed").exists()


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["doctor", str(tmp_path / "none.pth")]) == 2
    assert "no such file" in capsys.readouterr().err
