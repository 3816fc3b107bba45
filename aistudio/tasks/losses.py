"""Losses that users expect beside torch.nn's: focal and Dice, for class logits of any shape.

Shapes: logits (N, C) or (N, C, H, W) float; targets (N,) or (N, H, W) int64 in 0 … C-1, or ``ignore_index``. All
return a scalar, and 0 (with a gradient path) where every target is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aistudio.models.nested import nest_in_words


def apply(loss: Callable, output: Tensor, target: Tensor) -> Tensor:
    """``loss(output, target)``; class weights inside the loss follow the output to its device first.

    TypeError: the output is no tensor, but a dict or an object that holds one.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"the model gives {nest_in_words(output)}, and this task's loss takes one tensor")
    if isinstance(loss, nn.Module):
        loss = loss.to(output.device)
    return loss(output, target)


class FocalLoss(nn.Module):
    """Cross-entropy in which examples that are already right count less: mean of (1 - p)^gamma * -log p.

    p is the probability of the true class; ``gamma=0`` is plain cross-entropy (Lin et al. 2017, softmax form).
    ``label_smoothing`` is that of the cross-entropy; p stays as it is.
    """

    def __init__(self, gamma: float = 2.0, ignore_index: int = -100, label_smoothing: float = 0.0):
        super().__init__()
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """See the module's shapes."""
        told: dict[str, Any] = {"ignore_index": self.ignore_index, "reduction": "none"}
        wrong = 1 - torch.exp(-F.cross_entropy(logits, targets, **told))
        entropy = F.cross_entropy(logits, targets, **told, label_smoothing=self.label_smoothing)
        counted = (targets != self.ignore_index).sum().clamp(min=1)
        return (wrong.clamp(min=1e-6) ** self.gamma * entropy).sum() / counted


class DiceLoss(nn.Module):
    """1 - Dice coefficient of the softmax probabilities, averaged over the classes that occur in the targets."""

    def __init__(self, ignore_index: int = 255, smooth: float = 1.0):
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth = smooth

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """See the module's shapes."""
        probabilities = logits.softmax(1)
        counted = (targets != self.ignore_index).unsqueeze(1)
        classes = torch.arange(logits.shape[1], device=logits.device).view(1, -1, *[1] * (targets.dim() - 1))
        truth = (targets.unsqueeze(1) == classes) & counted
        over = [axis for axis in range(logits.dim()) if axis != 1]
        shared = (probabilities * truth).sum(over)
        total = (probabilities * counted).sum(over) + truth.sum(over)
        occurs = truth.sum(over) > 0
        dice = (2 * shared + self.smooth) / (total + self.smooth)
        return ((1 - dice) * occurs).sum() / occurs.sum().clamp(min=1)


class CrossEntropyDiceLoss(nn.Module):
    """Cross-entropy + ``dice_weight`` * Dice: the first for every pixel, the second for small classes."""

    def __init__(self, dice_weight: float = 1.0, ignore_index: int = 255):
        super().__init__()
        self.dice = DiceLoss(ignore_index)
        self.focal = FocalLoss(0.0, ignore_index)  # gamma 0 is cross-entropy, and no NaN where all is ignored
        self.dice_weight = dice_weight
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """See the module's shapes."""
        return self.focal(logits, targets) + self.dice_weight * self.dice(logits, targets)
