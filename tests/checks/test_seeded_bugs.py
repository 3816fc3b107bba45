"""Bugs planted one at a time, each with the check that must catch it; and clean models, which no check may fail."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny_models import (
    CLASSES,
    SIZE,
    WIDTH,
    Classifier,
    Segmenter,
    classification,
    detection,
    detector,
    failures,
    outcomes,
    segmentation,
    subject,
    trained,
)
from torch import nn
from torchvision.models import resnet18
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from aistudio.models.backbone import BackboneWrapper

# ---- bugs of models ----


class WrongTaps(Classifier):
    def __init__(self):
        super().__init__()
        wrapper = BackboneWrapper(resnet18(), "resnet18")
        wrapper.channels["feat2"] = 64
        self.backbone, self.fc = wrapper, nn.Linear(512, CLASSES)


class CutGradient(Classifier):
    def pooled(self, maps):
        return super().pooled(maps).detach()


class NanParameter(Classifier):
    def __init__(self):
        super().__init__()
        self.fc.weight.data[0, 0] = float("nan")


class BatchMean(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled - pooled.mean(0)


class SoftmaxOverBatch(Classifier):
    def pooled(self, maps):
        return super().pooled(maps) * (super().pooled(maps).softmax(0) + 0.5)


class StuckInTrainMode(Classifier):
    def train(self, mode=True):
        super().train(mode)
        self.backbone[1].train()
        return self


class DropoutAlways(Classifier):
    def pooled(self, maps):
        return nn.functional.dropout(super().pooled(maps), 0.1)


class NoiseAlways(Classifier):
    def head(self, pooled):
        return super().head(pooled + 1e-3 * torch.randn_like(pooled))


class CountsCalls(Classifier):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def pooled(self, maps):
        self.calls += 1
        return super().pooled(maps)


class NotRegistered(Classifier):
    def __init__(self):
        super().__init__()
        self.extra = [nn.Linear(WIDTH, WIDTH)]

    def pooled(self, maps):
        layer = self.extra[0].to(maps.dtype)
        return super().pooled(maps) + layer(super().pooled(maps))


class StateNotSaved(Classifier):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", 1 + torch.rand(WIDTH), persistent=False)

    def pooled(self, maps):
        return super().pooled(maps) * self.scale


class UnusedLayer(Classifier):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(WIDTH, WIDTH)


class DeadOutput(Classifier):
    def head(self, pooled):
        return super().head(pooled) * torch.tensor([1, 1, 0, 1], dtype=pooled.dtype)


class BlindHead(Classifier):
    def pooled(self, maps):
        return super().pooled(maps) * 0 + self.fc.weight.mean(0)


class AnswersClassIds(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits if self.training else logits.argmax(1)


class FlattenedMap(Classifier):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(WIDTH * (SIZE // 8) ** 2, CLASSES)

    def pooled(self, maps):
        return maps.flatten(1)


class NormAfterPooling(Classifier):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(WIDTH)

    def pooled(self, maps):
        return self.norm(super().pooled(maps))


class Cancellation(Classifier):
    def head(self, pooled):
        return super().head((pooled.to(self.fc(pooled).dtype) + 1000) - 1000)


class AssumesLayout(Classifier):
    def pooled(self, maps):
        n, c, h, w = maps.shape
        return super().pooled(torch.as_strided(maps, maps.shape, (c * h * w, h * w, w, 1)))


class NormalisesAgain(Classifier):
    def forward(self, x):
        return super().forward((x - 0.45) / 0.225)


class FrozenBySettingFlags(Classifier):
    def __init__(self):
        super().__init__()
        for parameter in self.backbone.parameters():
            parameter.requires_grad_(False)


class EnlargingTransform(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        return super().postprocess(found, now, [(2 * height, 2 * width) for height, width in original])


def boxes_twice_as_large():
    model = detector()
    model.transform.__class__ = EnlargingTransform
    return model


# ---- bugs of tasks ----


def task_with(base, **methods):
    """A task object with some methods replaced; each is given the original object first."""
    task = base()
    for name, method in methods.items():
        setattr(task, name, method.__get__(copy.copy(task)))
    return task


def classifying(lr=1e-2, **methods):
    return subject(task=task_with(classification, **methods), lr=lr)


def segmenting(**methods):
    return task_with(segmentation, **methods)


def ignores_targets(task, model, inputs, targets):
    return {"loss": model(inputs).pow(2).mean()}


def flipped_sign(task, model, inputs, targets):
    return {name: -part for name, part in task.loss(model, inputs, targets).items()}


def softmax_first(task, model, inputs, targets):
    return {"loss": nn.functional.cross_entropy(model(inputs).softmax(1), targets)}


def detached_loss(task, model, inputs, targets):
    return {name: part.detach() for name, part in task.loss(model, inputs, targets).items()}


def huge_targets(task, model, inputs, targets):
    return {"loss": (model(inputs)[:, 0] - 100.0 * (1 + targets)).pow(2).mean()}


def counts_ignored(task, model, inputs, targets):
    return {"out": nn.functional.cross_entropy(model(inputs)["out"], targets.where(targets != 255, 0))}


def mean_over_objects(task, model, inputs, targets):
    loss = nn.functional.cross_entropy(model(inputs)["out"], targets, ignore_index=255, reduction="none")
    objects = (targets > 0) & (targets != 255)
    return {"out": (loss * objects).sum() / objects.sum() + 0.1 * loss.mean()}


def one_too_many(task, model, inputs, targets):
    return {"loss": nn.functional.cross_entropy(model(inputs), targets + 1)}


def constant_target(task, sample):
    return torch.tensor(1)


def not_normalised(task, images):
    return torch.stack(list(images))


def in_bytes(task, images):
    return task.inputs([255 * image for image in images])


def divided_again(task, images):
    return task.inputs([image / 255 for image in images])


# ---- bugs of optimisers ----


def on_copies(parameters):
    return torch.optim.Adam([nn.Parameter(p.detach().clone()) for p in parameters], lr=1e-2)


def without_rate(parameters):
    return torch.optim.Adam(parameters, lr=0.0)


def head_only(parameters):
    return torch.optim.Adam(list(parameters)[-2:], lr=1e-2)


def upwards(parameters):
    return torch.optim.Adam(parameters, lr=1e-2, maximize=True)


def too_fast(parameters):
    return torch.optim.SGD(parameters, lr=1e6)


# ---- bugs of weights ----


def touched(model):
    with torch.no_grad():
        model.backbone[0].weight[0, 0, 0, 0] += 1e-6


def initialised_again(model):
    model.backbone[3].reset_parameters()


BUGS = {
    "head whose gradient is cut": ("gradients", lambda: subject(CutGradient)),
    "unused layer": ("gradients", lambda: subject(UnusedLayer)),
    "loss detached from the model": ("gradients", lambda: classifying(loss=detached_loss)),
    "NaN in one parameter": ("all_finite", lambda: subject(NanParameter)),
    "batch mean subtracted": ("batch_independence", lambda: subject(BatchMean)),
    "softmax over the batch": ("batch_independence", lambda: subject(SoftmaxOverBatch)),
    "batch norm stuck in train mode": ("batch_independence", lambda: subject(StuckInTrainMode)),
    "dropout always on": ("deterministic", lambda: subject(DropoutAlways)),
    "noise always on": ("deterministic", lambda: subject(NoiseAlways)),
    "state written in eval mode": ("deterministic", lambda: subject(CountsCalls)),
    "layer not registered": ("state_dict_round_trip", lambda: subject(NotRegistered)),
    "random buffer not saved": ("state_dict_round_trip", lambda: subject(StateNotSaved)),
    "dead output": ("uses_images", lambda: subject(DeadOutput)),
    "head that sees nothing": ("uses_images", lambda: subject(BlindHead)),
    "class ids in place of logits": ("output_contract", lambda: subject(AnswersClassIds)),
    "one output too few": ("output_contract", lambda: subject(lambda: Classifier(CLASSES - 1))),
    "boxes outside the picture": ("output_contract", lambda: subject(boxes_twice_as_large, detection(), lr=1e-3)),
    "taps of another width": ("backbone_contract", lambda: subject(WrongTaps)),
    "labels off by one": ("edge_labels", lambda: classifying(loss=one_too_many)),
    "head of one size": ("odd_sizes", lambda: subject(FlattenedMap)),
    "batch norm after pooling": ("batch_of_one", lambda: subject(NormAfterPooling)),
    "loss divided by the number of objects": (
        "no_objects",
        lambda: subject(Segmenter, segmenting(loss=mean_over_objects)),
    ),
    "ignore index counted": ("ignored_pixels", lambda: subject(Segmenter, segmenting(loss=counts_ignored))),
    "loss ignores its targets": ("uses_targets", lambda: classifying(loss=ignores_targets)),
    "targets ignore the labels": ("uses_targets", lambda: classifying(target=constant_target)),
    "sign flipped": ("overfits_one_batch", lambda: classifying(loss=flipped_sign)),
    "optimiser that climbs": ("overfits_one_batch", lambda: subject(optimizer=upwards)),
    "softmax before cross-entropy": ("overfits_one_batch", lambda: classifying(lr=1e-3, loss=softmax_first)),
    "targets not standardised": ("overfits_one_batch", lambda: classifying(loss=huge_targets)),
    "learning rate far too high": ("overfits_one_batch", lambda: subject(optimizer=too_fast)),
    "optimiser on copied parameters": ("optimizer_step", lambda: subject(optimizer=on_copies)),
    "learning rate zero": ("optimizer_step", lambda: subject(optimizer=without_rate)),
    "optimiser that knows the head only": ("optimizer_step", lambda: subject(optimizer=head_only)),
    "statistics move though frozen": ("frozen", lambda: subject(FrozenBySettingFlags, frozen=True, pretrained=True)),
    "freezing forgotten": ("frozen", lambda: subject(frozen=True, pretrained=True)),
    "normalised twice": ("input_range", lambda: subject(NormalisesAgain)),
    "not normalised": ("input_range", lambda: classifying(inputs=not_normalised)),
    "pictures in 0-255": ("input_range", lambda: classifying(inputs=in_bytes)),
    "divided by 255 twice": ("input_range", lambda: classifying(inputs=divided_again)),
    "cancellation in half precision": ("autocast", lambda: subject(Cancellation)),
    "weights touched after loading": ("loaded_weights", lambda: trained(touched)),
    "weights of a file that is never read": ("loaded_weights", lambda: trained(loads=False)),
    "layer initialised again after loading": ("only_remade_layers_are_random", lambda: trained(initialised_again)),
    "loading forgotten": ("pretrained_features", lambda: trained(loads=False)),
    "order in memory assumed": ("channels_last", lambda: subject(AssumesLayout)),
}


@pytest.mark.parametrize("bug", BUGS)
def test_the_right_check_catches_the_bug(bug):
    check, broken = BUGS[bug]
    assert check in failures(broken()), "the bug went unseen by the check that is there for it"


def test_every_check_of_the_battery_has_a_bug():
    from tiny_models import battery

    assert {check for check, _ in BUGS.values()} == set(battery()) - {"compiles"}  # which needs a compiler


def test_no_check_fails_a_model_that_was_filled_from_a_file():
    found = outcomes(trained())
    assert {name for name, one in found.items() if one.status == "failed"} == set()
    of_weights = ("loaded_weights", "only_remade_layers_are_random", "pretrained_features")
    assert [found[name].status for name in of_weights] == ["passed"] * 3
    assert all(one.status == "skipped" for one in outcomes(subject(), *of_weights).values())


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("model", "task"), [(Classifier, classification), (Segmenter, segmentation), (detector, detection)]
)
def test_no_check_fails_a_clean_model(model, task, seed):
    assert failures(subject(model, task(), seed=seed, lr=1e-3 if model is detector else 1e-2)) == {}
