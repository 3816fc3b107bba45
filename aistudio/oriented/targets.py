"""Targets that cannot be right are refused before they are learnt."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.tv_tensors import BoundingBoxes, BoundingBoxFormat


def checked_targets(targets: list[dict[str, Tensor]], images: int, num_classes: int) -> list[dict[str, Tensor]]:
    """New dicts with ``boxes`` (N, 5) as plain float32 tensors and ``labels`` (N,) int64.

    Raises:
        ValueError: with the index of the image and, where one box is wrong, the index of the box.
    """
    if len(targets) != images:
        raise ValueError(f"{images} images but {len(targets)} targets")
    return [_checked_target(target, f"target of image {i}", num_classes) for i, target in enumerate(targets)]


def _checked_target(target: dict[str, Tensor], name: str, num_classes: int) -> dict[str, Tensor]:
    for key in ("boxes", "labels"):
        if not isinstance(target.get(key), Tensor):
            raise ValueError(f"{name}: {key} must be a tensor, not {type(target.get(key)).__name__}")
    boxes, labels = target["boxes"], target["labels"]
    if isinstance(boxes, BoundingBoxes) and boxes.format != BoundingBoxFormat.CXCYWHR:
        raise ValueError(f"{name}: boxes must be in the format CXCYWHR, not {boxes.format.value}")
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f"{name}: boxes must be (N, 5) cx, cy, w, h, degrees, not {tuple(boxes.shape)}")
    if labels.shape != boxes.shape[:1] or labels.is_floating_point():
        got = f"{labels.dtype} {tuple(labels.shape)}"
        raise ValueError(f"{name}: labels must be {len(boxes)} integers, not {got}")
    boxes, labels = boxes.detach().as_subclass(Tensor).float(), labels.as_subclass(Tensor).long()
    _refuse(~boxes.isfinite().all(dim=1), boxes, f"{name}: every number of a box must be finite")
    _refuse((boxes[:, 2:4] <= 0).any(dim=1), boxes, f"{name}: w and h must be greater than 0")
    _refuse((labels < 1) | (labels >= num_classes), labels, f"{name}: labels must be 1 … {num_classes - 1}")
    return {**target, "boxes": boxes, "labels": labels}


def _refuse(wrong: Tensor, values: Tensor, rule: str) -> None:
    if wrong.any():
        first = int(torch.nonzero(wrong)[0])
        raise ValueError(f"{rule}; number {first} is {values[first].tolist()}")
