"""Activations by three roads: where torch dispatches, by hooks on modules, by hand; and the published figures."""

import pytest
import torch
from real_steps import classification
from torch import nn
from torchvision import models

from aistudio.costs.arithmetic import Arithmetic
from aistudio.costs.memory import Forecaster

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)


def counted(model, *shape):
    with Arithmetic() as arithmetic, torch.no_grad():
        model.eval()(torch.rand(*shape, device=next(model.parameters()).device))
    return arithmetic.activations


def by_hooks(model, *shape):
    """The elements that convolution modules return."""
    written = []
    for module in model.modules():
        if isinstance(module, CONVOLUTIONS):
            module.register_forward_hook(lambda _, __, result: written.append(result.numel()))
    with torch.no_grad():
        model.eval()(torch.rand(*shape, device=next(model.parameters()).device))
    return sum(written)


def meta(name):
    with torch.device("meta"):
        return models.get_model(name, weights=None)


PUBLISHED = {  # millions at the size in pixels, one image: timm's results/model_metadata-in1k and the papers
    "resnet18": (224, 2.5),
    "resnet50": (224, 11.1),
    "resnet101": (224, 16.2),
    "efficientnet_b0": (224, 6.7),
    "mobilenet_v3_large": (224, 4.4),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_activations_are_those_that_are_published(name):
    size, millions = PUBLISHED[name]
    assert counted(meta(name), 1, 3, size, size) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_activations_are_what_convolution_modules_return(name):
    assert counted(meta(name), 2, 3, 96, 96) == by_hooks(meta(name), 2, 3, 96, 96) > 0


@pytest.mark.parametrize(
    ("layer", "shape", "written"),
    [
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), (2, 3, 32, 32), 2 * 8 * 16 * 16),
        (nn.Conv2d(8, 8, 5, groups=8), (1, 8, 20, 21), 8 * 16 * 17),
        (nn.Conv1d(4, 2, 3), (1, 4, 10), 2 * 8),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (1, 4, 5, 5), 6 * 10 * 10),
        (nn.Linear(4, 6), (3, 4), 0),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)), (1, 3, 8, 8), 0),
    ],
)
def test_activations_of_a_layer_by_hand(layer, shape, written):
    assert counted(layer, *shape) == written


def test_functional_convolutions_count_which_hooks_on_modules_miss():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(4, 3, 3, 3))

        def forward(self, x):
            return nn.functional.conv2d(x, self.weight)

    assert by_hooks(Functional(), 1, 3, 8, 8) == 0
    assert counted(Functional(), 1, 3, 8, 8) == 4 * 6 * 6


def test_the_forecast_counts_what_a_real_pass_does():
    forecaster = Forecaster(classification(lambda: models.resnet18(num_classes=10), 64))
    told = forecaster.inference(1, operations=True)
    assert told.activations == counted(models.resnet18(num_classes=10), 1, 3, 64, 64)
