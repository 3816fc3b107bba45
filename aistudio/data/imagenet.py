"""The colours that torchvision's backbones were trained on: ImageNet's mean and standard deviation.

Everything upstream is RGB in [0, 1]; ``normalize`` is applied exactly once, by ``task.inputs``. Detectors are not
given normalised images: torchvision's ``GeneralizedRCNNTransform`` does the same inside, with the same numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)  # torchvision.transforms presets: R, G, B
STD = (0.229, 0.224, 0.225)


def normalize(images: Tensor) -> Tensor:
    """``images`` (…, 3, H, W) float in [0, 1] → the same shape and dtype, in about [-2.12, 2.64]."""
    mean = torch.tensor(MEAN, dtype=images.dtype, device=images.device).view(3, 1, 1)
    std = torch.tensor(STD, dtype=images.dtype, device=images.device).view(3, 1, 1)
    return (images - mean) / std
