"""Healthy models of other kinds, each of which looks to one check like the bug that it is there for."""

from __future__ import annotations

import pytest
import torch
from tiny_models import CLASSES, SIZE, WIDTH, Classifier, outcomes, subject
from torch import nn

from aistudio.tasks.classification import Classification


class LogProbabilities(Classifier):
    def head(self, pooled):
        return super().head(pooled).log_softmax(1)


class DropoutFunction(Classifier):
    def pooled(self, maps):
        return nn.functional.dropout(super().pooled(maps), 0.5, self.training)


class OwnNoise(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled + torch.randn_like(pooled) if self.training else pooled


class AverageThatMoves(Classifier):
    def __init__(self):
        super().__init__()
        self.register_buffer("average", self.fc.weight.detach().clone())

    def head(self, pooled):
        if self.training:
            self.average.lerp_(self.fc.weight.detach(), 0.01)
            return super().head(pooled)
        return nn.functional.linear(pooled, self.average, self.fc.bias)


class PaddedInside(Classifier):
    def forward(self, x):
        return super().forward(nn.functional.pad(x, (1, 1, 1, 1)))


class LargerInside(Classifier):
    def forward(self, x):
        return super().forward(nn.functional.interpolate(x, (96, 96), mode="bilinear"))


class TransformsItself(Classifier):
    transform_input = True

    def forward(self, x):
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        return super().forward((x * std + mean - 0.5) / 0.5)


class StrongestPlaces(Classifier):
    def pooled(self, maps):
        return maps.amax((2, 3))


class Caches(Classifier):
    """Keeps the last features, as many models do for hooks and drawings: one tensor, never more."""

    def pooled(self, maps):
        self.last = super().pooled(maps).detach()
        return super().pooled(maps)


class CallsTwice(Classifier):
    """One layer used twice on purpose."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(WIDTH, WIDTH)

    def pooled(self, maps):
        return self.shared(self.shared(super().pooled(maps)).relu())


class BoundBackbone(nn.Sequential):
    def forward(self, x):
        assert x.shape[-2:] == (SIZE, SIZE), f"made for {SIZE} px"
        return super().forward(x)


class OfOneSize(Classifier):
    def __init__(self):
        super().__init__()
        self.backbone = BoundBackbone(*self.backbone)


def smoothed():
    return Classification(CLASSES, nn.CrossEntropyLoss(label_smoothing=0.2))


def weighted():
    return Classification(CLASSES, nn.CrossEntropyLoss(weight=torch.tensor([0.1, 1, 5, 1])))


def likelihood():
    return Classification(CLASSES, nn.NLLLoss())


def warm_up(parameters):
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 5, 1.0))
    optimizer.register_step_post_hook(lambda *_: rates.step())
    return optimizer


def cosine(parameters):
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    optimizer.register_step_post_hook(lambda *_: rates.step())
    return optimizer


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)


@pytest.mark.parametrize(
    ("check", "status", "make"),
    [
        ("loss_rewards_truth", "passed", lambda: subject(LogProbabilities, likelihood())),
        ("loss_rewards_truth", "passed", lambda: subject(task=smoothed())),
        ("loss_rewards_truth", "passed", lambda: subject(task=weighted())),
        ("loss_is_mean", "passed", lambda: subject(task=weighted())),
        ("loss_is_whole", "passed", lambda: subject(task=weighted())),
        ("modes_agree", "passed", lambda: subject(DropoutFunction)),
        ("modes_agree", "skipped", lambda: subject(OwnNoise)),
        ("modes_agree", "skipped", lambda: trained_a_little(subject(AverageThatMoves))),
        ("input_range", "passed", lambda: subject(PaddedInside)),
        ("input_range", "passed", lambda: subject(LargerInside)),
        ("input_range", "passed", lambda: subject(TransformsItself)),
        ("uses_every_place", "passed", lambda: subject(StrongestPlaces)),
        ("side_effects", "passed", lambda: subject(Caches)),
        ("side_effects", "passed", lambda: subject(OwnNoise)),
        ("structure", "passed", lambda: subject(CallsTwice)),
        ("odd_sizes", "skipped", lambda: subject(OfOneSize)),
        ("optimizer", "passed", lambda: subject(optimizer=warm_up)),
        ("optimizer", "passed", lambda: subject(optimizer=cosine)),
        ("optimizer", "passed", lambda: subject(optimizer=momentum)),
    ],
)
def test_no_check_fails_what_only_looks_like_its_bug(check, status, make):
    outcome = outcomes(make(), check)[check]
    assert outcome.status == status, outcome


def trained_a_little(one):
    one.training.advance(5, lambda first, loss: False)
    return one


def test_the_model_of_an_adopted_training_is_the_trained_one():
    one = subject()
    other = one.training_at(3.0)
    other.advance(2, lambda first, loss: False)
    one.adopt(other)
    pairs = zip(one.trained().parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(next(one.trained().parameters()), next(one.training.model.parameters()))
