"""A file's tensors find their places in a model, whoever wrote the file; what has none is said, never passed over."""

import re
from collections import OrderedDict
from functools import partial

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.detection import (
    fasterrcnn_resnet50_fpn,
    maskrcnn_resnet50_fpn,
    retinanet_resnet50_fpn,
)

from aistudio.data.imagenet import adapted_statistics
from aistudio.errors import Refusal
from aistudio.models.checkpoint import read_checkpoint
from aistudio.models.ledger import load
from aistudio.models.surgery import (
    adapted_input,
    change_input,
    depending_on_classes,
    first_convolution,
    rule_for,
)
from aistudio.weights.layouts import recognise
from aistudio.weights.match import match, plain_names


def tiny(classes: int = 5, channels: int = 3) -> nn.Module:
    """A ResNet in names, small in numbers."""
    block = nn.Sequential(OrderedDict(conv1=nn.Conv2d(4, 4, 3), bn1=nn.BatchNorm2d(4)))
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 4, 3, bias=False),
            bn1=nn.BatchNorm2d(4),
            layer1=nn.Sequential(block),
            fc=nn.Linear(4, classes),
        )
    )


def state(model: nn.Module, seed: int = 3) -> dict[str, torch.Tensor]:
    """A state dict for a model with numbers that no initialisation gives."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(tensor.shape, generator=generator) if tensor.is_floating_point() else tensor + 7
        for name, tensor in model.state_dict().items()
    }


def checkpoint(tmp_path, content):
    torch.save(content, tmp_path / "weights.pth")
    return read_checkpoint(tmp_path / "weights.pth")


WRITTEN = {  # how training loops name a model's tensors
    "plain": lambda name: name,
    "DDP": lambda name: f"module.{name}",
    "torch.compile": lambda name: f"_orig_mod.{name}",
    "DDP of a compiled model": lambda name: f"module._orig_mod.{name}",
    "a compiled model of DDP": lambda name: f"_orig_mod.module.{name}",
    "Lightning": lambda name: f"model.{name}",
    "Lightning, compiled": lambda name: f"model._orig_mod.{name}",
    "Lightning with a net of nets": lambda name: f"net.encoder.{name}",
    "a compiled layer inside": lambda name: name.replace("layer1.", "layer1._orig_mod."),
    "checkpointed blocks": lambda name: name.replace("layer1.0.", "layer1.0._checkpoint_wrapped_module."),
    "our wrapper": lambda name: f"backbone.model.{name}",
    "torchvision's detectors": lambda name: f"backbone.body.{name}",
    "DETR": lambda name: f"backbone.0.body.{name}",
    "a name of many words": lambda name: f"a.b.c.d.e.{name}",
}


@pytest.mark.parametrize("writer", WRITTEN)
def test_tensors_find_their_places_whatever_is_put_before_their_names(writer, tmp_path):
    model, wanted = tiny(), state(tiny())
    ledger = load(model, checkpoint(tmp_path, {WRITTEN[writer](name): tensor for name, tensor in wanted.items()}))
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())
    assert ledger.copied == {name: WRITTEN[writer](name) for name in wanted}
    assert not (ledger.adapted or ledger.fresh or ledger.left_over or ledger.notes)


def test_a_compiled_model_takes_a_plain_file(tmp_path):
    inner, wanted = tiny(), state(tiny())
    load(nn.Sequential(OrderedDict(_orig_mod=inner)), checkpoint(tmp_path, wanted))
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in inner.state_dict().items())


def test_a_file_of_the_features_alone_fits_a_model_that_names_them(tmp_path):
    inner = models.mobilenet_v3_small(weights=None).features
    model = nn.Sequential(OrderedDict(features=inner))
    wanted = state(inner)
    load(model, checkpoint(tmp_path, wanted))
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in inner.state_dict().items())


def test_a_classifier_is_left_over_where_the_backbone_has_none(tmp_path):
    features = nn.Sequential(OrderedDict(list(tiny().named_children())[:-1]))
    ledger = load(features, checkpoint(tmp_path, state(tiny())), prefix="backbone.model.")
    assert ledger.left_over == ("fc.weight", "fc.bias")
    assert ledger.copied["backbone.model.conv1.weight"] == "conv1.weight"


def test_the_head_is_made_anew_for_other_classes_and_everything_else_is_kept(tmp_path):
    model, wanted = tiny(classes=9), state(tiny(classes=5))
    before = model.fc.weight.detach().clone()
    anew = depending_on_classes(tiny, 9)
    assert anew == ["fc.weight", "fc.bias"]
    ledger = load(model, checkpoint(tmp_path, wanted), remade=lambda: anew)
    assert ledger.remade == ("fc.weight", "fc.bias") and not ledger.missing and not ledger.left_over
    assert torch.equal(model.fc.weight, before) and torch.equal(model.conv1.weight, wanted["conv1.weight"])


def test_a_head_of_as_many_classes_is_kept_too(tmp_path):
    model, wanted = tiny(), state(tiny())
    assert not load(model, checkpoint(tmp_path, wanted), remade=lambda: ["fc.weight", "fc.bias"]).remade
    assert torch.equal(model.fc.weight, wanted["fc.weight"])


def broken(change) -> dict[str, torch.Tensor]:
    wanted = state(tiny())
    change(wanted)
    return wanted


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one.pop("conv1.weight"), ["missing    conv1.weight", "14 of 15" if False else "of them"]),
        (lambda one: one.update({"fc.weight": torch.rand(9, 4)}), ["fc.weight has 9 x 4, the model 5 x 4"]),
        (lambda one: one.update({"fc.weights": one.pop("fc.weight")}), ["fc.weight (the file has fc.weights)"]),
        (lambda one: one.clear() or one.update({"other": torch.rand(3)}), ["0 of", "left over  other"]),
        (
            lambda one: (
                [one.update({f"blocks.0.0.{k}": one.pop(k)}) for k in list(one) if k != "fc.bias"]
                and one.update({"conv_stem.weight": torch.rand(2, 2), "bn1.weight": torch.rand(9)})
            ),
            ["timm's EfficientNet"],
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_a_short_table_and_changes_nothing(change, words, tmp_path):
    model = tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(Refusal) as refused:
        load(model, checkpoint(tmp_path, broken(change)), key="backbone.weights", called="backbone=tiny")
    text = str(refused.value)
    assert all(word in text for word in words), text
    assert "does not fit backbone=tiny" in text and "aistudio doctor" in text and len(text.splitlines()) < 30
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_deeper_model_does_not_fill_a_shallower_one_in_silence(tmp_path):
    wanted = state(tiny()) | {"layer1.1.conv1.weight": torch.rand(4, 4, 3, 3), "layer1.1.bn1.weight": torch.rand(4)}
    with pytest.raises(Refusal, match=r"layer1\.1\.conv1\.weight: the model has no such layer") as refused:
        load(tiny(), checkpoint(tmp_path, wanted))
    assert "it is of a deeper model: 2 of its tensors" in refused.value.problems[0].why
    assert len(load(tiny(), checkpoint(tmp_path, wanted), coverage=0.99).left_over) == 2
    other_head = state(tiny()) | {"classifier.0.weight": torch.rand(4, 4), "layer2.0.conv1.weight": torch.rand(2, 2)}
    assert len(load(tiny(), checkpoint(tmp_path, other_head)).left_over) == 2


def test_less_is_enough_where_one_says_so(tmp_path):
    wanted = state(tiny())
    del wanted["fc.bias"]
    ledger = load(tiny(), checkpoint(tmp_path, wanted), coverage=0.9)
    assert ledger.missing == ("fc.bias",) and ledger.fresh == ("fc.bias",)
    with pytest.raises(Refusal):
        load(tiny(), checkpoint(tmp_path, {"unrelated": torch.rand(3)}), coverage=0.0)


def test_counters_of_batches_may_be_missing_or_left_over(tmp_path):
    wanted = state(tiny())
    del wanted["bn1.num_batches_tracked"]
    wanted["n_averaged"] = torch.tensor(3)
    ledger = load(tiny(), checkpoint(tmp_path, wanted))
    assert not ledger.missing and not ledger.left_over


def test_other_number_types_are_converted_and_said(tmp_path):
    wanted = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state(tiny()).items()}
    model = tiny()
    ledger = load(model, checkpoint(tmp_path, wanted))
    assert ledger.adapted["fc.bias"] == ("fc.bias", "float16 to float32") and "fc.bias" not in ledger.copied
    assert torch.equal(model.fc.bias, wanted["fc.bias"].float())


def test_an_average_is_taken_before_the_model_and_said(tmp_path):
    content = {"model": state(tiny(), 1), "model_ema": {f"module.{n}": t for n, t in state(tiny(), 2).items()}}
    model = tiny()
    ledger = load(model, checkpoint(tmp_path, content))
    assert torch.equal(model.fc.weight, state(tiny(), 2)["fc.weight"])
    assert ledger.notes == ("weights.pth: the moving average model_ema was taken, not model",)


def test_two_models_in_one_file_are_said(tmp_path):
    content = {f"{who}.{name}": tensor for who in ("teacher", "student") for name, tensor in state(tiny()).items()}
    ledger = load(tiny(), checkpoint(tmp_path, content))
    assert "teacher. was taken, not student." in ledger.notes[0]


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 13])
def test_the_first_convolution_takes_other_channels_by_a_rule(channels, tmp_path):
    model, wanted = tiny(channels=channels), state(tiny())
    ledger = load(model, checkpoint(tmp_path, wanted))
    assert ledger.adapted == {"conv1.weight": ("conv1.weight", rule_for(channels))}
    grey = torch.rand(2, 1, 8, 8)
    conv = nn.functional.conv2d
    alike, was = (
        conv(grey.expand(-1, channels, -1, -1), model.conv1.weight),
        conv(grey.expand(-1, 3, -1, -1), wanted["conv1.weight"]),
    )
    torch.testing.assert_close(alike, was)


def test_surgery_on_a_model_is_the_rule_for_files(tmp_path):
    model = tiny()
    weight = model.conv1.weight.detach().clone()
    change_input(model, 4)
    assert torch.equal(model.conv1.weight, adapted_input(weight, 4)) and model.conv1.in_channels == 4
    assert torch.equal(model.conv1.weight[:, :3], weight * (3 / 4))
    assert adapted_input(weight, 3) is not weight and torch.equal(adapted_input(weight, 3), weight)
    assert first_convolution(model)[0] == "conv1"
    assert adapted_statistics((0.1, 0.2, 0.3), 1) == pytest.approx((0.2,))
    assert adapted_statistics((0.1, 0.2, 0.3), 4) == pytest.approx((0.1, 0.2, 0.3, 0.2))


def test_a_later_convolution_of_another_width_is_not_adapted(tmp_path):
    wanted = state(tiny())
    wanted["layer1.0.conv1.weight"] = torch.rand(4, 3, 3, 3)
    with pytest.raises(Refusal, match=r"layer1\.0\.conv1\.weight has 4 x 3 x 3 x 3"):
        load(tiny(), checkpoint(tmp_path, wanted))


OLD_NAMES = (  # what torchvision's detectors were saved under before 0.13, written backwards from today's names
    (r"((?:inner|layer)_blocks\.\d+)\.0\.(weight|bias)$", r"\1.\2"),
    (r"(rpn\.head\.conv)\.0\.0\.(weight|bias)$", r"\1.\2"),
)


def old(name: str) -> str:
    for new, before in OLD_NAMES:
        name = re.sub(new, before, name)
    tower = re.search(r"((?:classification|regression)_head\.conv)\.(\d)\.0\.(weight|bias)$", name)
    if tower:
        return f"{name[: tower.start()]}{tower[1]}.{2 * int(tower[2])}.{tower[3]}"
    mask = re.search(r"(mask_head)\.(\d)\.0\.(weight|bias)$", name)
    return f"{name[: mask.start()]}{mask[1]}.mask_fcn{int(mask[2]) + 1}.{mask[3]}" if mask else name


@pytest.mark.parametrize("build", [fasterrcnn_resnet50_fpn, maskrcnn_resnet50_fpn, retinanet_resnet50_fpn])
def test_names_that_torchvision_has_given_up_are_read_as_torchvision_reads_them(build):
    with torch.device("meta"):
        model = partial(build, weights=None, weights_backbone=None)()
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    before = {old(name): name for name in shapes}
    assert len(before) == len(shapes) and sum(name != new for name, new in before.items()) > 10
    found = match({name: shapes[new] for name, new in before.items()}, shapes)
    assert found.pairs == {new: name for name, new in before.items()}
    by_torchvision = OrderedDict((name, model.state_dict()[new]) for name, new in before.items())
    model.load_state_dict(by_torchvision, assign=True)  # torchvision knows the same old names


SEEN = {
    "torchvision's ResNet": lambda: models.resnet18(weights=None),
    "torchvision's EfficientNet or MobileNet": lambda: models.mobilenet_v3_small(weights=None),
    "torchvision's detector": lambda: retinanet_resnet50_fpn(weights=None, weights_backbone=None),
    "torchvision's segmentation model": lambda: models.segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None
    ),
    "torchvision's ConvNeXt or Swin": lambda: models.convnext_tiny(weights=None),
    "torchvision's DenseNet": lambda: models.densenet121(weights=None),
    "torchvision's VGG or AlexNet": lambda: models.vgg11(weights=None),
    "timm's EfficientNet or MobileNet": lambda: timm("efficientnet_b0"),
    "timm's ViT": lambda: timm("vit_tiny_patch16_224"),
    "timm's ConvNeXt": lambda: timm("convnext_atto"),
    "timm's RegNet": lambda: timm("regnety_002"),
    "timm's Swin": lambda: timm("swin_tiny_patch4_window7_224"),
}


def timm(name: str) -> nn.Module:
    return pytest.importorskip("timm").create_model(name)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("layout", SEEN)
def test_whose_names_they_are(layout):
    with torch.device("meta"):
        names = SEEN[layout]().state_dict()
    assert recognise(plain_names(names)).framework.startswith(layout)


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (["resnet.embedder.embedder.convolution.weight"], "Hugging Face's ResNet"),
        (["vit.embeddings.cls_token", "vit.encoder.layer.0.attention.output.dense.bias"], "Hugging Face's ViT"),
        (["model.0.conv.weight", "model.0.bn.weight", "model.22.dfl.conv.weight"], "Ultralytics YOLO"),
        (["backbone.bottom_up.res2.0.conv1.weight", "proposal_generator.rpn_head.conv.weight"], "detectron2"),
        (["backbone.layer1.0.conv1.weight", "neck.fpn_convs.0.conv.weight"], "mmdetection"),
        (["backbone.layer1.0.conv1.weight", "decode_head.conv_seg.weight"], "mmsegmentation"),
        (["encoder.layer1.0.conv1.weight", "decoder.blocks.0.w", "segmentation_head.0.weight"], "segmentation_models"),
        (["visual.conv1.weight", "transformer.resblocks.0.attn.in_proj_weight"], "OpenAI's CLIP"),
        (["x.lora_A.weight"], "an adapter"),
        (["foo", "bar"], "names that aistudio does not know"),
    ],
)
def test_names_of_frameworks_that_are_not_here(names, layout):
    assert recognise(names).framework.startswith(layout)
