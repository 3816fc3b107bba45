"""The reference for suppression: an IoU matrix and the greedy loop, as the definition says it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from aistudio.oriented import rotated_iou_matrix


def greedy_nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float,
    labels: Tensor,
    matrix: Callable[[Tensor, Tensor], Tensor] = rotated_iou_matrix,
) -> Tensor:
    """Indices kept, best first: each box in order of score goes if a better kept one of its label overlaps it."""
    iou = matrix(boxes, boxes)
    gone = torch.zeros(len(boxes), dtype=torch.bool)
    kept = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if not gone[i]:
            kept.append(i)
            gone |= (iou[i] > threshold) & (labels == labels[i])
    return torch.tensor(kept, dtype=torch.int64)
