"""Healthy models of other kinds, each of which looks to one check like the bug that it is there for."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import partial

import pytest
import torch
from bugs.eval_mode import CountsCalls
from tiny_models import CLASSES, SIZE, WIDTH, Classifier, Segmenter, battery, outcomes, segmentation, subject
from torch import nn
from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver

from aistudio.tasks.classification import Classification
from aistudio.tasks.regression import Regression
from aistudio.tasks.segmentation import Segmentation


class LogProbabilities(Classifier):
    def head(self, pooled):
        return super().head(pooled).log_softmax(1)


class DropoutFunction(Classifier):
    def pooled(self, maps):
        return nn.functional.dropout(super().pooled(maps), 0.5, self.training)


class DropPath(nn.Module):
    """Stochastic depth as other libraries write it."""

    def __init__(self):
        super().__init__()
        self.drop_prob = 0.5

    def forward(self, x):
        if not self.training or not self.drop_prob:
            return x
        return x * torch.empty(len(x), 1, 1, 1).bernoulli_(1 - self.drop_prob) / (1 - self.drop_prob)


class DropsPaths(Classifier):
    def __init__(self):
        super().__init__()
        self.drop_path = DropPath()

    def pooled(self, maps):
        return super().pooled(maps + self.drop_path(maps.relu()))


class OwnNorm(nn.Module):
    """A batch norm by hand."""

    def __init__(self):
        super().__init__()
        self.register_buffer("variance", torch.ones(1, WIDTH, 1, 1))

    def forward(self, x):
        if not self.training:
            return x / (self.variance + 1e-3).sqrt()
        variance = x.var((0, 2, 3), keepdim=True)
        self.variance.lerp_(variance.detach(), 0.1)
        return x / (variance + 1e-3).sqrt()


class NormalisesItself(Classifier):
    def __init__(self):
        super().__init__()
        self.norm = OwnNorm()

    def pooled(self, maps):
        return super().pooled(self.norm(maps))


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


class StartsAtZero(nn.Module):
    """A residual net whose shortcuts skip places, and whose branches start at zero."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 3, 2, 1)
        self.short, self.branch = (
            nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, k, 2, k // 2) for _ in range(3)) for k in (1, 3)
        )
        self.scales = nn.ParameterList(torch.zeros(1) for _ in range(3))
        self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        for short, branch, scale in zip(self.short, self.branch, self.scales, strict=True):
            x = short(x) + scale * branch(x).relu()
        return self.fc(x.mean((2, 3)))


class NormOfThePooled(Classifier):
    """Attention to channels with a batch norm in the backbone, as selective kernels have it."""

    class Attends(nn.Module):
        def __init__(self, places):
            super().__init__()
            self.pool, self.norm = nn.AdaptiveAvgPool2d(places), nn.BatchNorm2d(WIDTH)

        def forward(self, x):
            return x * self.norm(self.pool(x)).mean((2, 3), keepdim=True).sigmoid()

    def __init__(self):
        super().__init__()
        self.backbone.append(self.Attends(1))


class NormOfFewPlaces(Classifier):
    """A batch norm of a map that has one place where images are as small as those of checks."""

    def __init__(self):
        super().__init__()
        self.backbone.append(nn.Sequential(nn.AvgPool2d(SIZE // 8), nn.BatchNorm2d(WIDTH)))


class TwoViews(Classification):
    """The loss shows the model each image twice."""

    def loss(self, model, inputs, targets):
        return {"loss": self.criterion(model(torch.cat([inputs, inputs.flip(3)])), targets.repeat(2))}


class Logarithms(Regression):
    """Targets in other units than the values."""

    def target(self, sample):
        return (super().target(sample) + 9).log()


class Mixed(Classification):
    """Targets that say how much of each class there is."""

    def target(self, sample):
        return nn.functional.one_hot(super().target(sample), CLASSES) * 0.8 + 0.2 / CLASSES

    def target_problems(self, images, targets):
        return []


class Caches(Classifier):
    """Keeps the last features, as many models do for hooks and drawings: one tensor, never more."""

    def pooled(self, maps):
        self.last = super().pooled(maps).detach()
        return super().pooled(maps)


class RemembersItsMap(Classifier):
    """As those do who draw gradients on it: with its graph, until the next pass."""

    def pooled(self, maps):
        self.last = [maps]
        return super().pooled(maps)


class OldParametrizations(Classifier):
    """torch's older ways keep a weight with its graph from pass to pass."""

    def __init__(self):
        super().__init__()
        self.backbone[3] = nn.utils.spectral_norm(self.backbone[3])
        self.fc = nn.utils.weight_norm(self.fc)


class Coordinates(nn.Module):
    """The place of every pixel beside its colours."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(5, 3, 3, 1, 1)
        self.rest = Classifier()

    def forward(self, x):
        down, across = (torch.linspace(-1, 1, side, device=x.device, dtype=x.dtype) for side in x.shape[-2:])
        places = torch.stack(torch.meshgrid(down, across, indexing="ij")).expand(len(x), -1, -1, -1)
        return self.rest(self.first(torch.cat([x, places], 1)))


class OneActivation(Classifier):
    """One PReLU in several places."""

    def __init__(self):
        super().__init__()
        self.backbone[2] = self.backbone[5] = self.backbone[8] = nn.PReLU()


class WithoutNorms(Classifier):
    """Learns slowly, and does."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(*(layer for layer in self.backbone if not isinstance(layer, nn.BatchNorm2d)))


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


class Masked(Classifier):
    """A mask of attention that is minus infinity in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((WIDTH, WIDTH), -torch.inf).triu(1))

    def pooled(self, maps):
        pooled = super().pooled(maps)
        return ((pooled[:, :, None] * pooled[:, None] + self.mask).softmax(2) @ pooled[:, :, None])[:, :, 0]


class FakeQuantised(Classifier):
    """Quantisation-aware training: observers watch until they are told not to."""

    def __init__(self):
        super().__init__()
        self.quantise = FakeQuantize(MovingAverageMinMaxObserver, quant_min=0, quant_max=255)

    def pooled(self, maps):
        return super().pooled(self.quantise(maps))


class SkipsBlocks(Classifier):
    """Whole blocks are left out of a step at random."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def pooled(self, maps):
        pooled = super().pooled(maps)
        for block in self.blocks:
            if not self.training or torch.rand(()) > 0.2:
                pooled = pooled + block(pooled).relu()
        return pooled


class HasTeacher(nn.Module):
    """Two classifiers, of which the trainer lets one follow the other."""

    def __init__(self):
        super().__init__()
        self.student = Classifier()
        self.teacher = deepcopy(self.student).requires_grad_(False)

    def forward(self, x):
        return self.student(x)


class Adapted(Classifier):
    """Low-rank adapters around layers whose weights the model loads by itself."""

    class Adapter(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.base = layer.requires_grad_(False)
            self.down = nn.Conv2d(layer.in_channels, 2, 3, 2, 1, bias=False)
            self.up = nn.Conv2d(2, layer.out_channels, 1, bias=False)
            nn.init.zeros_(self.up.weight)

        def forward(self, x):
            return self.base(x) + self.up(self.down(x))

    def __init__(self):
        super().__init__()
        loaded = torch.Generator().manual_seed(5)
        for at in (0, 3, 6):
            self.backbone[at].weight.data.normal_(std=0.1, generator=loaded)
            self.backbone[at] = self.Adapter(self.backbone[at])


def smoothed():
    return Classification(CLASSES, nn.CrossEntropyLoss(label_smoothing=0.2))


def weighted():
    return Classification(CLASSES, nn.CrossEntropyLoss(weight=torch.tensor([0.1, 1, 5, 1])))


def two_smoothed():
    return Classification(2, nn.CrossEntropyLoss(label_smoothing=0.2))


def standardised():
    """Values in other units inside the loss."""
    return Regression(3, lambda output, values: nn.functional.mse_loss(output, (values - 0.5) / 0.25))


def concordance(output, values):
    """As in the estimation of emotions: bounded, and taken over the batch."""
    product = (output - output.mean(0)) * (values - values.mean(0))
    apart = output.var(0, correction=0) + values.var(0, correction=0) + (output.mean(0) - values.mean(0)) ** 2
    return 1 - (2 * product.mean(0) / (apart + 1e-8)).mean()


def tube(output, values):
    """Small errors cost nothing."""
    return ((output - values).abs() - 0.05).relu().mean()


def of_scaled_cosines(output, classes):
    return nn.functional.cross_entropy(16 * nn.functional.normalize(output, dim=1), classes)


def squared():
    """Classes by a squared error, as LeNet's."""

    def loss(output, classes):
        return nn.functional.mse_loss(output, nn.functional.one_hot(classes, CLASSES).float())

    return Classification(CLASSES, loss)


def hardest_pixels(output, masks):
    losses = nn.functional.cross_entropy(output, masks, ignore_index=255, reduction="none").flatten()
    return losses.topk(len(losses) // 8)[0].mean()


class Mixes(Classification):
    """Mixup in the loss."""

    def loss(self, model, inputs, targets):
        share, order = torch.rand(()), torch.randperm(len(targets))
        output = model(share * inputs + (1 - share) * inputs[order])
        return {"loss": share * self.criterion(output, targets) + (1 - share) * self.criterion(output, targets[order])}


def likelihood():
    return Classification(CLASSES, nn.NLLLoss())


def warm_up(parameters):
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 5, 1.0))
    optimizer.register_step_post_hook(lambda *_: rates.step())
    return optimizer


def long_warm_up(parameters):
    optimizer = torch.optim.AdamW(parameters, lr=1e-2)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 200_000, 1.0))
    optimizer.register_step_post_hook(lambda *_: rates.step())
    return optimizer


class Lookahead(torch.optim.Adam):
    """Every fifth step ends half way back to where it was five steps before."""

    count = 0

    @torch.no_grad()
    def step(self, closure=None):
        held = [p for group in self.param_groups for p in group["params"]]
        self.slow = self.slow if self.count else [p.clone() for p in held]
        super().step(closure)
        self.count += 1
        for slow, fast in zip(self.slow, held, strict=True) if self.count % 5 == 0 else ():
            fast.copy_(slow.lerp_(fast, 0.5))


def cosine(parameters):
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    optimizer.register_step_post_hook(lambda *_: rates.step())
    return optimizer


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)


class DeepHead(Classifier):
    """Three layers with ReLUs, many of whose units are shut for every image of a batch; the last one starts at zero."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Linear(64, 64), nn.ReLU())
        self.fc = nn.Linear(64, CLASSES)
        nn.init.constant_(self.hidden[0].bias, -0.5)
        nn.init.normal_(self.fc.weight, std=1e-3)

    def pooled(self, maps):
        return self.hidden(super().pooled(maps))


class Experts(Classifier):
    """One of four experts for each image, gated; maxima of pairs of units."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(WIDTH, 4)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, 2 * WIDTH) for _ in range(4))

    def pooled(self, maps):
        pooled = super().pooled(maps)
        share, chosen = self.gate(pooled).softmax(1).max(1)
        said = torch.stack([expert(pooled) for expert in self.experts], 1)[range(len(chosen)), chosen]
        return share[:, None] * said.unflatten(1, (WIDTH, 2)).amax(2)


class KeepsMore(Classifier):
    """Something in its state that is no tensor, as layers of half precision keep their scales."""

    def get_extra_state(self):
        return {"scale": 1.0, "version": "2"}

    def set_extra_state(self, state):
        assert state["version"] == "2"


class LastState(Classifier):
    """A recurrent layer over the places; what it saw first has faded by its last state, until it learns."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.LSTM(WIDTH, WIDTH, batch_first=True)

    def read(self, maps):
        return maps

    def pooled(self, maps):
        return self.recurrent(self.read(maps).flatten(2).transpose(1, 2))[0][:, -1]


class LastStateOfHalf(LastState):
    def read(self, maps):
        return maps[:, :, :, 4:]


class ConvolvingHead(Segmenter):
    def __init__(self):
        super().__init__()
        self.classifier = nn.Sequential(
            nn.Conv2d(WIDTH, 32, 3, 1, 1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, CLASSES, 1)
        )


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
        ("uses_every_place", "passed", lambda: subject(StartsAtZero)),
        ("uses_every_place", "passed", lambda: subject(DeepHead)),
        ("uses_every_place", "passed", lambda: subject(Experts)),
        ("uses_every_place", "passed", lambda: subject(LastState)),
        ("uses_every_place", "passed", lambda: subject(ConvolvingHead, segmentation())),
        ("gradients", "passed", lambda: subject(DeepHead)),
        ("loss_rewards_truth", "passed", lambda: subject(partial(Classifier, 3), Regression(3, nn.L1Loss()))),
        ("batch_of_one", "skipped", lambda: subject(NormOfThePooled)),
        ("batch_of_one", "passed", lambda: subject(NormOfFewPlaces, image_size=2 * SIZE)),
        ("output_contract", "passed", lambda: subject(task=TwoViews(CLASSES, nn.CrossEntropyLoss()))),
        ("loss_rewards_truth", "passed", lambda: subject(task=Mixed(CLASSES, nn.CrossEntropyLoss()))),
        ("side_effects", "passed", lambda: subject(Caches)),
        ("side_effects", "passed", lambda: subject(OwnNoise)),
        ("structure", "passed", lambda: subject(CallsTwice)),
        ("odd_sizes", "skipped", lambda: subject(OfOneSize)),
        ("optimizer", "passed", lambda: subject(optimizer=warm_up)),
        ("optimizer", "passed", lambda: subject(optimizer=cosine)),
        ("optimizer", "passed", lambda: subject(optimizer=momentum)),
        ("optimizer", "passed", lambda: subject(optimizer=long_warm_up)),
        ("optimizer", "passed", lambda: subject(optimizer=partial(Lookahead, lr=1e-2))),
        ("optimizer", "passed", lambda: subject(optimizer=partial(torch.optim.Adam, lr=1e-2, weight_decay=0.1))),
        ("overfits_one_batch", "passed", lambda: subject(optimizer=long_warm_up)),
        ("overfits_one_batch", "passed", lambda: subject(partial(Classifier, 2), two_smoothed())),
        ("overfits_one_batch", "passed", lambda: subject(RemembersItsMap)),
        ("overfits_one_batch", "passed", lambda: subject(OldParametrizations)),
        ("loss_rewards_truth", "passed", lambda: subject(partial(Classifier, 3), standardised())),
        ("loss_rewards_truth", "passed", lambda: subject(task=squared())),
        ("loss_rewards_truth", "passed", lambda: subject(partial(Classifier, 3), Regression(3, concordance))),
        ("loss_rewards_truth", "passed", lambda: subject(partial(Classifier, 3), Regression(3, tube))),
        ("loss_rewards_truth", "passed", lambda: subject(task=Classification(CLASSES, of_scaled_cosines))),
        ("targets_differ", "passed", lambda: subject(partial(Classifier, 3), Logarithms(3, nn.MSELoss()))),
        ("loss_is_mean", "passed", lambda: subject(DropoutFunction)),
        ("loss_is_mean", "passed", lambda: subject(DropsPaths)),
        ("loss_is_mean", "skipped", lambda: subject(OwnNoise)),
        ("loss_is_mean", "skipped", lambda: subject(task=Mixes(CLASSES, nn.CrossEntropyLoss()))),
        ("loss_is_whole", "passed", lambda: subject(Segmenter, Segmentation(CLASSES, hardest_pixels))),
        ("modes_agree", "passed", lambda: subject(NormalisesItself)),
        ("side_effects", "passed", lambda: subject(RemembersItsMap)),
        ("side_effects", "passed", lambda: subject(OldParametrizations)),
        ("input_range", "passed", lambda: subject(Coordinates)),
        ("structure", "passed", lambda: subject(OneActivation)),
        ("structure", "passed", lambda: subject(HasTeacher)),
        ("structure", "passed", lambda: subject(Adapted)),
        ("all_finite", "passed", lambda: subject(Masked)),
        ("all_finite", "passed", lambda: subject(FakeQuantised)),
        ("deterministic", "passed", lambda: subject(FakeQuantised)),
        ("deterministic", "passed", lambda: subject(KeepsMore)),
        ("state_dict_round_trip", "passed", lambda: subject(KeepsMore)),
        ("portable", "passed", lambda: subject(KeepsMore)),
        *(("gradients", "passed", lambda seed=seed: subject(SkipsBlocks, seed=seed)) for seed in range(3)),
    ],
)
def test_no_check_fails_what_only_looks_like_its_bug(check, status, make):
    outcome = outcomes(make(), check)[check]
    assert outcome.status == status, outcome


def test_a_state_that_asking_changes_is_told():
    outcome = outcomes(subject(CountsCalls), "deterministic")["deterministic"]
    assert outcome.status == "failed" and outcome.seen == "asking changed calls"


def test_the_trained_model_that_was_given_away_is_nobody_elses():
    one = trained_a_little(subject())
    given = one.give_trained()
    with torch.no_grad():
        for parameter in given.parameters():
            parameter.zero_()
    assert one.give_trained() is not given and bool(one.trained_output().any())


def test_a_recurrent_head_that_reads_a_half_is_told():
    outcome = outcomes(subject(LastStateOfHalf), "uses_every_place")["uses_every_place"]
    assert outcome.status == "failed" and "does not see columns 1 to 3" in outcome.seen


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


def test_a_net_that_learns_slowly_is_given_time_and_one_that_has_not_begun_is_not():
    check = replace(battery()["overfits_one_batch"], ratio=0.2)
    patient = replace(check, steps=6)(subject(WithoutNorms))
    assert patient.status == "passed" and "slowly: 6 are asked for" in patient.seen
    assert replace(check, steps=1)(subject(WithoutNorms)).status == "failed"
