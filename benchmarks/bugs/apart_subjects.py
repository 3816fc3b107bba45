"""Tiny models of the seven tasks that learn places and classes, and the check `generalizes` as they need it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from tiny_models import (
    CLASSES,
    SIZE,
    WIDTH,
    Classifier,
    OneLevel,
    Segmenter,
    classification,
    detection,
    detector,
    segmentation,
    subject,
)
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign
from torchvision.transforms import v2

from aistudio.checks.generalizes import Generalizes
from aistudio.checks.subject import Subject
from aistudio.oriented import RotatedFCOS
from aistudio.tasks import InstanceSegmentation, OrientedObjectDetection
from bugs.bug import anomaly, regression, task_with

ENOUGH = {"accuracy": 0.8, "auroc": 0.9, "r2": 0.6, "r2_least": 0.4, "miou": 0.55, "map_50": 0.3, "rotated_map_50": 0.2}
ENOUGH |= {"mask_map_50": 0.2}
CHECK_MODE = {"score_thresh": 0.0, "roi_heads.score_thresh": 0.0, "detections_per_img": 20}
CHECK_MODE |= {"roi_heads.detections_per_img": 10, "roi_heads.fg_bg_sampler.batch_size_per_image": 32}


def rotated() -> RotatedFCOS:
    return RotatedFCOS(OneLevel(), CLASSES + 1, SIZE, SIZE, strides=(8,))


def masked() -> MaskRCNN:
    anchors = AnchorGenerator(sizes=((12, 24, 40),), aspect_ratios=((0.5, 1.0, 2.0),))
    box, mask = MultiScaleRoIAlign(["only"], 7, 2), MultiScaleRoIAlign(["only"], 14, 2)
    given = {"rpn_anchor_generator": anchors, "box_roi_pool": box, "mask_roi_pool": mask}
    return MaskRCNN(OneLevel(), CLASSES + 1, min_size=SIZE, max_size=SIZE, rpn_post_nms_top_n_train=100, **given)


class Placed(Classifier):
    """Knows where in the image something is, which a mean over so few layers does not."""

    def __init__(self, outputs: int = 3):
        super().__init__()
        self.fc = nn.Linear(WIDTH * (SIZE // 8) ** 2, outputs)

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) → (N, C * H * W)."""
        return maps.flatten(1)


HEALTHY: dict[str, Callable[..., Subject]] = {
    "classification": lambda **m: subject(Classifier, task_with(classification, **m)),
    "anomaly": lambda **m: subject(partial(Classifier, 1), task_with(anomaly, **m)),
    "regression": lambda **m: subject(Placed, task_with(regression, **m), lr=3e-3),
    "segmentation": lambda **m: subject(Segmenter, task_with(segmentation, **m)),
    "detection": lambda **m: subject(detector, task_with(detection, **m), lr=3e-3),
    "oriented": lambda **m: subject(rotated, task_with(lambda: OrientedObjectDetection(CLASSES), **m), lr=3e-3),
    "instances": lambda **m: subject(
        masked, task_with(lambda: InstanceSegmentation(CLASSES), **m), lr=3e-3, check_mode=CHECK_MODE
    ),
}
PLANS = {  # tiny models are cheap, and learn slowly where they have to know places
    "classification": {"steps": 60},
    "segmentation": {"unseen": 16},
    "regression": {"steps": 160, "every": 20},
    "detection": {"unseen": 16, "every": 30},
    "oriented": {"unseen": 16, "every": 30, "steps": 240},
    "instances": {"unseen": 16, "every": 30, "steps": 240},
}


def check(name: str, transform: Callable | None = None) -> Generalizes:
    """The check for a family of subjects."""
    return Generalizes("Why.", ENOUGH, transform=transform, **{"every": 20, **PLANS.get(name, {})})


RIGHT = v2.Compose([v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()])
TRANSFORMED = {"detection": RIGHT, "segmentation": RIGHT, "oriented": RIGHT, "instances": RIGHT}
