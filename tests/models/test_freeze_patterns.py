"""What is to be frozen is found by stages and by patterns; what matches nothing is refused."""

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from aistudio.errors import Refusal
from aistudio.models.freeze_patterns import freeze_names, names_to_freeze, parts

RESNET = ["layer1", "layer2", "layer3", "layer4"]
MOBILE = ["features.3", "features.6", "features.12", "features.16"]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = models.resnet18(weights=None)
        self.backbone.fc = nn.Identity()
        self.head = nn.Linear(512, 2)


@pytest.fixture(scope="module")
def model():
    with torch.device("meta"):
        return Model()


def tops(names):
    return list(dict.fromkeys(name.split(".")[1] for name in names))


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        (False, []),
        (0, []),
        (1, ["conv1", "bn1", "layer1"]),
        (2, ["conv1", "bn1", "layer1", "layer2"]),
        (4, ["conv1", "bn1", *RESNET]),
        (True, ["conv1", "bn1", *RESNET]),
        ("backbone", ["conv1", "bn1", *RESNET]),
        ("backbone.layer1", ["layer1"]),
        (["*.conv1.weight"], ["conv1", *RESNET]),
        (["backbone.bn1.*", "backbone.layer2."], ["bn1", "layer2"]),
        ("head", ["weight", "bias"]),
    ],
)
def test_names(frozen, expected, model):
    assert tops(names_to_freeze(model, frozen, "backbone.", RESNET)) == expected


@pytest.mark.parametrize(
    ("build", "prefix", "taps", "last"),
    [
        (fasterrcnn_resnet50_fpn, "backbone.body.", RESNET, "backbone.body.layer2"),
        (lraspp_mobilenet_v3_large, "backbone.", MOBILE, "backbone.6"),
    ],
)
def test_stages_inside_of_torchvisions_models(build, prefix, taps, last):
    with torch.device("meta"):
        model = build(weights=None, weights_backbone=None)
    names = names_to_freeze(model, 2, prefix, taps)
    assert names[-1].startswith(f"{last}.") and all(name.startswith(prefix) for name in names)
    following = names_to_freeze(model, 3, prefix, taps)[len(names)]
    assert not following.startswith(f"{last}.")


@pytest.mark.parametrize(
    ("frozen", "words"),
    [
        (["backbone.layr1"], ["backbone.layr1 matches nothing", "backbone.layer1"]),
        (["backbone.layer1", "haed.*"], ["haed.* matches nothing", "head"]),
        (5, ["backbone.frozen=5", "4 stages"]),
        (-1, ["backbone.frozen=-1"]),
    ],
)
def test_what_matches_nothing_is_refused(frozen, words, model):
    with pytest.raises(Refusal) as refused:
        names_to_freeze(model, frozen, "backbone.", RESNET)
    assert all(word in str(refused.value) for word in words), refused.value


def test_a_batch_norm_is_still_only_if_all_of_it_is_frozen():
    model = Model()
    assert freeze_names(model, names_to_freeze(model, "*.weight", "backbone.", RESNET)) == []
    assert not model.backbone.conv1.weight.requires_grad and model.backbone.bn1.bias.requires_grad
    still = freeze_names(model, names_to_freeze(model, 1, "backbone.", RESNET))
    assert still[0] == "backbone.bn1" and len(still) == 5
    assert model.head.bias.requires_grad and model.backbone.layer2[0].bn1.bias.requires_grad


def test_parts_are_counted():
    model = Model()
    freeze_names(model, names_to_freeze(model, True, "backbone.", RESNET))
    assert parts(model, "backbone.") == {"backbone": (0, 11176512), "head": (1026, 0)}
