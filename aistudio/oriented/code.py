"""The box code: how six numbers at a point of a feature map name a rotated box.

    (x, y, log w, log h, c, s)   x, y: from the point to the centre, in strides
                                 w, h: in units of four strides, the size a level is made for
                                 c, s: the direction of (cos 2a, sin 2a); its length does not matter

The double angle makes the code continuous: a box turned by 180° has the same numbers, where the angle
itself jumps. The same box under its other name (w and h swapped, a turned by 90°) has other numbers but the
same IoU, and the loss sees only that. Codes are read in float32 whatever precision wrote them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aistudio.oriented.boxes import canonical_boxes

_LARGEST_LOG_SIZE = 6.0  # e⁶ = 403 units: no real box is larger, and exp never overflows


def encode_boxes(boxes: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """Codes (..., 6) float32 of boxes (..., 5) as seen from points (..., 2) of levels with strides (...)."""
    boxes, strides = canonical_boxes(boxes.float()), strides.float()[..., None]
    centre = (boxes[..., :2] - points.float()) / strides
    size = torch.log(boxes[..., 2:4] / (4 * strides)).clamp(-_LARGEST_LOG_SIZE, _LARGEST_LOG_SIZE)
    double = torch.deg2rad(2 * boxes[..., 4:])
    return torch.cat((centre, size, double.cos(), double.sin()), dim=-1)


def decode_boxes(codes: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """Boxes (..., 5) float32 of codes (..., 6) at points (..., 2) of levels with strides (...); |angle| <= 90."""
    codes, strides = codes.float(), strides.float()[..., None]
    centre = points.float() + codes[..., :2] * strides
    size = codes[..., 2:4].clamp(-_LARGEST_LOG_SIZE, _LARGEST_LOG_SIZE).exp() * 4 * strides
    angle = torch.rad2deg(torch.atan2(codes[..., 5:], codes[..., 4:5])) / 2
    return torch.cat((centre, size, angle), dim=-1)
