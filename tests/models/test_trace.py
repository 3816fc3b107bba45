"""Models of shapes that nobody has described: where their map is, which axis is channels, what is head."""

import copy
import pickle
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.functional import relu
from torchvision import models

from aistudio.errors import Refusal
from aistudio.models.backbone import BackboneWrapper
from aistudio.models.does_not_run import stated_sizes
from aistudio.models.dry_run import runs_at, size_to_check_at


def conv(inside, outside, stride):
    return nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1), nn.BatchNorm2d(outside), nn.ReLU())


class Plain(nn.Module):
    """Two stages, pooled: what the others bend."""

    def __init__(self, width=24):
        super().__init__()
        self.stem, self.stage, self.fc = conv(3, 8, 8), conv(8, width, 4), nn.Linear(width, 5)

    def features(self, x):
        return self.stage(self.stem(x))

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


class ChannelsLastInside(Plain):
    def features(self, x):
        return super().features(x).permute(0, 2, 3, 1)

    def forward(self, x):
        return self.fc(self.features(x).mean((1, 2)))


class ChannelsLastFeatures(ChannelsLastInside):
    forward_features = ChannelsLastInside.features


class Permute(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1)


class ChannelsLastChain(Plain):
    """Its chain ends in (N, H, W, C), which its forward pools."""

    def __init__(self, width=24):
        super().__init__(width)
        self.turn = Permute()

    def features(self, x):
        return self.turn(super().features(x))

    def forward(self, x):
        return self.fc(self.features(x).mean((1, 2)))


class OneSize(ChannelsLastFeatures):
    size = 256

    def features(self, x):
        if x.shape[-1] != self.size or x.shape[-2] != self.size:
            raise ValueError(f"made for {self.size} px")
        return super().features(x)

    forward_features = features


def forward_features(model, x):
    with torch.no_grad():
        return model.eval().features(x)


@pytest.mark.parametrize("width", [7, 24, 8])
@pytest.mark.parametrize("kind", [ChannelsLastFeatures, ChannelsLastChain])
def test_maps_whose_channels_come_last_are_turned(kind, width):
    torch.manual_seed(0)
    model = kind(width)
    x, expected = torch.randn(2, 3, 224, 224), None
    expected = forward_features(model, x).permute(0, 3, 1, 2)
    for wrapper in (BackboneWrapper(model, "last"), copy.deepcopy(BackboneWrapper(kind(width), "last"))):
        assert wrapper.out_channels == width
    wrapper = BackboneWrapper(model, "last").eval()
    assert torch.equal(wrapper(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(wrapper))(x), expected)


def test_a_map_of_seven_channels_and_seven_places_is_left_as_it_is():
    wrapper = BackboneWrapper(Plain(7), "seven")
    assert wrapper.out_channels == 7 and wrapper(torch.randn(2, 3, 224, 288)).shape == (2, 7, 7, 9)


def test_a_model_of_one_size_is_refused_with_the_size_that_it_takes():
    with pytest.raises(Refusal) as refusal:
        BackboneWrapper(OneSize(), "bound", image_size=224)
    problem = refusal.value.problems[0]
    assert problem.what == "backbone=bound does not run on images of 224 x 224"
    assert problem.instead.startswith("task.image_size=256") and "made for 256 px" in problem.why
    wrapper = BackboneWrapper(OneSize(), "bound", image_size=256)
    assert wrapper.out_channels == 24 and wrapper(torch.randn(2, 3, 256, 256)).shape == (2, 24, 8, 8)


class Mute(nn.Module):
    def forward(self, x):
        torch._assert(x.shape[3] % 9 == 0, "")
        return x


class MuteInside(Plain):
    """Its error says nothing, and the size that it takes is one that nobody tries: it says it elsewhere."""

    img_size = (3, 288, 288)

    def __init__(self):
        super().__init__()
        self.stage = nn.Sequential(Mute(), self.stage)


def test_an_error_without_words_is_shown_with_its_part_and_its_line():
    with pytest.raises(Refusal) as refusal:
        BackboneWrapper(MuteInside(), "mute")
    (problem,) = refusal.value.problems
    line = 'torch._assert(x.shape[3] % 9 == 0, "")'
    assert problem.why.startswith(f"AssertionError in stage.0, a Mute: {line} (test_trace.py:")
    assert problem.instead == "task.image_size=288 (the only size that it takes of those that were tried)"


def test_sizes_that_a_model_states_are_tried():
    model = Plain()
    model.pretrained_cfg, model.stem.image_size = {"input_size": (3, 272, 272)}, 1024
    assert stated_sizes(model) == {272, 1024}


def test_a_model_that_raises_at_every_size_says_how_many_were_tried():
    class TwoImages(Plain):
        def forward(self, x, other):
            return super().forward(x + other)

    with pytest.raises(Refusal) as refusal:
        BackboneWrapper(TwoImages(), "two")
    (problem,) = refusal.value.problems
    assert "missing 1 required positional argument" in problem.why and "15 other sizes" in problem.why
    assert problem.instead.startswith("a model that takes one image alone")


@dataclass
class Given:
    """What a model of another library gives."""

    logits: object
    maps: tuple


class Several(nn.Module):
    """All of its maps at once, the first at half the side."""

    def __init__(self, given, scales=5, turned=False):
        super().__init__()
        self.layers = nn.ModuleList(conv(3 if not at else 4 + at, 5 + at, 2) for at in range(scales))
        self.given, self.turned = given, turned

    def forward(self, x):
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x.permute(0, 2, 3, 1) if self.turned else x)
        return self.given(maps)


NESTS = {
    "list": list,
    "tuple": tuple,
    "dict": lambda maps: {f"layer{at}": one for at, one in enumerate(maps)},
    "dataclass": lambda maps: Given(maps[-1].mean((2, 3)), tuple(maps)),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("nest", NESTS)
def test_maps_that_come_all_at_once_are_taken(nest, turned):
    model = Several(NESTS[nest], turned=turned)
    wrapper = BackboneWrapper(model, "several").eval()
    x = torch.randn(2, 3, 96, 160)
    maps = wrapper.forward_multiscale(x)
    assert {name: tuple(one.shape[1:]) for name, one in maps.items()} == {
        "feat1": (6, 24, 40),
        "feat2": (7, 12, 20),
        "feat3": (8, 6, 10),
        "feat4": (9, 3, 5),
    }
    assert wrapper.channels == {name: one.shape[1] for name, one in maps.items()} and wrapper.out_channels == 9
    assert torch.equal(wrapper(x), maps["feat4"])
    assert wrapper(torch.randn(2, 3, 32, 32)).shape == (2, 9, 1, 1)


def test_scales_are_turned_where_only_the_last_map_is_not():
    """As torchvision's Swin has it."""

    class Between(Permute):
        def forward(self, x):
            return super().forward(x).contiguous()

    class Back(nn.Module):
        def forward(self, x):
            return x.permute(0, 3, 1, 2)

    stages = [nn.Sequential(conv(3, 5, 4), Between())]
    stages += [nn.Sequential(Back(), conv(4 + at, 5 + at, 2), Between()) for at in (1, 2, 3)]
    model = nn.Sequential(*stages, Back(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    wrapper = BackboneWrapper(model, "mixed").eval()
    x = torch.randn(2, 3, 96, 160)
    maps = wrapper.forward_multiscale(x)
    assert [tuple(one.shape[1:]) for one in maps.values()] == [(5, 24, 40), (6, 12, 20), (7, 6, 10), (8, 3, 5)]
    assert list(wrapper.channels.values()) == [5, 6, 7, 8] and torch.equal(maps["feat4"], wrapper(x))


def test_maps_of_other_strides_give_the_last_one_alone():
    wrapper = BackboneWrapper(Several(list, scales=4), "short").eval()
    assert wrapper(torch.randn(2, 3, 64, 64)).shape == (2, 8, 4, 4) and wrapper.out_channels == 8
    with pytest.raises(Refusal, match="none of the 4 maps that it gives has stride 32"):
        wrapper.forward_multiscale(torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize("wrap", [nn.DataParallel, pytest.param(torch.compile, marks=pytest.mark.slow)])
def test_what_only_runs_a_model_is_taken_off(wrap):
    wrapper = BackboneWrapper(wrap(Plain()), "wrapped")
    assert wrapper.out_channels == 24 and {name.split(".")[1] for name in wrapper.state_dict()} == {"stem", "stage"}


def test_what_torch_jit_made_is_refused():
    scripted = torch.jit.trace(conv(3, 8, 8).eval(), torch.zeros(1, 3, 64, 64))
    with pytest.raises(Refusal, match=r"backbone=scripted is a \w+, made by torch.jit"):
        BackboneWrapper(scripted, "scripted")


def test_an_axis_that_cannot_be_told_is_refused():
    class Bound(OneSize):
        size = 224

    with pytest.raises(Refusal, match="which axis of its map holds the channels"):
        BackboneWrapper(Bound(7), "bound")
    assert BackboneWrapper(Bound(8), "bound").out_channels == 8


class ReluBetween(Plain):
    def __init__(self, width=24):
        super().__init__(width)
        self.stem = nn.Conv2d(3, 8, 8, 8)

    def features(self, x):
        return self.stage(relu(self.stem(x), inplace=True))


class MaskBetween(Plain):
    """A part that takes more than the map."""

    def __init__(self, width=24):
        super().__init__(width)
        self.gate = Gate()

    def features(self, x):
        return self.gate(super().features(x), 2.0)


class Gate(nn.Module):
    def forward(self, x, scale=1.0):
        return x * scale


@pytest.mark.parametrize("kind", [ReluBetween, MaskBetween])
def test_what_happens_between_the_parts_is_never_left_out(kind):
    with pytest.raises(Refusal, match="cannot be cut"):
        BackboneWrapper(kind(), "between")

    class WithFeatures(kind):
        forward_features = kind.features

    torch.manual_seed(0)
    model, x = WithFeatures(), torch.randn(2, 3, 224, 224)
    expected = forward_features(model, x)
    wrapper = BackboneWrapper(model, "between").eval()
    assert torch.equal(wrapper(x), expected)
    assert not any(name.startswith("model.fc") for name in wrapper.state_dict())


class Stages(Plain):
    """Its stages are a list, which is never called itself."""

    def __init__(self, width=24):
        super().__init__(width)
        self.blocks = nn.ModuleList([conv(width, width, 1), conv(width, 40, 1)])
        self.fc = nn.Linear(40, 5)

    def features(self, x):
        x = super().features(x)
        for block in self.blocks:
            x = block(x)
        return x


def test_lists_of_stages_are_followed_and_keep_their_names():
    torch.manual_seed(0)
    model, x = Stages(), torch.randn(2, 3, 224, 224)
    expected = forward_features(model, x)
    wrapper = BackboneWrapper(model, "stages").eval()
    assert torch.equal(wrapper(x), expected)
    assert set(wrapper.model.state_dict()) == {key for key in model.state_dict() if not key.startswith("fc.")}


class HeadBeforePooling(ReluBetween):
    """Half of its classifier works on the map; and without pooling its forward does not run, as some of timm's."""

    def __init__(self, width=24, pool=True):
        super().__init__(width)
        self.head_conv, self.fc, self.pool = nn.Conv2d(width, 60, 1), nn.Linear(60, 5), pool

    def forward_features(self, x):
        return self.features(x)

    def forward(self, x):
        x = self.head_conv(self.forward_features(x))
        return self.fc(x.mean((2, 3)) if self.pool else x)


@pytest.mark.parametrize("pool", [True, False])
def test_what_only_the_classifier_calls_is_taken_out(pool):
    wrapper = BackboneWrapper(HeadBeforePooling(pool=pool), "head")
    assert wrapper.out_channels == 24
    assert {name.split(".")[1] for name in wrapper.state_dict()} == {"stem", "stage"}


def test_a_layer_that_nothing_calls_stays_for_the_checks_to_find():
    class Spare(HeadBeforePooling):
        def __init__(self):
            super().__init__()
            self.spare = nn.Linear(3, 3)

    assert any(name.startswith("model.spare") for name in BackboneWrapper(Spare(), "spare").state_dict())


def test_tokens_are_refused_in_words():
    class Tokens(Plain):
        def forward_features(self, x):
            return self.stage(self.stem(x)).flatten(2).transpose(1, 2)

        def forward(self, x):
            return self.fc(self.forward_features(x).mean(1))

    with pytest.raises(Refusal) as refusal:
        BackboneWrapper(Tokens(), "tokens")
    assert refusal.value.problems[0].why == "its forward_features gives (1, 49, 24), no map (N, C, H, W)"
    assert "features_only" not in refusal.value.problems[0].instead
    Tokens.forward_intermediates = Tokens.forward_features  # as those of timm's that can make maps of tokens
    with pytest.raises(Refusal, match="features_only: true"):
        BackboneWrapper(Tokens(), "tokens")


def test_a_model_that_meta_is_nothing_for_runs_on_a_black_picture():
    class Constant(Plain):
        def __init__(self):
            super().__init__()
            self.offsets = [torch.ones(1, 3, 1, 1)]  # no buffer

        def features(self, x):
            return super().features(x + self.offsets[0] * float(x.mean()))

        forward_features = features

    assert BackboneWrapper(Constant(), "constant").out_channels == 24


def test_lazy_layers_find_their_widths_first():
    lazy = nn.Sequential(conv(3, 8, 8), nn.LazyConv2d(24, 3, 4, 1), nn.LazyBatchNorm2d(), nn.ReLU())
    wrapper = BackboneWrapper(lazy, "lazy")
    assert wrapper.out_channels == 24 and all(p.numel() for p in wrapper.parameters())
    assert not wrapper.model[2].num_batches_tracked


def test_torchvisions_maxvit_is_taken():
    model = models.maxvit_t(weights=None).to("meta")
    wrapper = BackboneWrapper(model, "maxvit_t")
    assert list(wrapper.channels.values()) == [64, 128, 256, 512]
    assert set(wrapper.model.state_dict()) == {key for key in model.state_dict() if not key.startswith("classifier.")}


def test_checks_take_a_size_that_the_model_runs_at():
    assert size_to_check_at(Plain(), 64, 224) == 64
    assert size_to_check_at(OneSize(), 64, 256) == 256
    assert size_to_check_at(BackboneWrapper(Plain(), "plain"), 32, 224) == 64  # below, its last map is a single place
    assert not runs_at(OneSize(), 64)
