"""Parts that do not learn, or learn as one: cut off, unused, shared, frozen."""

import torch
from torch import nn

from bugs.bug import Bug, Classifier, features, subject, with_


class CutGradient(Classifier):
    def pooled(self, maps):
        return super().pooled(maps).detach()


class NoGradBackbone(Classifier):
    @torch.no_grad()
    def maps(self, x):
        return super().maps(x)


class UnusedLayer(Classifier):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(self.width, self.width)


class BranchTimesZero(UnusedLayer):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled + 0 * self.spare(pooled)


class SharedBlocks(Classifier):
    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.Conv2d(self.width, self.width, 3, 1, 1), nn.BatchNorm2d(self.width), nn.ReLU())
        self.blocks = nn.Sequential(*[block] * 3)

    def pooled(self, maps):
        return super().pooled(self.blocks(maps))


class SharedInAList(Classifier):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(self.width, self.width)] * 2)

    def pooled(self, maps):
        pooled = super().pooled(maps)
        for layer in self.layers:
            pooled = layer(pooled).relu()
        return pooled


class TiedWeights(Classifier):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(nn.Conv2d(self.width, self.width, 1), nn.Conv2d(self.width, self.width, 1))
        self.blocks[1].weight = self.blocks[0].weight

    def pooled(self, maps):
        return super().pooled(self.blocks(maps))


class ScaledAway(Classifier):
    """The backbone has a billionth of its gradient."""

    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled * 1e-9 + pooled.detach() * (1 - 1e-9)


class TwoBackbones(Classifier):
    """The second one is left over from another version."""

    def __init__(self):
        super().__init__()
        self.encoder = features()[0]


def freeze(model):
    model.backbone.requires_grad_(False)


def freeze_first(model):
    layers = [module for module in model.backbone.modules() if isinstance(module, nn.Conv2d)]
    for layer in layers[: -(-len(layers) // 2)]:
        layer.requires_grad_(False)


def of(model):
    return lambda: subject(model)


BUGS = [
    Bug("gradients of the backbone scaled away", "gradients", of(ScaledAway)),
    Bug("gradient cut behind the backbone", "gradients", of(CutGradient)),
    Bug("backbone under no_grad", "gradients", of(NoGradBackbone)),
    Bug("unused layer", "gradients", of(UnusedLayer)),
    Bug("branch times zero", "gradients", of(BranchTimesZero)),
    Bug("second backbone left over", "gradients", of(TwoBackbones)),
    Bug("one block three times", "structure", of(SharedBlocks)),
    Bug("one layer twice in a list", "structure", of(SharedInAList)),
    Bug("weights tied by accident", "structure", of(TiedWeights)),
    Bug("backbone random and frozen", "structure", lambda: subject(with_(freeze))),
    Bug("half of the backbone random and frozen", "structure", lambda: subject(with_(freeze_first))),
    Bug("frozen by the configuration, random", "structure", lambda: subject(with_(freeze), frozen=True)),
]
