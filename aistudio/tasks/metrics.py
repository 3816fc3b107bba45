"""The tasks' metrics: model outputs in eval mode against what is true of the images.

All take tensors on the CPU. N images, C classes, K objects found and M true ones in an image, H W pixels. What cannot
be told, an AUROC of one class for example, is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torchvision.ops import box_iou

from aistudio.oriented import mean_average_precision
from aistudio.oriented.mean_average_precision import Overlap

Objects = dict[str, Tensor]  # labels (K,), scores (K,) where they were found, boxes (K, 4) or masks (K, H, W)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of ``logits`` (N, C) whose largest is that of ``labels`` (N,)."""
    return (logits.argmax(1) == labels).double().mean().item()


def area_under_roc(scores: Tensor, positive: Tensor) -> float:
    """The chance that a positive has a higher score than a negative, ties counting half; both (N,)."""
    above = scores[positive].double()[:, None] - scores[~positive].double()[None]
    return ((above > 0).double() + 0.5 * (above == 0)).mean().item()


def mean_absolute_error(values: Tensor, truth: Tensor) -> float:
    """Mean of |value - truth| over images and outputs; both (N, V)."""
    return (values.double() - truth).abs().mean().item()


def coefficient_of_determination(values: Tensor, truth: Tensor) -> Tensor:
    """R² of each output, (V,) float64: 1 - squared error / that of the mean truth; both (N, V).

    1 is perfect, 0 what a constant gets, NaN where all true values are one.
    """
    values, truth = values.double(), truth.double()
    scatter = (truth - truth.mean(0)).square().sum(0)
    return 1 - (values - truth).square().sum(0) / scatter.where(scatter > 0, torch.nan)


def mean_intersection_over_union(found: Tensor, truth: Tensor, classes: int, ignore_index: int) -> float:
    """Mean of the classes' IoU over all pixels of all images, both (N, H, W) of class ids.

    Pixels whose truth is ``ignore_index`` do not count; nor do classes that neither of the two has.
    """
    counted = truth != ignore_index
    pairs = truth[counted].long() * classes + found[counted].long()
    table = torch.bincount(pairs, minlength=classes * classes).view(classes, classes).double()
    shared, either = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
    return (shared / either.where(either > 0, torch.nan)).nanmean().item()


def box_average_precision(found: Sequence[Objects], truth: Sequence[Objects]) -> dict[str, float]:
    """``map_50`` and ``map_75`` of upright boxes x1, y1, x2, y2."""
    return _average_precision(found, truth, lambda one, other: box_iou(one["boxes"].float(), other["boxes"].float()))


def mask_average_precision(found: Sequence[Objects], truth: Sequence[Objects]) -> dict[str, float]:
    """``map_50`` and ``map_75`` of masks (K, H, W) bool."""
    return _average_precision(found, truth, lambda one, other: mask_iou(one["masks"], other["masks"]))


def mask_iou(one: Tensor, other: Tensor) -> Tensor:
    """IoU (K, M) of masks (K, H, W) and (M, H, W) bool; 0 where both are empty."""
    one, other = one.flatten(1).float(), other.flatten(1).float()
    shared = one @ other.T
    return shared / (one.sum(1)[:, None] + other.sum(1)[None] - shared).clamp(min=1)


def _average_precision(found: Sequence[Objects], truth: Sequence[Objects], overlap: Overlap) -> dict[str, float]:
    """The mean over classes of the average precision at an ``overlap`` of .5, and of .75."""
    measured = mean_average_precision(list(found), list(truth), overlap, (0.5, 0.75))
    return {name: cast(float, measured[name]) for name in ("map_50", "map_75")}


def on_cpu(found: Objects) -> Objects:
    """What was found in an image, detached and on the CPU."""
    return {name: value.detach().cpu() for name, value in found.items()}
