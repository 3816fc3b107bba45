"""What turns a final feature map into a task's output: global average pooling → dropout → fully connected.

Shapes: N batch, C channels of the feature map, h w its size.
"""

from __future__ import annotations

from torch import Tensor, nn

from aistudio.backbones import BackboneWrapper


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
    """A backbone and a pooled head of its width: (N, 3, H, W) normalised pictures → (N, num_classes).

    ``num_classes`` is whatever the task needs of the last layer: logits a class, one logit, or values.
    """

    def __init__(self, backbone: BackboneWrapper, num_classes: int, dropout: float = 0.2):
        super().__init__()
        self.backbone = backbone
        self.head = PooledHead(backbone.out_channels, num_classes, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, 3, H, W) float, normalised once → (N, num_classes)."""
        return self.head(self.backbone(x))


def output_problems(output: object, shape: tuple[int, ...]) -> list[str]:
    """What is wrong with an output that should be one finite floating-point tensor of ``shape``."""
    if not isinstance(output, Tensor):
        return [f"the output is {type(output).__name__}; expected a tensor {shape}"]
    if tuple(output.shape) != shape:
        return [f"the output has shape {tuple(output.shape)}; expected {shape}"]
    if not output.is_floating_point():
        return [f"the output is {output.dtype}; expected a floating-point tensor"]
    if not output.isfinite().all():
        return ["the output has NaN or infinite values"]
    return []
