"""Targets and images apart: moved, turned, scaled or renamed, on one side alone. `generalizes` is there to see it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from tiny_models import CLASSES, SIZE

from bugs.apart_subjects import HEALTHY, check
from bugs.bug import Bug

LAST = CLASSES - 1


def of(family: str, name: str, words: str, methods: dict | None = None, transform: Callable | None = None) -> Bug:
    """A bug in the subject of a task, seen by the check that is set up for it."""
    own = {"generalizes": check(family, transform)}
    return Bug(f"{family}: {name}", "generalizes", partial(HEALTHY[family], **(methods or {})), "", words, own)


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


def mirrored(boxes: torch.Tensor) -> torch.Tensor:
    if boxes.shape[1] == 5:
        return torch.cat((SIZE - boxes[:, :1], boxes[:, 1:4], -boxes[:, 4:]), 1)
    return torch.stack((SIZE - boxes[:, 2], boxes[:, 1], SIZE - boxes[:, 0], boxes[:, 3]), 1)


def upside_down(boxes: torch.Tensor) -> torch.Tensor:
    return torch.stack((boxes[:, 0], SIZE - boxes[:, 3], boxes[:, 2], SIZE - boxes[:, 1]), 1)


def shifted(boxes: torch.Tensor) -> torch.Tensor:
    moved = boxes + torch.tensor([SIZE / 4, 0, SIZE / 4, 0])
    return torch.cat((moved[:, :2].clamp(max=SIZE - 2), moved[:, 2:].clamp(max=SIZE)), 1)


def angle(change: Callable) -> dict[str, Callable]:
    return boxes(lambda boxes: torch.cat((boxes[:, :4], change(boxes[:, 4:])), 1))


def centre(boxes: torch.Tensor) -> torch.Tensor:
    """Mirrored in its place, its angle as it was."""
    return torch.cat((SIZE - boxes[:, :1], boxes[:, 1:]), 1)


def flips_image_alone(image, target):
    return image.flip(2), target


def flips_half_the_images_alone(image, target):
    return (image.flip(2) if torch.rand(()) < 0.5 else image), target


def turns_half_the_images_alone(image, target):
    return (image.transpose(1, 2) if torch.rand(()) < 0.5 else image), target


def rolled(one: dict) -> dict:
    return {**one, "masks": one["masks"].roll(1, 0)}


CLASSIFICATION = [
    of("classification", "labels one too high", "one too high", target(lambda label: (label + 1) % CLASSES)),
    of("classification", "labels one too low", "one too low", target(lambda label: (label - 1) % CLASSES)),
    of("classification", "labels in reverse", "other order", target(lambda label: LAST - label)),
    of("classification", "two classes merged", "taken for", target(lambda label: label.clamp(max=LAST - 1))),
    of("classification", "pairs of classes merged", "", target(lambda label: label // 2)),
    of(
        "classification",
        "targets of the next image",
        "",
        {"collate": lambda task, many: task.collate(many).roll(1)},
    ),
]
ANOMALY = [
    of("anomaly", "inverted", "one too high", target(lambda one: 1 - one)),
    of("anomaly", "targets of the next image", "", {"collate": lambda task, many: task.collate(many).roll(1)}),
]
REGRESSION = [
    of("regression", "other sign", "other sign", target(torch.neg)),
    of("regression", "x and y swapped", "swapped", target(lambda values: values[[1, 0, 2]])),
    of("regression", "columns in another order", "order", target(lambda values: values.roll(1))),
    of("regression", "half scale", "half", target(lambda values: values / 2)),
    of("regression", "too high by two", "too high", target(lambda values: values + 2)),
    of("regression", "x of the mirrored image", "first value", target(lambda v: v * torch.tensor([-1.0, 1, 1]))),
    of("regression", "images mirrored by half, values as they were", "", None, flips_half_the_images_alone),
]
SEGMENTATION = [
    of("segmentation", "mask mirrored", "left-right", target(lambda mask: mask.flip(1))),
    of("segmentation", "mask upside down", "top-bottom", target(lambda mask: mask.flip(0))),
    of("segmentation", "mask transposed", "transposed", target(lambda mask: mask.T.contiguous())),
    of("segmentation", "mask turned by 180", "180", target(lambda mask: mask.flip(0, 1))),
    of("segmentation", "mask shifted", "shifted", target(lambda mask: mask.roll(SIZE // 4, 1))),
    of("segmentation", "mask shifted a little", "shifted", target(lambda mask: mask.roll(SIZE // 8, 0))),
    of("segmentation", "labels merged", "taken for", target(lambda mask: mask.where(mask != 2, 1))),
    of("segmentation", "labels one too high", "", target(lambda m: m.where((m == 0) | (m == 255), m % LAST + 1))),
    of("segmentation", "image mirrored, mask not", "", None, flips_image_alone),
    of("segmentation", "image mirrored by half, mask not", "", None, flips_half_the_images_alone),
    of("segmentation", "image transposed by half, mask not", "", None, turns_half_the_images_alone),
]
DETECTION = [
    of("detection", "boxes mirrored", "left-right", boxes(mirrored)),
    of("detection", "boxes upside down", "top-bottom", boxes(upside_down)),
    of("detection", "x and y swapped", "swapped", boxes(lambda b: b[:, [1, 0, 3, 2]])),
    of("detection", "half scale", "half", boxes(lambda b: b / 2)),
    of("detection", "shifted by a quarter", "shifted", boxes(shifted)),
    of("detection", "labels one too high", "one too high", labels(lambda one: (one + 1) % CLASSES)),
    of("detection", "labels merged", "taken for", labels(lambda one: one.clamp(max=LAST - 1))),
    of("detection", "all of one class", "everywhere", labels(torch.zeros_like)),
    of("detection", "image mirrored, boxes not", "", None, flips_image_alone),
    of("detection", "image mirrored by half, boxes not", "", None, flips_half_the_images_alone),
]
ORIENTED = [
    of("oriented", "clockwise", "clockwise", angle(torch.neg)),
    of("oriented", "radians", "radians", angle(torch.deg2rad)),
    of("oriented", "sides swapped", "sides swapped", boxes(lambda b: b[:, [0, 1, 3, 2, 4]])),
    of("oriented", "angle of 0", "angles of 0", angle(torch.zeros_like)),
    of("oriented", "boxes mirrored", "left-right", boxes(mirrored)),
    of("oriented", "x and y swapped", "", boxes(lambda b: b[:, [1, 0, 2, 3, 4]])),
    of("oriented", "mirrored, the angle as it was", "", boxes(centre)),
    of("oriented", "image transposed by half, boxes not", "", None, turns_half_the_images_alone),
]
INSTANCES = [
    of("instances", "masks in another order than boxes", "order", target(rolled)),
    of("instances", "masks mirrored", "", masks(lambda m: m.flip(2))),
    of("instances", "masks transposed", "", masks(lambda m: m.transpose(1, 2).contiguous())),
    of("instances", "boxes mirrored, masks not", "", boxes(mirrored)),
    of("instances", "labels one too high", "one too high", labels(lambda one: (one + 1) % CLASSES)),
    of("instances", "image mirrored by half, all else not", "", None, flips_half_the_images_alone),
]
BUGS = [*CLASSIFICATION, *ANOMALY, *REGRESSION, *SEGMENTATION, *DETECTION, *ORIENTED, *INSTANCES]
