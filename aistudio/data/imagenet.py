"""The colours that torchvision's backbones were trained on: ImageNet's mean and standard deviation.

Everything upstream is RGB in [0, 1]; ``normalize`` is applied exactly once, by ``task.inputs``. Detectors are not
given normalised images: torchvision's ``GeneralizedRCNNTransform`` does the same inside, with the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)  # torchvision.transforms presets: R, G, B
STD = (0.229, 0.224, 0.225)


def normalize(images: Tensor, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> Tensor:
    """``images`` (…, C, H, W) float in [0, 1] → the same shape and dtype; RGB in about [-2.12, 2.64].

    ``mean`` and ``std`` are of each channel; where there are none, those of ImageNet, as `adapted_statistics` has them.
    """
    channels = images.shape[-3]
    means, deviations = mean or adapted_statistics(MEAN, channels), std or adapted_statistics(STD, channels)
    return (images - _row(means, images)) / _row(deviations, images)


def adapted_statistics(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """Means or deviations of red, green and blue → of ``channels``: their mean if fewer, or theirs, then their mean."""
    values = tuple(values)
    if channels == len(values):
        return values
    mean = sum(values) / len(values)
    return (mean,) * channels if channels < 3 else (*values, *[mean] * (channels - 3))


def _row(values: Sequence[float], images: Tensor) -> Tensor:
    return torch.tensor(values, dtype=images.dtype, device=images.device).view(-1, 1, 1)
