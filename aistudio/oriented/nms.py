"""Non-maximum suppression of rotated boxes: exactly the greedy loop, without the loop over boxes.

Greedy suppression goes through the boxes from the best score to the worst and drops each one that a better,
kept box of its class overlaps by more than the threshold. Here the boxes go through in blocks. Within a
block, "kept" is what solves kept[j] = no kept i before j overlaps j; applying that rule again and again
settles every chain of k boxes after k rounds. What the block kept then removes its victims from all that
follow.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aistudio.oriented.boxes import box_axes
from aistudio.oriented.iou import floating, rotated_iou

BLOCK = 256  # boxes settled at once
SLACK = 1 + 1e-4  # hulls and bounds are rounded too: they must not cut a pair that the IoU itself lets through


def rotated_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, labels: Tensor | None = None) -> Tensor:
    """Indices (K,) int64 of the boxes kept, best score first; of equal scores the earlier box comes first.

    boxes (N, 5) as in :mod:`aistudio.oriented.boxes`, scores (N,). A box goes when its IoU with a better
    box that was kept is greater than iou_threshold (>= 0); with labels (N,) only boxes of equal label
    suppress each other.
    """
    # a trace keeps operators alone: the loop below would end where the traced images let it
    if torch._C._get_tracing_state():
        labels = torch.zeros_like(scores, dtype=torch.int64) if labels is None else labels
        return torch.ops.aistudio.rotated_nms(boxes, scores, iou_threshold, labels)
    boxes, waiting = floating(boxes.detach()), torch.argsort(scores.detach(), descending=True, stable=True)
    labels = torch.zeros_like(waiting) if labels is None else labels
    low, high = _hull(boxes)

    def overlaps(rows: Tensor, columns: Tensor) -> Tensor:
        """Whether IoU > threshold, (rows, columns) bool; most pairs are cut before their IoU is needed."""
        near = labels[rows][:, None] == labels[columns]
        for axis in (0, 1):
            near &= low[rows, axis][:, None] < high[columns, axis]
            near &= high[rows, axis][:, None] > low[columns, axis]
        i, j = near.nonzero(as_tuple=True)
        a, b = rows[i], columns[j]
        shared = (torch.minimum(high[a], high[b]) - torch.maximum(low[a], low[b])).prod(dim=1)
        possible = _enough(boxes[a], boxes[b], shared, iou_threshold)
        i, j, a, b = i[possible], j[possible], a[possible], b[possible]
        near.zero_()
        near[i, j] = rotated_iou(boxes[a], boxes[b]) > iou_threshold
        return near

    kept = [waiting[:0]]
    while len(waiting):
        block, waiting = waiting[:BLOCK], waiting[BLOCK:]
        block = block[_settle(overlaps(block, block).triu(diagonal=1))]
        kept.append(block)
        waiting = waiting[~overlaps(block, waiting).any(dim=0)]
    return torch.cat(kept)


@torch.library.custom_op("aistudio::rotated_nms", mutates_args=())
def _operator(boxes: Tensor, scores: Tensor, iou_threshold: float, labels: Tensor) -> Tensor:
    return rotated_nms(boxes, scores, iou_threshold, labels)


@_operator.register_fake
def _fake(boxes: Tensor, scores: Tensor, iou_threshold: float, labels: Tensor) -> Tensor:
    return boxes.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=torch.int64)


def _settle(suppresses: Tensor) -> Tensor:
    """Which of n boxes in order of score are kept (n,), given who would suppress whom (n, n), i before j."""
    kept = torch.ones(len(suppresses), dtype=torch.bool, device=suppresses.device)
    while True:
        again = ~suppresses[kept].any(dim=0)
        if torch.equal(again, kept):
            return kept
        kept = again


def _enough(a: Tensor, b: Tensor, shared: Tensor, threshold: float) -> Tensor:
    """Whether the IoU of pairs (P, 5), (P, 5) can exceed threshold t; shared (P,) is their hulls' overlap.

    The intersection is no larger than that, nor than the smaller box, and IoU > t means
    intersection · (1 + t) > t · (area of a + area of b).
    """
    area_a, area_b = a[:, 2] * a[:, 3], b[:, 2] * b[:, 3]
    most = torch.minimum(shared, torch.minimum(area_a, area_b))
    return most * (1 + threshold) * SLACK > threshold * (area_a + area_b)


def _hull(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest x, y (N, 2) of boxes (N, 5), made a little larger against rounding."""
    along_w, along_h = box_axes(boxes[:, 4])
    reach = (along_w * boxes[:, 2:3]).abs() / 2 + (along_h * boxes[:, 3:4]).abs() / 2
    reach = reach * SLACK + boxes[:, :2].abs() * torch.finfo(boxes.dtype).eps
    return boxes[:, :2] - reach, boxes[:, :2] + reach
