"""A user's own file fills a backbone or a whole model; frozen parts stay as they were, bit for bit."""

import hashlib

import pytest
import torch
from torchvision import models

from aistudio.assembly.model import assemble, built
from aistudio.assembly.parts import build_task
from aistudio.assembly.weights_in_words import as_entry
from aistudio.config.compose import compose, settle
from aistudio.errors import Refusal

SMALL = "backbone=mobilenet_v3_small"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A classifier as a training loop saves it, under DDP and with an average."""
    torch.manual_seed(5)
    state = {f"module.{name}": one for name, one in models.mobilenet_v3_small(weights=None).state_dict().items()}
    path = tmp_path_factory.mktemp("runs") / "last.pth"
    torch.save({"model": state, "epoch": 7}, path)
    return path, {name.removeprefix("module."): one for name, one in state.items()}


def test_a_classifiers_file_fills_a_backbone(file):
    path, state = file
    own = assemble(compose(SMALL, f"backbone.weights={path}", "task=regression")).backbone.model.state_dict()
    assert own and all(torch.equal(tensor, state[name]) for name, tensor in own.items())


def test_what_state_dict_gave_fills_the_whole_model_again(tmp_path):
    before = assemble(compose(SMALL, "task.num_classes=4"), seed=3)
    torch.save(before.state_dict(), tmp_path / "whole.pth")
    line = (SMALL, f"architecture.weights={tmp_path / 'whole.pth'}")
    after = assemble(compose(*line, "task.num_classes=4"), seed=4).state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.state_dict().items())
    other = assemble(compose(*line, "task.num_classes=6"), seed=4).state_dict()
    differ = {name for name, one in before.state_dict().items() if not torch.equal(one, other[name])}
    assert differ == {"head.fc.weight", "head.fc.bias"}


def test_a_classifiers_file_fills_a_segmentation_models_backbone(tmp_path):
    state = models.mobilenet_v3_large(weights=None).state_dict()
    torch.save(state, tmp_path / "large.pth")
    cfg = compose("task=segmentation", "architecture=lraspp", f"backbone.weights={tmp_path / 'large.pth'}")
    own = assemble(cfg).backbone.state_dict()
    assert all(torch.equal(tensor, state[f"features.{name}"]) for name, tensor in own.items())


def test_a_mirror_is_used_and_nothing_is_asked_of_the_network(tmp_path, monkeypatch, any_published_file):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    folder = tmp_path / "mirror" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = models.mobilenet_v3_small(weights=None).state_dict()
    torch.save(state, folder / "mobilenet_v3_small-047dcff4.pth")
    cfg = compose(SMALL, "backbone.weights=DEFAULT", f"weights_dir={tmp_path / 'mirror'}", "offline=true")
    assert torch.equal(assemble(cfg).backbone.model.features[0][0].weight, state["features.0.0.weight"])


def test_the_ledger_knows_the_digest_of_the_file(file):
    judged = settle(compose(SMALL, f"backbone.weights={file[0]}"))
    (ledger,) = built(judged, build_task(judged), None).loaded
    assert ledger.sha256 == hashlib.sha256(file[0].read_bytes()).hexdigest() == as_entry(ledger)["sha256"]


@pytest.mark.parametrize("frozen", [1, 3, "true", "[backbone.model.features.0]", "[head,backbone.*.1.*]"])
def test_what_is_frozen_stays_to_the_bit_through_steps(frozen, file):
    model = assemble(compose(SMALL, f"backbone.weights={file[0]}", f"backbone.frozen={frozen}"))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad] or [torch.zeros(1)], lr=0.1)
    for _ in range(2):
        model.train()(torch.rand(2, 3, 64, 64)).square().sum().backward()
        optimizer.step()
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    held = {name for name, one in model.named_parameters() if not one.requires_grad}
    assert held and not held & moved and moved
    if frozen == 1:
        assert {name.split(".")[3] for name in held} == {"0", "1"}  # the first tap is features.1


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["backbone.frozen=[layer9]"], ["layer9 matches nothing"]),
        (["backbone.weights=/nowhere/last.pth"], ["no such file"]),
        (["architecture.weights=DEFAULT"], ["nobody publishes", "backbone.weights=DEFAULT"]),
        (["backbone=resnet18", "backbone.weights={file}"], ["does not fit backbone=resnet18", "aistudio doctor"]),
    ],
)
def test_what_cannot_be_loaded_or_frozen_is_refused(lines, words, file):
    with pytest.raises(Refusal) as refused:
        assemble(compose(SMALL, *(line.format(file=file[0]) for line in lines)))
    assert all(word in str(refused.value) for word in words), refused.value
