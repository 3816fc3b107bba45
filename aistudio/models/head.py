"""What turns a final feature map into a task's output: global average pooling → dropout → fully connected.

Shapes: N batch, C channels of the feature map, h w its size.
"""

from __future__ import annotations

from torch import Tensor, nn

from aistudio.models.backbone import BackboneWrapper


class PooledHead(nn.Module):
    """(N, C, h, w) → (N, outputs), for feature maps of any size. No activation at the end."""

    def __init__(self, in_channels: int, outputs: int, dropout: float = 0.2):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(in_channels, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """``features`` (N, C, h, w) → (N, outputs)."""
        return self.fc(self.dropout(self.pool(features).flatten(1)))


class BackboneWithHead(nn.Module):
    """A backbone and a pooled head of its width: (N, 3, H, W) normalised images → (N, num_classes).

    ``num_classes`` is whatever the task needs of the last layer: logits a class, one logit, or values.
    """

    def __init__(self, backbone: BackboneWrapper, num_classes: int, dropout: float = 0.2):
        super().__init__()
        self.backbone = backbone
        self.head = PooledHead(backbone.out_channels, num_classes, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, 3, H, W) float, normalised once → (N, num_classes)."""
        return self.head(self.backbone(x))
