"""Settings of layers with which eval mode is another model, or nothing gets through."""

from torch import nn
from torchvision.ops import StochasticDepth

from bugs.bug import Bug, Classifier, layers, subject, with_
from bugs.eval_mode import WithNeck


def norms(**values):
    def change(model):
        for norm in layers(model, nn.BatchNorm2d):
            for name, value in values.items():
                setattr(norm, name, value)

    return lambda: subject(with_(change))


def nearly_all_dropped(model):
    model.dropout.p = 0.95


class MapsDropped(Classifier):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout2d(0.99)

    def pooled(self, maps):
        return super().pooled(self.drop(maps))


class DepthDropped(WithNeck):
    def __init__(self):
        super().__init__()
        self.depth = StochasticDepth(0.97, "row")

    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled + self.depth(self.neck(pooled))


def of(model):
    return lambda: subject(model)


BUGS = [
    Bug("batch norm momentum 0", "settings", norms(momentum=0.0)),
    Bug("batch norm momentum 1", "settings", norms(momentum=1.0)),
    Bug("batch norm eps 1", "settings", norms(eps=1.0)),
    Bug("batch norm eps 0.1", "settings", norms(eps=0.1)),
    Bug("dropout 0.95", "settings", lambda: subject(with_(nearly_all_dropped))),
    Bug("dropout 0.99 of the maps", "settings", of(MapsDropped)),
    Bug("stochastic depth 0.97", "settings", of(DepthDropped)),
]
