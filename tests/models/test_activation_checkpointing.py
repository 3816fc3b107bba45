"""Stages that are computed twice: the same numbers, fewer of them kept."""

import copy
from functools import partial

import torch
import torchvision

from aistudio.models.activation_checkpointing import checkpoint_stages

resnet18 = partial(torchvision.models.resnet18, num_classes=10)


def gradients(model, images):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.nbytes) or t, lambda t: t):
        loss = model(images).square().sum()
    loss.backward()
    return [p.grad for p in model.parameters()], sum(kept)


def test_the_same_gradients_with_fewer_activations():
    model, images = resnet18(), torch.rand(2, 3, 64, 64)
    twice = checkpoint_stages(copy.deepcopy(model))
    (plain, most), (again, less) = gradients(model, images), gradients(twice, images)
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))
    assert less < most / 2
    assert twice.state_dict().keys() == model.state_dict().keys()


def test_copies_compute_with_their_own_weights():
    model = checkpoint_stages(resnet18())
    other = copy.deepcopy(model)
    for parameter in other.parameters():
        torch.nn.init.zeros_(parameter)
    assert other(torch.rand(2, 3, 64, 64)).abs().max() == 0


def test_frozen_stages_are_computed_once():
    model = resnet18()
    for parameter in model.layer1.parameters():
        parameter.requires_grad_(False)
    checkpoint_stages(model)
    assert "forward" not in vars(model.layer1)
    assert "forward" in vars(model.layer2)


def test_eval_mode_is_left_alone():
    model, images = resnet18().eval(), torch.rand(1, 3, 64, 64)
    assert torch.equal(checkpoint_stages(copy.deepcopy(model))(images), model(images))
