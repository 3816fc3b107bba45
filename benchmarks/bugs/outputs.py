"""What comes out, edges of real data, what is saved and loaded, other ways to compute."""

import torch
from tiny_models import trained
from torch import nn
from torchvision.models import resnet18

from aistudio.models.backbone import BackboneWrapper
from bugs.bug import CLASSES, SIZE, Bug, Classifier, segmenting, subject, with_
from bugs.bug import Segmenter as Healthy


class WrongTaps(Classifier):
    def __init__(self):
        super().__init__()
        wrapper = BackboneWrapper(resnet18(), "resnet18")
        wrapper.channels["feat2"] = 64
        self.backbone, self.fc = wrapper, nn.Linear(512, CLASSES)


class NanParameter(Classifier):
    def __init__(self):
        super().__init__()
        self.fc.weight.data[0, 0] = float("nan")


class InfiniteBuffer(Classifier):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.tensor([1.0, float("inf"), 1, 1]))


class AnswersClassIds(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits if self.training else logits.argmax(1)


class SmallMasks(Healthy):
    def enlarged(self, logits, x):
        return logits if not self.training else super().enlarged(logits, x)


class FlattenedMap(Classifier):
    def __init__(self):
        super().__init__()
        self.fc = nn.LazyLinear(CLASSES)
        self.eval()(torch.zeros(1, 3, SIZE, SIZE))
        self.train()

    def pooled(self, maps):
        return maps.flatten(1)


class NormAfterPooling(Classifier):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(self.width)

    def pooled(self, maps):
        return self.norm(super().pooled(maps))


class Squeezed(Classifier):
    """A batch of one loses its first dimension."""

    def head(self, pooled):
        return super().head(pooled).squeeze()


class Cancellation(Classifier):
    def head(self, pooled):
        return super().head((pooled.to(self.fc(pooled).dtype) + 1000) - 1000)


class AssumesLayout(Classifier):
    def pooled(self, maps):
        n, c, h, w = maps.shape
        return super().pooled(torch.as_strided(maps, maps.shape, (c * h * w, h * w, w, 1)))


def touched(model):
    with torch.no_grad():
        next(model.backbone.parameters())[0, 0, 0, 0] += 1e-6


def freeze(model):
    model.backbone.requires_grad_(False)


def initialised_again(model):
    model.backbone[3].reset_parameters()


def of(model):
    return lambda: subject(model)


BUGS = [
    Bug("taps of another width", "backbone_contract", of(WrongTaps)),
    Bug("NaN in one parameter", "all_finite", of(NanParameter)),
    Bug("infinite buffer", "all_finite", of(InfiniteBuffer)),
    Bug("class ids in place of logits", "output_contract", of(AnswersClassIds)),
    Bug("one output too few", "output_contract", of(lambda: Classifier(CLASSES - 1))),
    Bug("small masks in eval mode", "output_contract", lambda: segmenting(SmallMasks)),
    Bug("head of one size", "odd_sizes", of(FlattenedMap)),
    Bug("batch norm after pooling", "batch_of_one", of(NormAfterPooling)),
    Bug("squeezed", "batch_of_one", of(Squeezed)),
    Bug("cancellation in half precision", "autocast", of(Cancellation)),
    Bug("order in memory assumed", "channels_last", of(AssumesLayout)),
    Bug("weights touched after loading", "loaded_weights", lambda: trained(touched)),
    Bug("weights of a file that is never read", "loaded_weights", lambda: trained(loads=False)),
    Bug("layer initialised again after loading", "only_remade_layers_are_random", lambda: trained(initialised_again)),
    Bug("statistics move though frozen", "frozen", lambda: subject(with_(freeze), frozen=True, pretrained=True)),
    Bug("freezing forgotten", "frozen", lambda: subject(frozen=True, pretrained=True)),
    Bug("loading forgotten", "pretrained_features", lambda: trained(loads=False)),
]
