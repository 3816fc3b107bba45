"""Can the detector learn a handful of images by heart?"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from aistudio.oriented import rotated_iou_matrix
from toys.detection import small_detector, toy_images


@dataclass(frozen=True)
class Overfit:
    """What was found: mean IoU of the objects with their best detection, objects missed, detections of nothing."""

    mean_iou: float
    objects: int
    missed: int
    false: int


def overfit(count: int, steps: int, size: int = 128, score: float = 0.3, seed: int = 0) -> Overfit:
    """Train a small detector on a few toy images and count its detections above score, in evaluation mode."""
    images, targets = toy_images(count, seed, size=size)
    model = small_detector(size=size, seed=seed).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps)
    for _ in range(steps):
        loss = sum(model(images, targets).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        detections = model.eval()(images)
    best, false = [], 0
    for found, target in zip(detections, targets, strict=True):
        sure = found["scores"] > score
        iou = rotated_iou_matrix(target["boxes"], found["boxes"][sure])
        iou = torch.where(target["labels"][:, None] == found["labels"][sure], iou, 0.0)
        iou = torch.cat((iou, iou.new_zeros(len(iou), 1)), dim=1)  # so that no detection is an IoU of 0
        best += iou.amax(dim=1).tolist()
        false += int(sure.sum()) - len(iou[:, :-1].argmax(dim=1).unique() if sure.any() else ())
    missed = sum(value < 0.5 for value in best)
    return Overfit(sum(best) / len(best), len(best), missed, false)
