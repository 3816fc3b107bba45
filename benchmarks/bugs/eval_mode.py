"""Eval mode is another model."""

import copy

import torch
from torch import nn

from bugs.bug import Bug, Classifier, Segmenter, classifying, layers, segmenting, subject, with_


class SoftmaxInEval(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits if self.training else logits.softmax(1)


class SoftmaxInTraining(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits.softmax(1) if self.training else logits


class SigmoidInEval(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits if self.training else logits.sigmoid()


class OrderOfClasses(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits if self.training else logits.flip(1)


class RolledClasses(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits if self.training else logits.roll(1, 1)


class OtherPooling(Classifier):
    def pooled(self, maps):
        return super().pooled(maps) if self.training else maps.amax((2, 3))


class SumInEval(Classifier):
    def pooled(self, maps):
        return super().pooled(maps) if self.training else maps.sum((2, 3))


class WithNeck(Classifier):
    def __init__(self):
        super().__init__()
        self.neck = nn.Sequential(nn.Linear(self.width, self.width), nn.ReLU())


class NeckInTraining(WithNeck):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return self.neck(pooled) if self.training else pooled


class NormalisedInEval(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled if self.training else nn.functional.normalize(pooled)


class Temperature(Classifier):
    def head(self, pooled):
        return super().head(pooled) * (1 if self.training else 0.1)


class Rounded(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits if self.training else logits.round(decimals=1)


class OneHot(Classifier):
    def head(self, pooled):
        logits = super().head(pooled)
        return logits if self.training else nn.functional.one_hot(logits.argmax(1), logits.shape[1]).float()


class InputScaledInTraining(Classifier):
    def maps(self, x):
        return super().maps(x * 2 if self.training else x)


class AverageNeverMoves(Classifier):
    """Answers with an average of its weights, which nobody updates."""

    def __init__(self):
        super().__init__()
        self.average = copy.deepcopy(nn.ModuleList([self.backbone, self.fc])).requires_grad_(False)

    def forward(self, x):
        backbone, fc = (self.backbone, self.fc) if self.training else self.average
        return fc(backbone(x).mean((2, 3)))


class StuckInTrainMode(Classifier):
    def train(self, mode=True):
        super().train(mode)
        for norm in layers(self.backbone, nn.BatchNorm2d):
            norm.train()
        return self


class ModeIgnored(Classifier):
    def train(self, mode=True):
        return super().train(True)


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


class BatchMean(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled - pooled.mean(0)


class SoftmaxOverBatch(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled * (pooled.softmax(0) + 0.5)


class StaleAnswer(Classifier):
    def __init__(self):
        super().__init__()
        self.cache = {}

    def forward(self, x):
        if self.training:
            return super().forward(x)
        if x.shape not in self.cache:
            self.cache[x.shape] = super().forward(x)
        return self.cache[x.shape]


class SegmenterRollsInEval(Segmenter):
    def forward(self, x):
        out = super().forward(x)["out"]
        return {"out": out if self.training else out.roll(1, 1)}


class SegmenterSoftmaxInEval(Segmenter):
    def forward(self, x):
        out = super().forward(x)["out"]
        return {"out": out if self.training else out.softmax(1)}


class SegmenterShiftsInEval(Segmenter):
    def enlarged(self, logits, x):
        out = super().enlarged(logits, x)
        return out if self.training else out.roll(4, 3)


def without_statistics(model):
    for norm in layers(model, nn.BatchNorm2d):
        norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None


def loss_in_eval_mode(task, model, inputs, targets):
    return task.loss(model.eval(), inputs, targets)


def of(model):
    return lambda: subject(model)


BUGS = [
    Bug("softmax in eval mode only", "modes_agree", of(SoftmaxInEval)),
    Bug("softmax in train mode only", "modes_agree", of(SoftmaxInTraining)),
    Bug("sigmoid in eval mode only", "modes_agree", of(SigmoidInEval)),
    Bug("classes reversed in eval mode", "modes_agree", of(OrderOfClasses)),
    Bug("classes rolled in eval mode", "modes_agree", of(RolledClasses)),
    Bug("maximum in eval mode, mean in train mode", "modes_agree", of(OtherPooling)),
    Bug("sum in eval mode, mean in train mode", "modes_agree", of(SumInEval)),
    Bug("a layer in train mode only", "modes_agree", of(NeckInTraining)),
    Bug("features normalised in eval mode only", "modes_agree", of(NormalisedInEval)),
    Bug("a temperature in eval mode only", "modes_agree", of(Temperature)),
    Bug("logits rounded in eval mode", "modes_agree", of(Rounded)),
    Bug("one-hot in eval mode", "modes_agree", of(OneHot)),
    Bug("images doubled in train mode", "modes_agree", of(InputScaledInTraining)),
    Bug("average of weights that never moves", "modes_agree", of(AverageNeverMoves)),
    Bug("segmenter rolls classes in eval mode", "modes_agree", lambda: segmenting(SegmenterRollsInEval)),
    Bug("segmenter takes softmax in eval mode", "modes_agree", lambda: segmenting(SegmenterSoftmaxInEval)),
    Bug("segmenter shifts its output in eval mode", "modes_agree", lambda: segmenting(SegmenterShiftsInEval)),
    Bug("batch norm stuck in train mode", "batch_independence deterministic", of(StuckInTrainMode)),
    Bug("eval() ignored", "batch_independence deterministic", of(ModeIgnored)),
    Bug("batch norm without running statistics", "batch_independence", lambda: subject(with_(without_statistics))),
    Bug("dropout always on", "deterministic", of(DropoutAlways)),
    Bug("noise always on", "deterministic", of(NoiseAlways)),
    Bug("state written in eval mode", "deterministic", of(CountsCalls)),
    Bug("batch mean subtracted", "batch_independence", of(BatchMean)),
    Bug("softmax over the batch", "batch_independence", of(SoftmaxOverBatch)),
    Bug("first answer kept for every later image", "side_effects", of(StaleAnswer)),
    Bug("loss takes the model's eval mode", "frozen side_effects", lambda: classifying(loss=loss_in_eval_mode)),
]
