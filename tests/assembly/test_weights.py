"""Pretrained weights load through torchvision's real code from a file in torch's cache, without the network."""

import pytest
import torch
from torchvision import models

from aistudio.assembly.model import assemble
from aistudio.config.compose import compose
from aistudio.errors import Refusal


@pytest.fixture
def cached(tmp_path, monkeypatch, any_published_file):
    """Put a state dict into torch's cache under the name that a torchvision weight entry downloads to."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)

    def save(name: str, weights: str) -> dict[str, torch.Tensor]:
        torch.manual_seed(7)
        state = models.get_model(name).state_dict()
        torch.save(state, folder / models.get_model_weights(name)[weights].url.rsplit("/", 1)[1])
        return state

    return save


def test_a_backbone_starts_from_its_weights(cached):
    state = cached("mobilenet_v3_small", "IMAGENET1K_V1")
    model = assemble(compose("backbone=mobilenet_v3_small", "backbone.weights=IMAGENET1K_V1", "task=regression"))
    own = model.backbone.model.state_dict()
    assert own and all(torch.equal(tensor, state[name]) for name, tensor in own.items())


def test_a_full_architecture_starts_from_its_backbones_weights(cached):
    state = cached("mobilenet_v3_large", "IMAGENET1K_V2")
    model = assemble(compose("task=segmentation", "architecture=lraspp", "backbone.weights=DEFAULT"))
    own = model.backbone.state_dict()
    assert own and all(torch.equal(tensor, state[f"features.{name}"]) for name, tensor in own.items())


@pytest.mark.parametrize("line", ["task=object_detection", "task=oriented_object_detection", "task=segmentation"])
def test_without_weights_nothing_is_downloaded(line, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a download was tried")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    assemble(compose(line))


def test_a_frozen_backbone_with_weights_is_what_it_was(cached):
    cached("mobilenet_v3_small", "IMAGENET1K_V1")
    cfg = compose("backbone=mobilenet_v3_small", "backbone.weights=DEFAULT", "backbone.frozen=true")
    model = assemble(cfg)
    before = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    model.train()(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.backbone.state_dict().items())
    assert all(parameter.grad is None for parameter in model.backbone.parameters())


def test_a_file_in_the_cache_that_is_not_the_published_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "mobilenet_v3_small-047dcff4.pth"
    path.parent.mkdir(parents=True)
    torch.save(models.mobilenet_v3_small().state_dict(), path)
    with pytest.raises(Refusal, match="is not the file that was published") as refused:
        assemble(compose("backbone=mobilenet_v3_small", "backbone.weights=DEFAULT"))
    problem = refused.value.problems[0]
    assert "not with 047dcff4" in problem.why and f"backbone.weights={path}" in problem.instead
    assemble(compose("backbone=mobilenet_v3_small", f"backbone.weights={path}"))


UNLISTED = ("backbone=resnet18", "backbone.name=mine", "backbone.pretrained=null", "backbone.weights=IMAGENET1K_V1")


def test_names_in_no_list_are_as_offline_as_the_others(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("torch.hub.urlopen", None)  # whoever calls it breaks
    with pytest.raises(Refusal, match="is not on this machine: resnet18-f37072fd.pth"):
        assemble(compose(*UNLISTED, "offline=true"))


def test_names_in_no_list_do_not_pass_over_the_mirror_without_a_word(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("torch.hub.urlopen", None)
    file = tmp_path / "mirror" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    file.parent.mkdir(parents=True)
    torch.save(models.resnet18().state_dict(), file)
    mirror = f"weights_dir={tmp_path / 'mirror'}"
    with pytest.raises(Refusal, match="is in no list of conf/") as refused:
        assemble(compose(*UNLISTED, mirror))
    advice = refused.value.problems[0].instead
    assert f"backbone.weights={file}" in advice
    taken = assemble(compose(*UNLISTED[:-1], f"backbone.weights={file}", mirror))
    assert torch.equal(taken.backbone.model[0].weight, torch.load(file)["conv1.weight"]), "the advice works"
