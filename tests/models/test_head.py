"""The pooled head, the losses and the normalisation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models
from torchvision.transforms.functional import normalize as torchvision_normalize

from aistudio.data.imagenet import MEAN, STD, normalize
from aistudio.models.backbone import BackboneWrapper
from aistudio.models.head import BackboneWithHead, PooledHead
from aistudio.tasks.contracts import tensor_problems
from aistudio.tasks.losses import CrossEntropyDiceLoss, DiceLoss, FocalLoss, apply

TAPS = {"layer1": 64, "layer2": 128, "layer3": 256, "layer4": 512}


def test_a_backbone_with_a_head_is_torchvisions_classifier():
    torch.manual_seed(0)
    model = models.resnet18(weights=None).eval()
    ours = BackboneWithHead(BackboneWrapper(model, "resnet18", TAPS), 1000, dropout=0.5).eval()
    ours.head.fc.load_state_dict(model.fc.state_dict())
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(ours(x), model(x))


def test_the_head_pools_any_size_and_drops_out_only_in_training():
    head = PooledHead(8, 3, dropout=0.5)
    features = torch.randn(2, 8, 5, 7)
    assert head(features).shape == head(features[:, :, :1, :1]).shape == (2, 3)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), F.linear(features.mean((2, 3)), head.fc.weight, head.fc.bias)) or torch.allclose(
        head(features), F.linear(features.mean((2, 3)), head.fc.weight, head.fc.bias), atol=1e-6
    )


def test_normalize_is_torchvisions():
    images = torch.rand(2, 3, 4, 5)
    assert torch.allclose(normalize(images), torchvision_normalize(images, MEAN, STD), atol=1e-6)
    assert normalize(images.double()).dtype == torch.float64


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_loss_is_weighted_cross_entropy(gamma):
    logits, targets = torch.randn(4, 3, 5, 5), torch.randint(3, (4, 5, 5))
    targets[0] = 255
    entropy = F.cross_entropy(logits, targets, ignore_index=255, reduction="none")
    expected = ((1 - (-entropy).exp()) ** gamma * entropy)[targets != 255].mean()
    assert torch.allclose(FocalLoss(gamma, 255)(logits, targets), expected, atol=1e-5)


def test_dice_loss_of_right_and_wrong_masks():
    targets = torch.randint(3, (2, 8, 8))
    right = F.one_hot(targets, 3).permute(0, 3, 1, 2) * 50.0
    assert DiceLoss()(right, targets) < 1e-3
    assert DiceLoss()(-right, targets) > 0.8
    ignored = targets.clone()
    ignored[:, :4] = 255
    wrong_where_ignored = right.clone()
    wrong_where_ignored[:, :, :4] *= -1
    assert DiceLoss()(wrong_where_ignored, ignored) < 1e-3


@pytest.mark.parametrize("loss", [FocalLoss(ignore_index=255), DiceLoss(), CrossEntropyDiceLoss()])
def test_losses_are_finite_at_the_edges(loss):
    everything_ignored = torch.full((2, 4, 4), 255)
    for scale in (0.0, 1.0, 1e3):
        logits = (torch.randn(2, 3, 4, 4) * scale).requires_grad_()
        for targets in (everything_ignored, torch.randint(3, (2, 4, 4))):
            value = loss(logits, targets)
            (gradient,) = torch.autograd.grad(value, logits)
            assert value.isfinite() and gradient.isfinite().all()


def test_class_weights_follow_the_output():
    loss = nn.CrossEntropyLoss(weight=torch.ones(3))
    output = torch.empty(2, 3, device="meta")
    assert apply(loss, output, torch.empty(2, dtype=torch.int64, device="meta")).device.type == "meta"
    assert apply(lambda a, b: a - b, torch.tensor(3.0), torch.tensor(1.0)) == 2


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ({"out": 1}, "is dict"),
        (torch.zeros(2, 4), "shape (2, 4)"),
        (torch.zeros(2, 3, dtype=torch.int64), "torch.int64"),
        (torch.full((2, 3), float("nan")), "NaN"),
    ],
)
def test_broken_outputs_are_named(output, problem):
    assert problem in tensor_problems(output, (2, 3))[0]
    assert tensor_problems(torch.zeros(2, 3), (2, 3)) == []
