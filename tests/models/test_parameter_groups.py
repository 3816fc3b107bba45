"""Every trainable parameter is in exactly one group, at its rate and with its decay."""

import pytest
import torch
from torch import nn
from torchvision import models

from aistudio.models.parameter_groups import parameter_groups


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = models.mobilenet_v3_small(weights=None).features
        self.norm = nn.LayerNorm((4, 4))  # two-dimensional, and a normalisation all the same
        self.head = nn.Linear(4, 4)
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.head.weight
        self.scale = nn.Parameter(torch.ones(()))


def names_of(model, group):
    places = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        places.setdefault(id(parameter), name)
    return [places[id(parameter)] for parameter in group["params"]]


def test_none_is_forgotten_and_none_is_there_twice():
    model = Model()
    model.backbone[0].requires_grad_(False)
    groups = parameter_groups(model, lr=0.1, weight_decay=0.01, backbone_lr=0.01)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted({id(p) for p in model.parameters() if p.requires_grad})
    torch.optim.SGD(groups, lr=1.0)  # which refuses what is there twice


def test_rates_and_decays():
    model = Model()
    groups = {one["name"]: one for one in parameter_groups(model, lr=0.1, weight_decay=0.01, backbone_lr=0.02)}
    assert {name: (one["lr"], one["weight_decay"]) for name, one in groups.items()} == {
        "backbone": (0.02, 0.01),
        "backbone_no_decay": (0.02, 0.0),
        "rest": (0.1, 0.01),
        "rest_no_decay": (0.1, 0.0),
    }
    assert names_of(model, groups["rest"]) == ["head.weight"]
    assert names_of(model, groups["rest_no_decay"]) == ["scale", "norm.weight", "norm.bias", "head.bias", "tied.bias"]
    assert all(parameter.ndim == 4 or parameter.ndim == 2 for parameter in groups["backbone"]["params"])
    assert all(parameter.ndim == 1 for parameter in groups["backbone_no_decay"]["params"])


def test_a_rate_for_nothing_is_an_error():
    with pytest.raises(ValueError, match="backbone_lr"):
        parameter_groups(nn.Linear(2, 2), lr=0.1, backbone_lr=0.01)
    assert [group["name"] for group in parameter_groups(nn.Linear(2, 2), lr=0.1)] == ["rest", "rest_no_decay"]


@pytest.mark.parametrize("build", [nn.Identity, lambda: nn.Linear(2, 2).requires_grad_(False)])
def test_a_model_without_trainable_parameters_has_no_groups(build):
    assert parameter_groups(build(), lr=0.1) == []
