"""What a planted bug is, and the healthy models, tasks and optimisers that bugs are planted in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import tiny_models
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from aistudio.checks.outcome import Check
from aistudio.checks.subject import Subject
from aistudio.models.backbone import BackboneWrapper
from aistudio.tasks.anomaly_detection import AnomalyDetection
from aistudio.tasks.regression import Regression

CLASSES, SIZE = tiny_models.CLASSES, tiny_models.SIZE
BASE = {"name": "tiny"}  # or a backbone of torchvision, which the models below are then built on


@dataclass(frozen=True)
class Bug:
    """One bug: what it is, the checks any of which names its cause, and how to build a subject that has it.

    ``unseen`` says why nothing can see it in principle; "" where something can. ``words`` are in what that check says.
    ``own`` are checks that are set up for this bug alone, by name.
    """

    name: str
    checks: str
    subject: Callable[[], Subject]
    unseen: str = ""
    words: str = ""
    own: Mapping[str, Check] = field(default_factory=dict, compare=False)


def features() -> tuple[nn.Module, int]:
    """The healthy backbone and its width."""
    if BASE["name"] == "tiny":
        return tiny_models.features(), tiny_models.WIDTH
    wrapper = BackboneWrapper(getattr(torchvision.models, BASE["name"])(), BASE["name"])
    return wrapper, wrapper.out_channels


class Classifier(tiny_models.Classifier):
    """Backbone, mean, dropout, one layer. Bugs override one of the steps."""

    def __init__(self, outputs: int = CLASSES):
        super().__init__(outputs)
        self.backbone, self.width = features()
        self.fc = nn.Linear(self.width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pooled(self.maps(x)))

    def maps(self, x: Tensor) -> Tensor:
        return self.backbone(x)


class Segmenter(nn.Module):
    """Backbone, one layer, and back to the size of the images."""

    def __init__(self):
        super().__init__()
        self.backbone, width = features()
        self.classifier = nn.Conv2d(width, CLASSES, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"out": self.enlarged(self.classifier(self.maps(x)), x)}

    def maps(self, x: Tensor) -> Tensor:
        return self.backbone(x)

    def enlarged(self, logits: Tensor, x: Tensor) -> Tensor:
        return nn.functional.interpolate(logits, x.shape[-2:], mode="bilinear")


def points(**settings: object) -> FCOS:
    """A detector without anchors."""
    anchors = AnchorGenerator(sizes=((8,),), aspect_ratios=((1.0,),))
    given = {"min_size": SIZE, "max_size": SIZE, "anchor_generator": anchors}
    return FCOS(tiny_models.OneLevel(), CLASSES + 1, **{**given, **settings})


def anchored(sizes: tuple[int, ...] = (12, 24, 40), **settings: object) -> RetinaNet:
    """A detector of one stage with anchors of ``sizes`` pixels."""
    anchors = AnchorGenerator(sizes=(sizes,), aspect_ratios=((0.5, 1.0, 2.0),))
    given = {"min_size": SIZE, "max_size": SIZE, "anchor_generator": anchors}
    return RetinaNet(tiny_models.OneLevel(), CLASSES + 1, **{**given, **settings})


def two_staged(**settings: object) -> FasterRCNN:
    """A detector of two stages."""
    anchors = AnchorGenerator(sizes=((12, 24, 40),), aspect_ratios=((0.5, 1.0, 2.0),))
    given = {"min_size": SIZE, "max_size": SIZE, "rpn_anchor_generator": anchors, "box_batch_size_per_image": 16}
    regions = MultiScaleRoIAlign(["only"], 7, 2)
    return FasterRCNN(tiny_models.OneLevel(), CLASSES + 1, box_roi_pool=regions, **{**given, **settings})


def regression(outputs: int = 3) -> Regression:
    return Regression(outputs, nn.MSELoss())


def anomaly() -> AnomalyDetection:
    return AnomalyDetection(nn.BCEWithLogitsLoss())


def subject(model: Callable[[], nn.Module] = Classifier, task: object = None, **fields: object) -> Subject:
    """A subject for checks; learning rates are those at which the healthy ones learn."""
    dense = model not in (Segmenter,) and isinstance(task, tiny_models.ObjectDetection)
    rate = 1e-2 if BASE["name"] == "tiny" else 1e-3
    return tiny_models.subject(model, task, **{"lr": 1e-3 if dense else rate, **fields})


def detecting(model: Callable[[], nn.Module] = points, **methods: Callable) -> Subject:
    return subject(model, task_with(tiny_models.detection, **methods))


def classifying(model: Callable[[], nn.Module] = Classifier, **methods: Callable) -> Subject:
    return subject(model, task_with(tiny_models.classification, **methods))


def segmenting(model: Callable[[], nn.Module] = Segmenter, **methods: Callable) -> Subject:
    return subject(model, task_with(tiny_models.segmentation, **methods))


def regressing(model: Callable[[], nn.Module] | None = None, **methods: Callable) -> Subject:
    return subject(model or partial(Classifier, 3), task_with(regression, **methods))


def judging(model: Callable[[], nn.Module] | None = None, **methods: Callable) -> Subject:
    """Normal or not: one logit."""
    return subject(model or partial(Classifier, 1), task_with(anomaly, **methods))


def task_with(base: Callable[[], object], **methods: Callable) -> object:
    """A task whose ``methods`` are replaced; each is given the healthy task first."""
    task = base()
    for name, method in methods.items():
        setattr(task, name, method.__get__(copy.copy(task)))
    return task


def with_(change: Callable[[nn.Module], object], model: Callable[[], nn.Module] = Classifier) -> Callable:
    """A model that something is done to after it was built."""

    def build() -> nn.Module:
        made = model()
        change(made)
        return made

    return build


def layers(model: nn.Module, *kinds: type) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kinds)]


def optimising(optimizer: Callable) -> Subject:
    return subject(optimizer=optimizer)


HEALTHY = {
    "classifier": subject,
    "segmenter": segmenting,
    "values": regressing,
    "normal or not": judging,
    "points": detecting,
    "anchors": partial(detecting, anchored),
    "two stages": partial(detecting, two_staged),
    "SGD": partial(optimising, partial(torch.optim.SGD, lr=0.1, momentum=0.9)),
}
