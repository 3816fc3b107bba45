"""The wrapper against torchvision: the same bits, the same names, at every scale; and models nobody has described."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

from aistudio.errors import Refusal
from aistudio.models.backbone import BackboneWrapper
from aistudio.models.freeze import freeze

RESNETS = dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101"), ("layer1", "layer2", "layer3", "layer4"))
EFFICIENTNETS = {f"efficientnet_b{i}": tuple(f"features.{k}" for k in (2, 3, 5, 8)) for i in range(5)}
MOBILENETS = {
    "mobilenet_v3_small": ("features.1", "features.3", "features.8", "features.12"),
    "mobilenet_v3_large": ("features.3", "features.6", "features.12", "features.16"),
}
PATHS = RESNETS | EFFICIENTNETS | MOBILENETS
CHANNELS = {
    **dict.fromkeys(("resnet18", "resnet34"), (64, 128, 256, 512)),
    **dict.fromkeys(("resnet50", "resnet101"), (256, 512, 1024, 2048)),
    **dict.fromkeys(("efficientnet_b0", "efficientnet_b1"), (24, 40, 112, 1280)),
    "efficientnet_b2": (24, 48, 120, 1408),
    "efficientnet_b3": (32, 48, 136, 1536),
    "efficientnet_b4": (32, 56, 160, 1792),
    "mobilenet_v3_small": (16, 24, 48, 576),
    "mobilenet_v3_large": (24, 40, 112, 960),
}
FEATS = ("feat1", "feat2", "feat3", "feat4")


def taps_of(name):
    return dict(zip(PATHS[name], CHANNELS[name], strict=True))


def plain(model, x):
    """Torchvision's own features, as its forward computes them."""
    if hasattr(model, "features"):
        return model.features(x)
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    return model.layer4(model.layer3(model.layer2(model.layer1(x))))


def small(taps=True):
    torch.manual_seed(0)
    model = models.mobilenet_v3_small(weights=None)
    return BackboneWrapper(model, "mobilenet_v3_small", taps_of("mobilenet_v3_small") if taps else None)


@pytest.mark.parametrize("name", PATHS)
def test_same_bits_as_torchvision_in_train_and_eval(name):
    torch.manual_seed(0)
    model = models.get_model(name, weights=None)
    twin = copy.deepcopy(model)
    wrapper = BackboneWrapper(model, name, taps_of(name))
    x = torch.randn(2, 3, 64, 64)
    for train in (True, False):
        wrapper.train(train)
        twin.train(train)
        torch.manual_seed(1)
        expected = plain(twin, x)
        torch.manual_seed(1)
        assert torch.equal(wrapper(x), expected)
    for (key, value), (other, buffer) in zip(wrapper.model.named_buffers(), twin.named_buffers(), strict=True):
        assert key == other
        assert torch.equal(value, buffer)


@pytest.mark.parametrize("name", PATHS)
def test_scales_of_every_backbone_given_and_derived(name):
    with torch.device("meta"):
        model = models.get_model(name, weights=None)
        derived, given = BackboneWrapper(model, name), BackboneWrapper(model, name, taps_of(name))
        maps = given.forward_multiscale(torch.empty(2, 3, 225, 317))
    assert derived.taps == given.taps == taps_of(name)
    assert [k for k, _ in derived.model.named_modules()] == [k for k, _ in given.model.named_modules()]
    assert tuple(maps) == FEATS
    assert given.channels == {feat: maps[feat].shape[1] for feat in FEATS}
    assert given.out_channels == maps["feat4"].shape[1]
    assert given.strides == {"feat1": 4, "feat2": 8, "feat3": 16, "feat4": 32}
    assert [tuple(m.shape[2:]) for m in maps.values()] == [(57, 80), (29, 40), (15, 20), (8, 10)]


def test_state_dict_keys_are_torchvisions():
    assert "model.features.0.0.weight" in small().state_dict()
    with torch.device("meta"):
        model = models.resnet18(weights=None)
    keys = set(BackboneWrapper(model, "resnet18", taps_of("resnet18")).model.state_dict())
    assert keys == {key for key in model.state_dict() if not key.startswith("fc.")}


def test_multiscale_is_one_pass_without_hooks():
    wrapper, x = small().eval(), torch.randn(1, 3, 64, 64)
    calls, maps = [], {}
    hooks = [
        wrapper.model.get_submodule(path).register_forward_hook(lambda m, a, out, path=path: maps.update({path: out}))
        for path in PATHS["mobilenet_v3_small"]
    ]
    hooks.append(wrapper.model.features[0].register_forward_hook(lambda *_: calls.append(1)))
    expected = wrapper(x)
    for path, feat in zip(PATHS["mobilenet_v3_small"], FEATS, strict=True):
        assert torch.equal(wrapper.forward_multiscale(x)[feat], maps[path])
    assert len(calls) == 1 + 4
    assert torch.equal(wrapper.forward_multiscale(x)["feat4"], expected)
    for hook in hooks:
        hook.remove()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in small(taps=False).modules())


def test_copies_pickles_saves_and_exports(tmp_path):
    wrapper, x = small().eval(), torch.randn(2, 3, 64, 64)
    expected = wrapper.forward_multiscale(x)
    for other in (copy.deepcopy(wrapper), pickle.loads(pickle.dumps(wrapper))):
        for feat, value in other.forward_multiscale(x).items():
            assert torch.equal(value, expected[feat])
    torch.save(wrapper.state_dict(), tmp_path / "w.pt")
    other = BackboneWrapper(models.mobilenet_v3_small(weights=None), "mobilenet_v3_small").eval()
    other.load_state_dict(torch.load(tmp_path / "w.pt", weights_only=True))
    assert torch.equal(other(x), expected["feat4"])


class Multiscale(nn.Module):
    def __init__(self, wrapper):
        super().__init__()
        self.wrapper = wrapper

    def forward(self, x):
        return self.wrapper.forward_multiscale(x)


def test_exports_forward_and_multiscale():
    torch.manual_seed(0)
    wrapper = BackboneWrapper(models.resnet18(weights=None), "resnet18", taps_of("resnet18")).eval()
    x = torch.randn(2, 3, 64, 64)
    expected = wrapper.forward_multiscale(x)
    assert torch.equal(torch.export.export(wrapper, (x,)).module()(x), expected["feat4"])
    exported = torch.export.export(Multiscale(wrapper), (x,)).module()(x)
    assert all(torch.equal(exported[feat], expected[feat]) for feat in FEATS)


DERIVED = {
    "convnext_tiny": ("features.1", "features.3", "features.5", "features.7"),
    "regnet_y_400mf": tuple(f"trunk_output.block{i}" for i in (1, 2, 3, 4)),
    "vgg11_bn": ("features.13", "features.20", "features.27", "features.28"),
    "densenet121": ("features.denseblock1", "features.denseblock2", "features.denseblock3", "last_relu"),
    "shufflenet_v2_x0_5": ("maxpool", "stage2", "stage3", "conv5"),
    "mobilenet_v2": ("features.3", "features.6", "features.13", "features.18"),
}


@pytest.mark.parametrize("name", DERIVED)
def test_taps_of_models_nobody_described(name):
    options = {"init_weights": False} if name.startswith("vgg") else {}  # its 128 M random numbers take seconds
    wrapper = BackboneWrapper(models.get_model(name, weights=None, **options).to("meta"), name)
    maps = wrapper.forward_multiscale(torch.empty(2, 3, 64, 64, device="meta"))
    assert tuple(wrapper.taps) == DERIVED[name]
    assert list(wrapper.channels.values()) == [m.shape[1] for m in maps.values()]
    assert [m.shape[-1] for m in maps.values()] == [16, 8, 4, 2]


@pytest.mark.parametrize("name", ["squeezenet1_1", "squeezenet1_0"])
def test_models_without_four_scales_still_give_forward(name):
    wrapper = BackboneWrapper(models.get_model(name, weights=None).to("meta"), name)
    x = torch.empty(2, 3, 224, 224, device="meta")
    assert wrapper(x).shape[1] == wrapper.out_channels
    assert wrapper.channels == wrapper.strides == {}
    with pytest.raises(Refusal) as refusal:
        wrapper.forward_multiscale(x)
    assert f"backbone={name} has no forward_multiscale" in refusal.value.problems[0].what
    assert "(N, C, H/" in refusal.value.problems[0].why


def test_maps_that_end_in_channels_are_turned():
    wrapper = BackboneWrapper(models.get_model("swin_t", weights=None).to("meta"), "swin_t")
    maps = wrapper.forward_multiscale(torch.empty(2, 3, 224, 224, device="meta"))
    assert [tuple(one.shape[1:]) for one in maps.values()] == [(96, 56, 56), (192, 28, 28), (384, 14, 14), (768, 7, 7)]
    assert list(wrapper.channels.values()) == [96, 192, 384, 768] and wrapper.out_channels == 768


def test_a_model_that_is_no_chain_is_refused():
    with pytest.raises(Refusal, match="backbone=vit_b_16 cannot be cut"):
        BackboneWrapper(models.get_model("vit_b_16", weights=None).to("meta"), "vit_b_16")


def test_densenets_last_activation_is_kept():
    torch.manual_seed(0)
    model = models.densenet121(weights=None).eval()
    x = torch.randn(1, 3, 64, 64)
    pooled = BackboneWrapper(model, "densenet121").eval()(x).mean((2, 3))
    assert torch.allclose(model.classifier(pooled), model(x), atol=1e-5)


def conv(inside, outside, stride):
    return nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1), nn.ReLU())


def test_feature_extractors_are_taken_as_they_are():
    chain = nn.Sequential(conv(3, 8, 4), conv(8, 16, 2), conv(16, 24, 2), conv(24, 32, 2))
    wrapper = BackboneWrapper(chain, "chain")
    assert wrapper.taps == {"0": 8, "1": 16, "2": 24, "3": 32}

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = conv(3, 8, 2), conv(8, 8, 1)

        def forward(self, x):
            x = self.a(x)
            return x + self.b(x)

    wrapper = BackboneWrapper(Residual().train(), "residual")
    assert wrapper.out_channels == 8 and not wrapper.channels and "one after another" in wrapper.why_no_scales
    assert wrapper.training and wrapper.model.training
    assert wrapper(torch.randn(1, 3, 32, 32)).shape == (1, 8, 16, 16)


def test_a_map_that_is_changed_later_is_no_tap():
    preact = nn.Sequential(nn.ReLU(inplace=True), conv(8, 16, 2))  # its ReLU writes into the map of stride 4
    chain = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), preact, conv(16, 24, 2), conv(24, 32, 2))
    wrapper = BackboneWrapper(chain, "preact")
    assert "0" not in wrapper.taps


def test_a_model_that_fails_on_the_way_is_refused_with_its_own_words():
    with pytest.raises(Refusal) as refusal:
        BackboneWrapper(nn.Sequential(conv(3, 8, 2), conv(4, 8, 2)), "eight_into_four")
    assert "RuntimeError" in refusal.value.problems[0].why


@pytest.mark.parametrize(
    ("taps", "what"),
    [
        ({"layer1": 1, "layer2": 1, "layer3": 1, "layer5": 1}, "has no module layer5"),
        ({"layer1": 1, "layer4": 1}, "has 2 taps, not 4"),
        ({}, "has 0 taps, not 4"),
        ({"layer2": 1, "layer1": 1, "layer3": 1, "layer4": 1}, "one after another"),
        ({"layer1": 1, "layer1.0": 1, "layer3": 1, "layer4": 1}, "one after another"),
        ({"layer1": 1, "layer2": 1, "layer3": 1, "layer4.0": 1}, "one after another"),
    ],
)
def test_wrong_taps_are_refused(taps, what):
    with torch.device("meta"), pytest.raises(Refusal, match=what):
        BackboneWrapper(models.resnet18(weights=None), "resnet18", taps)


WRONG_PICTURES = [torch.rand(3, 64), torch.rand(1, 1, 64, 64), torch.zeros(1, 3, 64, 64, dtype=torch.uint8)]


@pytest.mark.parametrize("x", WRONG_PICTURES)
def test_wrong_pictures_are_refused_by_torch(x):
    with pytest.raises((RuntimeError, ValueError)):
        small()(x)


def test_freeze_stops_parameters_and_statistics():
    wrapper, x = small(), torch.randn(4, 3, 64, 64)
    wrapper(x)  # statistics that are not 0 and 1
    expected = wrapper.eval()(x)
    assert freeze(wrapper.train()) is wrapper
    before = copy.deepcopy(wrapper.state_dict())
    got = wrapper(x)
    assert not got.requires_grad
    assert torch.allclose(got, expected, rtol=1e-3, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in wrapper.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in wrapper.modules())
    assert torch.equal(wrapper.forward_multiscale(x)["feat4"], got)


def test_freeze_reaches_the_backbone_of_a_full_model():
    model = models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)
    freeze(model.backbone)
    assert any(isinstance(module, FrozenBatchNorm2d) for module in model.backbone.modules())
    assert any(p.requires_grad for p in model.classifier.parameters())
    frozen = freeze(nn.BatchNorm2d(3, eps=1e-3, affine=False))
    assert isinstance(frozen, FrozenBatchNorm2d) and frozen.eps == 1e-3
