"""Bugs that set targets and images apart, planted one at a time in tiny models of the seven tasks, for `generalizes`.

python benchmarks/bugs_targets.py                    # every bug and every healthy model, a line each
python benchmarks/bugs_targets.py --only oriented    # those whose names hold a word
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

sys.path += [str(Path(__file__).parent.parent / "tests")]
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
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign
from torchvision.transforms import v2

from aistudio.checks.generalizes import Generalizes
from aistudio.checks.outcome import Outcome
from aistudio.checks.subject import Subject
from aistudio.oriented import RotatedFCOS
from aistudio.tasks import AnomalyDetection, InstanceSegmentation, OrientedObjectDetection, Regression

ENOUGH = {"accuracy": 0.8, "auroc": 0.9, "r2": 0.6, "miou": 0.55, "map_50": 0.3, "rotated_map_50": 0.2}
ENOUGH |= {"mask_map_50": 0.2}
CHECK_MODE = {"score_thresh": 0.0, "roi_heads.score_thresh": 0.0, "detections_per_img": 20}
CHECK_MODE |= {"roi_heads.detections_per_img": 10, "roi_heads.fg_bg_sampler.batch_size_per_image": 32}


@dataclass(frozen=True)
class Bug:
    """What it is, words that the cause should hold, and how to build a subject and a transform that have it."""

    name: str
    words: str
    subject: Callable[[], Subject]
    transform: Callable | None = None


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


def with_methods(task: object, **methods: Callable) -> object:
    """The task with ``methods`` replaced; each is given the healthy task first."""
    for name, method in methods.items():
        setattr(task, name, method.__get__(copy.copy(task)))
    return task


HEALTHY: dict[str, Callable[..., Subject]] = {
    "classification": lambda **m: subject(Classifier, with_methods(classification(), **m)),
    "anomaly": lambda **m: subject(partial(Classifier, 1), with_methods(AnomalyDetection(nn.BCEWithLogitsLoss()), **m)),
    "regression": lambda **m: subject(Placed, with_methods(Regression(3, nn.MSELoss()), **m), lr=3e-3),
    "segmentation": lambda **m: subject(Segmenter, with_methods(segmentation(), **m)),
    "detection": lambda **m: subject(detector, with_methods(detection(), **m), lr=3e-3),
    "oriented": lambda **m: subject(rotated, with_methods(OrientedObjectDetection(CLASSES), **m), lr=3e-3),
    "instances": lambda **m: subject(
        masked, with_methods(InstanceSegmentation(CLASSES), **m), lr=3e-3, check_mode=CHECK_MODE
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


def target(change: Callable) -> dict[str, Callable]:
    """A task whose targets are changed."""
    return {"target": lambda task, sample: change(task.target(sample))}


def boxes(change: Callable) -> dict[str, Callable]:
    return target(lambda one: {**one, "boxes": change(one["boxes"])})


def masks(change: Callable) -> dict[str, Callable]:
    return target(lambda one: {**one, "masks": change(one["masks"])})


def labels(change: Callable) -> dict[str, Callable]:
    """Labels from 1; ``change`` sees them from 0."""
    return target(lambda one: {**one, "labels": change(one["labels"] - 1) + 1})


def images(change: Callable) -> dict[str, Callable]:
    return {"inputs": lambda task, images: task.inputs([change(image) for image in images])}


def mirrored(boxes: torch.Tensor) -> torch.Tensor:
    if boxes.shape[1] == 5:
        return torch.cat((SIZE_NOW - boxes[:, :1], boxes[:, 1:4], -boxes[:, 4:]), 1)
    return torch.stack((SIZE_NOW - boxes[:, 2], boxes[:, 1], SIZE_NOW - boxes[:, 0], boxes[:, 3]), 1)


def upside_down(boxes: torch.Tensor) -> torch.Tensor:
    return torch.stack((boxes[:, 0], SIZE_NOW - boxes[:, 3], boxes[:, 2], SIZE_NOW - boxes[:, 1]), 1)


def shifted(boxes: torch.Tensor) -> torch.Tensor:
    moved = boxes + torch.tensor([SIZE_NOW / 4, 0, SIZE_NOW / 4, 0])
    return torch.cat((moved[:, :2].clamp(max=SIZE_NOW - 2), moved[:, 2:].clamp(max=SIZE_NOW)), 1)


def angle(change: Callable) -> dict[str, Callable]:
    return boxes(lambda boxes: torch.cat((boxes[:, :4], change(boxes[:, 4:])), 1))


def centre(boxes: torch.Tensor) -> torch.Tensor:
    """Mirrored in its place, its angle as it was."""
    return torch.cat((SIZE_NOW - boxes[:, :1], boxes[:, 1:]), 1)


SIZE_NOW = SIZE  # pixels of the images of the check


def flips_image_alone(image, target):
    return image.flip(2), target


def flips_half_the_images_alone(image, target):
    return (image.flip(2) if torch.rand(()) < 0.5 else image), target


def turns_half_the_images_alone(image, target):
    return (image.transpose(1, 2) if torch.rand(()) < 0.5 else image), target


def flips_boxes_alone(image, target):
    return image, v2.functional.horizontal_flip(target)


def values_stay(image, target):
    return flips_half_the_images_alone(image, target)


def _rolled(one: dict) -> dict:
    return {**one, "masks": one["masks"].roll(1, 0)}


def _bugs() -> list[Bug]:
    def of(family: str, name: str, words: str, methods: dict | None = None, transform: Callable | None = None) -> Bug:
        return Bug(f"{family}: {name}", words, partial(HEALTHY[family], **(methods or {})), transform)

    last = CLASSES - 1
    return [
        of("classification", "labels one too high", "one too high", target(lambda label: (label + 1) % CLASSES)),
        of("classification", "labels one too low", "one too low", target(lambda label: (label - 1) % CLASSES)),
        of("classification", "labels in reverse", "other order", target(lambda label: last - label)),
        of("classification", "two classes merged", "taken for", target(lambda label: label.clamp(max=last - 1))),
        of("classification", "pairs of classes merged", "", target(lambda label: label // 2)),
        of(
            "classification",
            "targets of the next image",
            "",
            {"collate": lambda task, many: task.collate(many).roll(1)},
        ),
        of("anomaly", "inverted", "one too high", target(lambda one: 1 - one)),
        of("anomaly", "targets of the next image", "", {"collate": lambda task, many: task.collate(many).roll(1)}),
        of("regression", "other sign", "other sign", target(torch.neg)),
        of("regression", "x and y swapped", "swapped", target(lambda values: values[[1, 0, 2]])),
        of("regression", "columns in another order", "order", target(lambda values: values.roll(1))),
        of("regression", "half scale", "half", target(lambda values: values / 2)),
        of("regression", "too high by two", "too high", target(lambda values: values + 2)),
        of("regression", "x of the mirrored image", "first value", target(lambda v: v * torch.tensor([-1.0, 1, 1]))),
        of("regression", "images mirrored by half, values as they were", "", None, values_stay),
        of("segmentation", "mask mirrored", "left-right", target(lambda mask: mask.flip(1))),
        of("segmentation", "mask upside down", "top-bottom", target(lambda mask: mask.flip(0))),
        of("segmentation", "mask transposed", "transposed", target(lambda mask: mask.T.contiguous())),
        of("segmentation", "mask turned by 180", "180", target(lambda mask: mask.flip(0, 1))),
        of("segmentation", "mask shifted", "shifted", target(lambda mask: mask.roll(SIZE // 4, 1))),
        of("segmentation", "mask shifted a little", "shifted", target(lambda mask: mask.roll(SIZE // 8, 0))),
        of("segmentation", "labels merged", "taken for", target(lambda mask: mask.where(mask != 2, 1))),
        of("segmentation", "labels one too high", "", target(lambda m: m.where((m == 0) | (m == 255), m % last + 1))),
        of("segmentation", "image mirrored, mask not", "", None, flips_image_alone),
        of("segmentation", "image mirrored by half, mask not", "", None, flips_half_the_images_alone),
        of("segmentation", "image transposed by half, mask not", "", None, turns_half_the_images_alone),
        of("detection", "boxes mirrored", "left-right", boxes(mirrored)),
        of("detection", "boxes upside down", "top-bottom", boxes(upside_down)),
        of("detection", "x and y swapped", "swapped", boxes(lambda b: b[:, [1, 0, 3, 2]])),
        of("detection", "half scale", "half", boxes(lambda b: b / 2)),
        of("detection", "shifted by a quarter", "shifted", boxes(shifted)),
        of("detection", "labels one too high", "one too high", labels(lambda one: (one + 1) % CLASSES)),
        of("detection", "labels merged", "taken for", labels(lambda one: one.clamp(max=last - 1))),
        of("detection", "all of one class", "everywhere", labels(torch.zeros_like)),
        of("detection", "image mirrored, boxes not", "", None, flips_image_alone),
        of("detection", "image mirrored by half, boxes not", "", None, flips_half_the_images_alone),
        of("oriented", "clockwise", "clockwise", angle(torch.neg)),
        of("oriented", "radians", "radians", angle(torch.deg2rad)),
        of("oriented", "sides swapped", "sides swapped", boxes(lambda b: b[:, [0, 1, 3, 2, 4]])),
        of("oriented", "angle of 0", "angles of 0", angle(torch.zeros_like)),
        of("oriented", "boxes mirrored", "left-right", boxes(mirrored)),
        of("oriented", "x and y swapped", "", boxes(lambda b: b[:, [1, 0, 2, 3, 4]])),
        of("oriented", "mirrored, the angle as it was", "", boxes(centre)),
        of("oriented", "image transposed by half, boxes not", "", None, turns_half_the_images_alone),
        of("instances", "masks in another order than boxes", "order", target(_rolled)),
        of("instances", "masks mirrored", "", masks(lambda m: m.flip(2))),
        of("instances", "masks transposed", "", masks(lambda m: m.transpose(1, 2).contiguous())),
        of("instances", "boxes mirrored, masks not", "", boxes(mirrored)),
        of("instances", "labels one too high", "one too high", labels(lambda one: (one + 1) % CLASSES)),
        of("instances", "image mirrored by half, all else not", "", None, flips_half_the_images_alone),
    ]


BUGS = _bugs()
RIGHT = v2.Compose([v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()])
TRANSFORMED = {"detection": RIGHT, "segmentation": RIGHT, "oriented": RIGHT, "instances": RIGHT}


def judge(bug: Bug) -> Outcome:
    """What the check says of a bug."""
    return check(bug.name.partition(":")[0], bug.transform)(bug.subject())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--healthy", action="store_true", help="the healthy ones alone")
    only = parser.parse_args()
    torch.set_num_threads(1)
    healthy = [Bug(f"{name}: healthy", "", make) for name, make in HEALTHY.items()]
    healthy += [Bug(f"{name}: healthy, transformed", "", HEALTHY[name], one) for name, one in TRANSFORMED.items()]
    caught = named = tried = 0
    for bug in [*healthy, *(() if only.healthy else BUGS)]:
        if only.only not in bug.name:
            continue
        started = time.process_time()
        outcome = judge(bug)
        seconds = time.process_time() - started
        words = " ".join((outcome.seen, outcome.cause))
        print(f"{outcome.status:8} {seconds:5.1f} s  {bug.name}: {words}", flush=True)
        if "healthy" not in bug.name:
            tried, caught = tried + 1, caught + (outcome.status == "failed")
            named += outcome.status == "failed" and bug.words in words
    print(f"{caught} of {tried} bugs caught, {named} with the expected words")


if __name__ == "__main__":
    main()
