"""The head of the rotated detector: two towers of convolutions shared by all levels of the pyramid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.detection.fcos import FCOSClassificationHead


class RotatedFCOSHead(nn.Module):
    """Class scores, box code and centre-ness at every point of every feature map.

    Args:
        in_channels: channels of every feature map; a multiple of 32 (the groups of the normalisation).
        num_classes: object classes, without background.
        num_convs: convolutions in each tower.
    """

    def __init__(self, in_channels: int, num_classes: int, num_convs: int = 4):
        super().__init__()
        self.classification_head = FCOSClassificationHead(in_channels, 1, num_classes, num_convs)
        layers: list[nn.Module] = []
        for _ in range(num_convs):
            conv = nn.Conv2d(in_channels, in_channels, kernel_size=3, padding=1)
            layers += [conv, nn.GroupNorm(32, in_channels), nn.ReLU()]
        self.tower = nn.Sequential(*layers)
        self.box = nn.Conv2d(in_channels, 6, kernel_size=3, padding=1)
        self.centreness = nn.Conv2d(in_channels, 1, kernel_size=3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module is not self.classification_head.cls_logits:
                nn.init.normal_(module.weight, std=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.box.get_parameter("bias")[4] = (
                1.0  # start at cos 2a = 1, sin 2a = 0: at (0, 0) an angle has no gradient
            )

    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Raw outputs for features L × (N, C, H, W), points row by row and level after level.

        ``cls_logits`` (N, points, classes), ``bbox_regression`` (N, points, 6) as
        :mod:`aistudio.oriented.code` reads it, ``bbox_ctrness`` (N, points, 1) logits: torchvision's names.
        """
        towers = [self.tower(level) for level in features]
        return {
            "cls_logits": self.classification_head(features),
            "bbox_regression": torch.cat([_flatten(self.box(tower)) for tower in towers], dim=1),
            "bbox_ctrness": torch.cat([_flatten(self.centreness(tower)) for tower in towers], dim=1),
        }


def _flatten(maps: Tensor) -> Tensor:
    """(N, C, H, W) → (N, H·W, C)."""
    return maps.flatten(2).transpose(1, 2)
