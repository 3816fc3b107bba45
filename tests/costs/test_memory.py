"""The forecast of a step's memory against torch's allocator, and the traps on the way to it."""

import random
from functools import partial

import pytest
import torch
import torchvision
from real_steps import classification, cross_entropy, measured
from torch import nn

from aistudio.costs.live_bytes import LiveBytes
from aistudio.costs.memory import Forecaster

resnet18 = partial(torchvision.models.resnet18, num_classes=10)
mobilenet = partial(torchvision.models.mobilenet_v3_small, num_classes=10)


class Forked(nn.Module):
    """Two branches whose gradients meet at the highest point of the step."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16, 10)

    def forward(self, x):
        x = self.first(x)
        return self.last(x.mean((2, 3)) + 2 * x.mean((2, 3)))


class Gated(nn.Module):
    """SiLU, a grouped convolution, a map that several operators save, and resizing."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3, padding=1)
        self.grouped = nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.norm = nn.BatchNorm2d(24)
        self.last = nn.Linear(24, 10)

    def forward(self, x):
        x = nn.functional.silu(self.conv(x))
        x = self.norm(self.grouped(x)) * x.sigmoid() * x
        return self.last(nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear").mean((2, 3)))


class Layered(nn.Module):
    """Normalised over layers: float32 on CUDA under autocast, not on a CPU."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(3, 32, 3), nn.LayerNorm((32, 30, 30)), nn.Linear(32, 10)

    def forward(self, x):
        return self.last(self.norm(self.conv(x)).mean((2, 3)))


class Attending(nn.Module):
    """Attention between 1024 places, whose pairs alone would take 4 MiB an image."""

    def __init__(self):
        super().__init__()
        self.mixed, self.last = nn.Linear(3, 3 * 16), nn.Linear(16, 10)

    def forward(self, x):
        query, key, value = self.mixed(x.flatten(2).transpose(1, 2))[:, None].chunk(3, -1)
        return self.last(nn.functional.scaled_dot_product_attention(query, key, value)[:, 0].mean(1))


def batch(count, size):
    return torch.rand(count, 3, size, size), torch.zeros(count, dtype=torch.int64)


@pytest.mark.parametrize(("build", "size"), [(resnet18, 96), (mobilenet, 96), (Forked, 48), (Gated, 48)])
def test_training_is_what_the_allocator_saw(build, size):
    workload = classification(build, size)
    assert Forecaster(workload).training(6).bytes == pytest.approx(
        measured(workload, *batch(6, size)).tensors, rel=5e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("build", [resnet18, mobilenet, Layered])
def test_bfloat16_is_what_the_allocator_saw(build):
    workload = classification(build, 32, precision=torch.bfloat16)
    assert Forecaster(workload).training(8).bytes == pytest.approx(measured(workload, *batch(8, 32)).tensors, rel=2e-3)


def test_attention_is_fused_as_on_devices():
    workload = classification(Attending, 32)
    forecast = Forecaster(workload).training(4).bytes
    assert forecast == pytest.approx(measured(workload, *batch(4, 32)).tensors, rel=2e-3)
    assert forecast < 4 * 1024 * 1024 * 4


def test_the_sum_of_two_gradients_is_no_third_tensor(monkeypatch):
    workload = classification(Forked, 48)
    right = measured(workload, *batch(4, 48)).tensors
    assert Forecaster(workload).training(4).bytes == pytest.approx(right, rel=5e-4)
    monkeypatch.setattr(LiveBytes, "_sums_gradients", lambda *arguments: False)
    assert Forecaster(workload).training(4).bytes > 1.1 * right


def test_the_optimizer_has_its_state_before_the_backward_pass():
    peak = Forecaster(classification(Forked, 48)).training(4)
    weights = sum(p.numel() * 4 for p in Forked().parameters())
    assert peak.phase == "backward"
    assert peak.by_kind["weights"] == weights
    assert peak.by_kind["optimizer"] == pytest.approx(2 * weights, abs=4 * len(list(Forked().parameters())))


def test_parameters_without_gradient_have_no_state():
    class Unused(Forked):
        def __init__(self):
            super().__init__()
            self.never = nn.Linear(1000, 1000)

    used, unused = (Forecaster(classification(build, 48)).training(4).bytes for build in (Forked, Unused))
    assert unused - used == 1_001_000 * 4


def test_a_frozen_backbone_keeps_nothing_for_its_gradients():
    def frozen():
        model = resnet18()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("fc."))
        return model

    forecast = Forecaster(classification(frozen, 64)).training(4)
    assert forecast.bytes < Forecaster(classification(resnet18, 64)).training(4).bytes / 3
    assert forecast.bytes == pytest.approx(measured(classification(frozen, 64), *batch(4, 64)).tensors, rel=5e-4)


def test_cuda_optimizers_work_on_lists_of_tensors():
    def wide():
        return nn.Sequential(nn.Flatten(), *(nn.Linear(192, 192) for _ in range(8)))

    changes = {"optimizer": torch.optim.AdamW}
    cpu, cuda = (Forecaster(classification(wide, 8, **changes, backend=b)).training(1) for b in ("cpu", "cuda"))
    assert cuda.phase == "optimizer"
    assert cuda.bytes > cpu.bytes + 4 * 192 * 192 * 4


def test_cuda_normalises_in_float32_under_autocast():
    half = {"precision": torch.bfloat16}
    cpu, cuda = (Forecaster(classification(Layered, 32, **half, backend=b)).training(64) for b in ("cpu", "cuda"))
    map_in_bytes = 64 * 32 * 30 * 30 * 2
    assert cuda.bytes > cpu.bytes + map_in_bytes


def test_inference_keeps_no_activations():
    forecaster = Forecaster(classification(resnet18, 96))
    inference, training = forecaster.inference(8), forecaster.training(8)  # what inference left must not break a step
    assert inference.bytes < training.bytes / 2
    assert inference.by_kind["gradients"] == inference.by_kind["optimizer"] == 0


def test_a_map_that_many_operators_save_is_counted_once():
    class Saved(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 64, 1), nn.Linear(64, 10)

        def forward(self, x):
            x = self.conv(x).sigmoid()
            return self.last((x * x.mean((2, 3), keepdim=True)).mean((2, 3)) + (x * 2.0).mean((2, 3)))

    saved = []
    model, (images, classes) = Saved(), batch(2, 64)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.nbytes) or t, lambda t: t):
        sum(cross_entropy(model, images, classes).values())
    forecast = Forecaster(classification(Saved, 64)).training(2)
    assert forecast.bytes == pytest.approx(measured(classification(Saved, 64), images, classes).tensors, rel=1e-3)
    assert sum(saved) > 2 * 64 * 64 * 64 * 4 * 2  # the naive sum counts the map of 2 MiB again and again


@pytest.mark.parametrize("count", [1, 7, 4096])
def test_any_batch_costs_no_memory(count):
    peak = Forecaster(classification(mobilenet, 224)).training(count)
    assert peak.bytes > count * 3 * 224 * 224 * 4
    assert peak.place.startswith(("features.", "classifier"))


def test_models_whose_builders_read_numbers():
    build = partial(torchvision.models.convnext_tiny, num_classes=10)  # trunc_normal_
    assert Forecaster(classification(build, 64)).training(2).bytes > 3 * 27_800_000 * 4

    def reading():
        torch.linspace(0, 0.1, 4).tolist()
        return resnet18()

    assert Forecaster(classification(reading, 64)).training(2) == Forecaster(classification(resnet18, 64)).training(2)


@pytest.mark.slow
def test_pretrained_weights_are_not_fetched_but_heeded(monkeypatch):
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *a, **k: pytest.fail("downloads"))
    build = partial(torchvision.models.detection.fasterrcnn_resnet50_fpn, weights=None, num_classes=4, min_size=512)
    plain, frozen = (
        Forecaster(detection(partial(build, weights_backbone=weights), 128)).training(1).bytes
        for weights in (None, torchvision.models.ResNet50_Weights.DEFAULT)
    )
    assert frozen < plain * 0.8


def detection(build, size, objects=2):
    def one(count):
        target = {"boxes": torch.tensor([[1.0, 1, 20, 20]] * objects), "labels": torch.ones(objects, dtype=torch.int64)}
        return [torch.rand(3, size, size) for _ in range(count)], [target for _ in range(count)]

    return classification(build, size, loss=lambda m, x, y: m(x, y), one=one(1), two=one(2))


def test_nothing_else_is_touched():
    workload = classification(mobilenet, 64)
    torch.manual_seed(3)
    random.seed(3)
    expected = torch.rand(1), random.random()
    torch.manual_seed(3)
    random.seed(3)
    load = nn.Module.load_state_dict
    Forecaster(workload).training(2)
    assert (torch.rand(1), random.random()) == expected
    assert torch.get_default_device() == torch.device("cpu")
    assert nn.Module.load_state_dict is load
