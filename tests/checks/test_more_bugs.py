"""Bugs of places, orders, schedules and sources, each beside something healthy that is near to it."""

from dataclasses import replace
from functools import partial

import pytest
import tiny_models
import torch
from tiny_models import WIDTH, Classifier, Segmenter, detection, detector, failures, outcomes, segmentation, subject
from torch import nn

from aistudio.data.synthetic import Synthetic
from aistudio.tasks.object_detection import ObjectDetection


class FlatMaps(Segmenter):
    """The mean over all places, given to each of them."""

    def forward(self, x):
        maps = self.classifier(self.backbone(x).mean((2, 3), keepdim=True))
        return {"out": maps.expand(-1, -1, *x.shape[-2:])}


class WithContext(Segmenter):
    """The same mean beside what is in each place."""

    def forward(self, x):
        maps = self.backbone(x)
        maps = self.classifier(maps + maps.mean((2, 3), keepdim=True))
        return {"out": nn.functional.interpolate(maps, x.shape[-2:], mode="bilinear")}


class Mirrored(Segmenter):
    def forward(self, x):
        return {"out": super().forward(x)["out"].flip(-1)}


class Transposed(Segmenter):
    def forward(self, x):
        return {"out": super().forward(x)["out"].transpose(2, 3)}


class Viewed(Classifier):
    """view() where a permutation is meant."""

    def pooled(self, maps):
        return maps.reshape(len(maps), -1, WIDTH).mean(1)


class Permuted(Classifier):
    def pooled(self, maps):
        return maps.flatten(2).transpose(1, 2).mean(1)


class CutOff(Classifier):
    """The backbone learns in the first passes only."""

    def __init__(self):
        super().__init__()
        self.passes = 0

    def pooled(self, maps):
        self.passes += self.training
        return super().pooled(maps if self.passes < 4 else maps.detach())


class Held(Classifier):
    """Batch norms stay in eval mode, whose statistics are 0 and 1."""

    def train(self, mode=True):
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


class Detector(tiny_models.FCOS):
    """A detector whose detections are changed behind it."""

    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        return found if self.training else [self.changed(one) for one in found]

    def changed(self, one):
        return one


class Alike(Detector):
    def changed(self, one):
        return {**one, "scores": torch.full_like(one["scores"], 0.5)}


class WorstFirst(Detector):
    def changed(self, one):
        order = one["scores"].argsort(stable=True)
        return {name: value[order] for name, value in one.items()}


def of(kind):
    """A detector of a kind, made as the tiny one is."""

    def build():
        model = detector()
        model.__class__ = kind
        return model

    return build


class Faint(Synthetic):
    """Divided by 255 twice."""

    def paint(self, labels, size, generator):
        return [replace(one, image=one.image / 255) for one in super().paint(labels, size, generator)]


def growing(parameters, gamma=1.5):
    """A factor above 1 with every step."""
    optimizer = torch.optim.SGD(parameters, lr=1e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
    optimizer.register_step_post_hook(lambda *_: scheduler.step())
    return optimizer


def warming(parameters):
    """A warm-up by hand, over a thousand steps, that tells nobody which rate it goes up to."""
    optimizer = torch.optim.SGD(parameters, lr=1e-7)

    def warm(optimizer, *_):
        for group in optimizer.param_groups:
            group["lr"] += 1e-5

    optimizer.register_step_post_hook(warm)
    return optimizer


def one_cycle(parameters):
    optimizer = torch.optim.SGD(parameters, lr=1e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-1, total_steps=30)
    optimizer.register_step_post_hook(lambda *_: scheduler.step())
    return optimizer


class OneObject(ObjectDetection):
    """The first object of an image is its only target."""

    def target(self, sample):
        return {name: value[:1] for name, value in super().target(sample).items()}


swapped = partial(torch.optim.Adam, lr=1e-2, betas=(0.999, 0.9))


@pytest.mark.parametrize(
    ("check", "words", "make"),
    [
        ("uses_images", "every place of an image gets the same", lambda: subject(FlatMaps, segmentation())),
        ("uses_every_place", "mirrored left-right", lambda: subject(Mirrored, segmentation())),
        ("uses_every_place", "transposed", lambda: subject(Transposed, segmentation())),
        ("uses_every_place", "mixed", lambda: subject(Viewed)),
        ("overfits_one_batch", "none at the end", lambda: subject(CutOff)),
        ("structure", "in eval mode while training", lambda: subject(Held)),
        ("boxes_follow_the_image", "all boxes have the score", lambda: subject(of(Alike), detection(), lr=1e-3)),
        ("boxes_follow_the_image", "go up from box to box", lambda: subject(of(WorstFirst), detection(), lr=1e-3)),
        ("loss_is_whole", "one of two objects", lambda: subject(detector, OneObject(4), lr=1e-3)),
        ("input_range", "the source gives images from", lambda: subject(source=Faint())),
        ("optimizer", "the learning rate grows", lambda: subject(optimizer=growing)),
        ("optimizer", "betas", lambda: subject(optimizer=swapped)),
    ],
)
def test_the_bug_is_named(check, words, make):
    assert words in failures(make(), check)[check]


@pytest.mark.parametrize(
    ("check", "make"),
    [
        ("uses_images", lambda: subject(WithContext, segmentation())),
        ("uses_every_place", lambda: subject(WithContext, segmentation())),
        ("uses_every_place", lambda: subject(Permuted)),
        ("boxes_follow_the_image", lambda: subject(of(Detector), detection(), lr=1e-3)),
        ("optimizer", lambda: subject(optimizer=warming)),
        ("optimizer", lambda: subject(optimizer=one_cycle)),
        ("structure", lambda: subject(Classifier)),
        ("overfits_one_batch", lambda: subject(Classifier)),
    ],
)
def test_what_is_near_to_it_is_not(check, make):
    assert failures(make(), check) == {}


class DroppedByHand(Classifier):
    """Half of the features is dropped in train mode, and what is left is multiplied by ``scale``."""

    scale = 1.0

    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled * (torch.rand_like(pooled) < 0.5) * self.scale if self.training else pooled


class ScaledUp(DroppedByHand):
    scale = 2.0


@pytest.mark.parametrize(("model", "times"), [(DroppedByHand, "0.5 times"), (ScaledUp, "")])
def test_a_dropout_by_hand_that_scales_nothing_up_is_a_warning(model, times):
    outcome = outcomes(subject(model), "modes_agree")["modes_agree"]
    assert outcome.status == "skipped" and times in outcome.warning and bool(times) == bool(outcome.warning)
