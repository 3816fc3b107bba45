"""Models that are built and trained in milliseconds, and subjects around them: what the checks' tests work on."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from functools import cache, partial
from pathlib import Path

import torch
from hydra.utils import instantiate
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator

from aistudio.checks.subject import Subject
from aistudio.config.compose import compose
from aistudio.data.synthetic import Synthetic
from aistudio.models.checkpoint import read_checkpoint
from aistudio.models.ledger import Ledger, load
from aistudio.tasks.classification import Classification
from aistudio.tasks.object_detection import ObjectDetection
from aistudio.tasks.segmentation import Segmentation

CLASSES, WIDTH, SIZE = 4, 16, 64


def features() -> nn.Sequential:
    """(N, 3, H, W) → (N, 16, H/8, W/8)."""
    layers = []
    for before in (3, WIDTH, WIDTH):
        layers += [nn.Conv2d(before, WIDTH, 3, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()]
    return nn.Sequential(*layers)


class Classifier(nn.Module):
    """Backbone, pooling, dropout, one layer; bugs override `pooled` or `head`."""

    def __init__(self, outputs: int = CLASSES):
        super().__init__()
        self.backbone = features()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pooled(self.backbone(x)))

    def pooled(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))

    def head(self, pooled: Tensor) -> Tensor:
        return self.fc(self.dropout(pooled))


class Segmenter(nn.Module):
    """A dictionary with ``out`` (N, 4, H, W)."""

    def __init__(self):
        super().__init__()
        self.backbone = features()
        self.classifier = nn.Conv2d(WIDTH, CLASSES, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = self.classifier(self.backbone(x))
        return {"out": nn.functional.interpolate(maps, x.shape[-2:], mode="bilinear")}


class OneLevel(nn.Module):
    """The backbone as a detector wants it: a dict of maps, and their channels."""

    out_channels = 32

    def __init__(self):
        super().__init__()
        self.body = features()
        self.up = nn.Conv2d(WIDTH, self.out_channels, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return OrderedDict(only=self.up(self.body(x)))


def detector() -> FCOS:
    """torchvision's FCOS on one level; labels 1 … 4."""
    anchors = AnchorGenerator(sizes=((8,),), aspect_ratios=((1.0,),))
    return FCOS(OneLevel(), CLASSES + 1, min_size=SIZE, max_size=SIZE, anchor_generator=anchors)


def anchored(size: int, side: int) -> RetinaNet:
    """torchvision's RetinaNet on one level, with square anchors of one size, for images of ``side`` pixels."""
    anchors = AnchorGenerator(sizes=((size,),), aspect_ratios=((1.0,),))
    return RetinaNet(OneLevel(), CLASSES + 1, min_size=side, max_size=side, anchor_generator=anchors)


def classification() -> Classification:
    return Classification(CLASSES, nn.CrossEntropyLoss())


def segmentation() -> Segmentation:
    return Segmentation(CLASSES, nn.CrossEntropyLoss(ignore_index=255))


def detection() -> ObjectDetection:
    return ObjectDetection(CLASSES)


def subject(model=Classifier, task=None, *, seed: int = 0, lr: float = 1e-2, **fields) -> Subject:
    """A subject around ``model()``, built with the seed; ``fields`` override any field of it."""

    def rebuild(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return model()

    given = {
        "task": task or classification(),
        "source": Synthetic(),
        "built": rebuild(seed),
        "rebuild": rebuild,
        "optimizer": partial(torch.optim.Adam, lr=lr),
        "size": SIZE,
        "seed": seed,
        "check_mode": {"score_thresh": 0.0},
    }
    return Subject(**{**given, **fields})


def trained(spoil=lambda model: None, loads: bool = True, **fields) -> Subject:
    """A subject whose backbone is filled from a file; ``spoil`` is done to a model afterwards."""
    path = Path(tempfile.mkdtemp()) / "trained.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        torch.save(features().state_dict(), path)

    def filled(model: nn.Module) -> Ledger:
        return load(model.backbone, read_checkpoint(path), prefix="backbone.")

    def build() -> nn.Module:
        model = Classifier()
        if loads:
            filled(model)
        spoil(model)
        return model

    random = subject(Classifier).rebuild
    return subject(build, loaded=(filled(Classifier()),), pretrained=True, rebuild_random=random, **fields)


@cache
def battery() -> dict:
    """Every check of ``sanity=full`` by its name, with more patience for learning: the models are tiny."""
    patience = ("architecture.learning.steps=60", "architecture.learning.ratio=0.5")
    cfg = compose("sanity=full", "backbone=resnet18", *patience)
    return {name: instantiate(node, _convert_="all") for name, node in cfg.sanity.checks.items()}


def outcomes(subject: Subject, *names: str) -> dict:
    """What each check of the battery (or the named ones) says about a subject, exceptions included as in a real run."""
    from aistudio.checks.raised import finding

    found = {}
    for name in names or [name for name in battery() if name != "generalizes"]:  # which trains for seconds
        torch.manual_seed(subject.seed)
        try:
            found[name] = battery()[name](subject)
        except Exception as error:
            found[name] = finding(error)
    return found


def failures(subject: Subject, *names: str) -> dict[str, str]:
    """The checks that failed, with what they saw."""
    return {name: one.seen for name, one in outcomes(subject, *names).items() if one.status == "failed"}
