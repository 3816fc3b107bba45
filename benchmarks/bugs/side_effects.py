"""Side effects: what a forward pass changes outside of itself, keeps, or takes from elsewhere."""

import random

import numpy as np
import torch

from bugs.bug import Bug, Classifier, classifying, detecting, segmenting, subject

KEPT = []  # what a module of somebody's keeps for good


class SeedsTorch(Classifier):
    def maps(self, x):
        torch.manual_seed(0)
        return super().maps(x)


class SeedsTorchInEval(Classifier):
    def maps(self, x):
        if not self.training:
            torch.manual_seed(0)
        return super().maps(x)


class SeedsNumpy(Classifier):
    def maps(self, x):
        np.random.seed(0)
        return super().maps(x)


class SeedsRandom(Classifier):
    def maps(self, x):
        random.seed(0)
        return super().maps(x)


class DrawsInEval(Classifier):
    def maps(self, x):
        torch.rand(1)
        return super().maps(x)


class GradientsLeftOff(Classifier):
    def forward(self, x):
        out = super().forward(x)
        torch.set_grad_enabled(False)
        return out


class GradientsLeftOffInEval(Classifier):
    def forward(self, x):
        if not self.training:
            torch.set_grad_enabled(False)
        return super().forward(x)


class GradientsLeftOn(Classifier):
    def forward(self, x):
        torch.set_grad_enabled(True)
        return super().forward(x)


class NormalisesInPlace(Classifier):
    def maps(self, x):
        x.sub_(0.1)
        return super().maps(x)


class CutoutInPlace(Classifier):
    def maps(self, x):
        if self.training:
            with torch.no_grad():
                x[:, :, :8, :8] = 0
        return super().maps(x)


class InPlaceInEval(Classifier):
    def maps(self, x):
        if not self.training:
            x.clamp_(-1, 1)
        return super().maps(x)


class KeepsFeatures(Classifier):
    def __init__(self):
        super().__init__()
        self.seen = []

    def pooled(self, maps):
        pooled = super().pooled(maps)
        self.seen.append(pooled.detach())
        return pooled


class KeepsForGood(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        KEPT.append(pooled.detach())
        return pooled


class KeepsGraph(Classifier):
    def __init__(self):
        super().__init__()
        self.outputs = []

    def head(self, pooled):
        out = super().head(pooled)
        self.outputs.append(out)
        return out


class RunningMean(Classifier):
    """A moving average of what it saw, graph and all."""

    def __init__(self):
        super().__init__()
        self.mean = None

    def pooled(self, maps):
        pooled = super().pooled(maps)
        if self.training:
            self.mean = pooled.mean() if self.mean is None else 0.9 * self.mean + 0.1 * pooled.mean()
        return pooled


class HooksForEveryCall(Classifier):
    def maps(self, x):
        self.fc.register_forward_hook(lambda module, args, output: None)
        return super().maps(x)


class FlagsChanged(Classifier):
    def maps(self, x):
        torch.use_deterministic_algorithms(True, warn_only=True)
        return super().maps(x)


class AnomalyModeLeftOn(Classifier):
    def maps(self, x):
        torch.autograd.set_detect_anomaly(True, check_nan=False)
        return super().maps(x)


class ThreadsChanged(Classifier):
    def maps(self, x):
        torch.set_num_threads(torch.get_num_threads() % 2 + 1)
        return super().maps(x)


class LeavesEvalMode(Classifier):
    def forward(self, x):
        out = super().forward(x)
        self.train()
        return out


class FreezesItself(Classifier):
    def forward(self, x):
        if not self.training:
            self.backbone.requires_grad_(False)
        return super().forward(x)


def pops_labels(task, model, inputs, targets):
    losses = task.loss(model, inputs, targets)
    for target in targets:
        target["boxes"] += 1
    return losses


def clamps_targets(task, model, inputs, targets):
    targets.clamp_(max=0)
    return task.loss(model, inputs, targets)


def fills_ignored(task, model, inputs, targets):
    targets[targets == 255] = 0
    return task.loss(model, inputs, targets)


def sums_losses(task, model, inputs, targets):
    losses = task.loss(model, inputs, targets)
    task.total = getattr(task, "total", 0) + sum(losses.values())
    return losses


def seeds_in_loss(task, model, inputs, targets):
    torch.manual_seed(1)
    return task.loss(model, inputs, targets)


def of(model):
    return lambda: subject(model)


BUGS = [
    Bug("torch seeded in forward", "side_effects", of(SeedsTorch)),
    Bug("torch seeded in forward, eval mode only", "side_effects", of(SeedsTorchInEval)),
    Bug("numpy seeded in forward", "side_effects", of(SeedsNumpy)),
    Bug("random seeded in forward", "side_effects", of(SeedsRandom)),
    Bug("torch seeded in the loss", "side_effects", lambda: classifying(loss=seeds_in_loss)),
    Bug("random numbers drawn in eval mode", "side_effects", of(DrawsInEval)),
    Bug("gradients left off", "side_effects", of(GradientsLeftOff)),
    Bug("gradients left off in eval mode", "side_effects", of(GradientsLeftOffInEval)),
    Bug("gradients left on", "side_effects", of(GradientsLeftOn)),
    Bug("images normalised in place", "side_effects", of(NormalisesInPlace)),
    Bug("images cut out in place in train mode", "side_effects", of(CutoutInPlace)),
    Bug("images clamped in place in eval mode", "side_effects", of(InPlaceInEval)),
    Bug("targets clamped in place", "side_effects", lambda: classifying(loss=clamps_targets)),
    Bug("boxes moved in place", "side_effects", lambda: detecting(loss=pops_labels)),
    Bug("ignored pixels filled in place", "side_effects ignored_pixels", lambda: segmenting(loss=fills_ignored)),
    Bug("features kept in a list", "side_effects", of(KeepsFeatures)),
    Bug("features kept in a global list", "side_effects", of(KeepsForGood)),
    Bug("outputs kept with their graphs", "side_effects", of(KeepsGraph)),
    Bug("moving average with its graph", "side_effects", of(RunningMean)),
    Bug("losses summed with their graphs", "side_effects", lambda: classifying(loss=sums_losses)),
    Bug("a hook for every call", "side_effects", of(HooksForEveryCall)),
    Bug("deterministic algorithms switched on", "side_effects", of(FlagsChanged)),
    Bug("anomaly mode left on", "side_effects", of(AnomalyModeLeftOn)),
    Bug("threads changed", "side_effects", of(ThreadsChanged)),
    Bug("train mode after an eval forward", "side_effects deterministic", of(LeavesEvalMode)),
    Bug("freezes itself in eval mode", "side_effects", of(FreezesItself)),
]
