"""``backbone.in_channels``: one key, and the model, its normalisation, the images and the checks follow."""

import dataclasses

import pytest
import torch
from torch import nn

import aistudio
from aistudio.assembly.input_channels import adapt_input
from aistudio.assembly.model import built
from aistudio.assembly.parts import build_source, build_task
from aistudio.assembly.prepare import make_subject
from aistudio.checks import InputRange
from aistudio.config.compose import settle
from aistudio.data.channels import WithChannels, as_rgb, with_channels
from aistudio.data.imagenet import normalize
from aistudio.data.synthetic import Synthetic
from aistudio.models import BackboneWrapper
from aistudio.models.surgery import rule_for
from aistudio.tasks.batch import make_batch

MODELS = {
    "backbone_head": ("task=classification", "backbone=resnet18"),
    "segmenter": ("task=segmentation", "architecture=lraspp"),
    "detector": ("task=object_detection", "architecture=fcos"),
    "oriented": ("task=oriented_object_detection",),
}


def judged(*settings):
    return settle(aistudio.compose(*settings, "task.image_size=64", "runtime=cpu"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "channels"),
    [("backbone_head", 1), ("backbone_head", 4), ("segmenter", 6), ("detector", 4), ("oriented", 2)],
)
def test_a_model_trains_on_images_of_so_many_channels(name, channels):
    found = judged(*MODELS[name], f"backbone.in_channels={channels}")
    task = build_task(found)
    model = built(found, task, 0).model
    batch = make_batch(task, build_source(found), 2, 64, seed=0)
    assert all(sample.image.shape == (channels, 64, 64) for sample in batch.samples)
    loss = sum(task.loss(model, batch.inputs, batch.targets).values())
    loss.backward()
    assert loss.isfinite() and f"{channels}, H, W)" in model.input_contract.layout
    assert len(model.input_contract.mean) == len(model.input_contract.std) == channels
    images = [torch.rand(3, 64, 64)] * 2
    if name in ("detector", "oriented"):  # which take a grey image for a colour one without a word
        assert all(f"expected ({channels}, H, W)" in text for text in task.target_problems(images, batch.targets))
    else:
        with pytest.raises(RuntimeError, match="channels"):
            task.loss(model, task.inputs(images), batch.targets)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("channels", [1, 4, 6])
def test_a_grey_image_gives_what_it_gave_in_colour(channels):
    """The rule scales the kernels so that three alike channels, or any other number, say the same."""
    models = [
        built(found, build_task(found), 0).model.eval()
        for found in (judged(*MODELS["backbone_head"], f"backbone.in_channels={count}") for count in (3, channels))
    ]
    grey = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        three, other = (
            model.backbone.model[0](grey.expand(-1, count, -1, -1))
            for model, count in zip(models, (3, channels), strict=True)
        )
    torch.testing.assert_close(three, other)


def test_trained_kernels_are_adapted_and_the_ledger_says_so(tmp_path):
    torch.manual_seed(0)
    from torchvision.models import resnet18

    trained = resnet18().state_dict()
    torch.save(trained, tmp_path / "mine.pth")
    found = judged("backbone=resnet18", "backbone.in_channels=4", f"backbone.weights={tmp_path / 'mine.pth'}")
    made = built(found, build_task(found), 0)
    assert [rule for _, rule in made.loaded[0].adapted.values()] == ["first convolution to 4 channels"]
    kernels = made.model.backbone.model.conv1.weight
    torch.testing.assert_close(kernels[:, :3], trained["conv1.weight"] * 3 / 4)
    torch.testing.assert_close(kernels[:, 3], trained["conv1.weight"].mean(1) * 3 / 4)


def test_the_rule_in_words_counts_right():
    assert rule_for(1).endswith(" to 1 channel") and rule_for(4).endswith(" to 4 channels")


def test_statistics_of_ones_own_are_used_by_task_and_detector():
    own = ("backbone.in_channels=4", "backbone.image_mean=[0.1,0.2,0.3,0.4]", "backbone.image_std=[0.2,0.3,0.4,0.5]")
    for name in ("backbone_head", "detector"):
        found = judged(*MODELS[name], *own)
        contract = built(found, build_task(found), 0).model.input_contract
        assert contract.mean == pytest.approx((0.1, 0.2, 0.3, 0.4), abs=1e-5)
        assert contract.std == pytest.approx((0.2, 0.3, 0.4, 0.5), abs=1e-5)


@pytest.mark.parametrize("statistics", [(), ("backbone.image_mean=[0,0,0,0.5]", "backbone.image_std=[1,1,1,0.1]")])
def test_the_check_of_the_range_follows_and_still_sees_a_wrong_channel(statistics):
    found = judged(*MODELS["backbone_head"], "backbone.in_channels=4", "sanity=quick", *statistics)
    task = build_task(found)
    subject, check = make_subject(found, task), InputRange("images arrive normalised once")
    assert check(subject).status == "passed"

    class LastAsGreen(type(task)):
        """The bug: a channel is normalised by the numbers of another."""

        def inputs(self, images):
            images = torch.stack(list(images))
            return normalize(images, (0.485, 0.456, 0.406, 0.9), (0.229, 0.224, 0.225, 0.9))

    task.__class__ = LastAsGreen
    assert check(dataclasses.replace(subject, task=task)).status == "failed"


def test_images_get_channels_by_the_rule_of_the_kernels():
    image = torch.rand(3, 4, 5)
    mean = image.mean(0)
    assert torch.equal(with_channels(image, 3), image)
    assert torch.equal(with_channels(image, 1), mean[None])
    assert torch.equal(with_channels(image, 5), torch.stack([*image, mean, mean]))
    assert torch.equal(with_channels(torch.ones(6, 4, 5), 6), torch.ones(6, 4, 5)), "a source that has them keeps them"
    assert as_rgb(torch.rand(1, 4, 5)).shape == as_rgb(torch.rand(7, 4, 5)).shape == (3, 4, 5)


def test_a_source_paints_where_it_did_and_only_there():
    generator = torch.Generator().manual_seed(0)
    painter = WithChannels(Synthetic(batch_size=2), 4)
    assert painter.paint([[0]], 64, generator)[0].image.shape == (4, 64, 64)
    assert painter.description == Synthetic().description and painter.batch_size == 2

    class Dusk:
        description, warnings, batch_size = "dusk", [], 2

    assert not hasattr(WithChannels(Dusk(), 4), "paint")


@pytest.mark.parametrize("first", [nn.Conv2d(4, 8, 3, groups=2), nn.Conv2d(5, 8, 3), nn.Linear(3, 8)])
def test_a_first_layer_that_cannot_be_adapted_is_refused(first):
    model = nn.Module()
    model.backbone = nn.Sequential(first)
    with pytest.raises(aistudio.Refusal, match="backbone.in_channels=6 cannot be had"):
        adapt_input(model, {"in_channels": 6, "name": "mine"}, 64)


@pytest.mark.parametrize(("channels", "refused"), [(3, False), (4, True)])
def test_a_first_convolution_that_sees_pixels_as_channels_stays(channels, refused):
    model = nn.Module()
    model.backbone = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 8, 3, padding=1))
    kernels = model.backbone[-1].weight
    if refused:
        with pytest.raises(aistudio.Refusal, match="backbone.in_channels=4 cannot be had"):
            adapt_input(model, {"in_channels": channels, "name": "mine"}, 64)
    else:
        adapt_input(model, {"in_channels": channels, "name": "mine"}, 64)
    assert model.backbone[-1].weight is kernels


def test_the_sanity_run_of_four_channels_passes_and_says_so():
    cfg = aistudio.compose(
        "backbone=resnet18", "backbone.in_channels=4", "sanity=quick", "runtime=cpu", "task.image_size=64"
    )
    report = aistudio.sanity_run(cfg)
    assert report.ok, report.failures
    assert "4 channels (adapted by rule)" in report.assembled["backbone"]
    assert report.assembled["backbone receives"].startswith("(4, 4, 64, 64)")


def test_a_backbone_that_takes_four_channels_by_itself_is_followed_as_it_is():
    def layers(channels, width, stride):
        return nn.Sequential(nn.Conv2d(channels, width, 3, stride, 1), nn.ReLU())

    model = nn.Sequential(layers(4, 8, 4), layers(8, 16, 2), layers(16, 24, 2), layers(24, 32, 2))
    wrapper = BackboneWrapper(model, "mine", image_size=64)
    assert wrapper.out_channels == 32 and list(wrapper.channels.values()) == [8, 16, 24, 32]
    kernels = model[0][0].weight.clone()
    head = nn.Module()
    head.backbone = wrapper
    adapt_input(head, {"in_channels": 4, "name": "mine"}, 64)
    assert torch.equal(wrapper.model[0][0].weight, kernels)
