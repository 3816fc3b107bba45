"""Rotated boxes: the one convention of this package, its canonical form, and the way to and from others.

A rotated box is ``(cx, cy, w, h, a)``: centre and size in pixels, angle in **degrees**. x grows to the
right and y downwards; a positive angle turns **counter-clockwise as seen on the screen**. The side w lies
along the axis ``(cos a, -sin a)`` and h along ``(sin a, cos a)``. This is torchvision's ``CXCYWHR`` (and
detectron2's).

Worked example: ``(50, 50, 40, 10, 30)`` has the middle of its right end at
``(50 + 20 cos 30°, 50 - 20 sin 30°)``, which is ``(67.3, 40)``: up and to the right.

Every box has many names: adding 180 to a changes nothing, and neither does swapping w and h while adding
90. Any name is accepted everywhere; :func:`canonical_boxes` gives each box exactly one.

Shapes: ``(..., 5)`` for boxes and ``(..., 8)`` for corners, any floating dtype, any device; differentiable.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

AngleRange = Literal["le90", "le135", "oc"]


def wrap_angle(angle: Tensor, low: float, period: float) -> Tensor:
    """Move angles (any unit, any shape) into [low, low + period) by whole periods."""
    turned = angle - period * torch.floor((angle - low) / period)
    # The division rounds: an angle that lies within one rounding of the upper end would stay on it.
    return torch.where(turned >= low + period, turned - period, turned).clamp(min=low)


def canonical_boxes(boxes: Tensor) -> Tensor:
    """The canonical names (..., 5) of boxes: w >= h and -90 <= a < 90, or -45 <= a < 45 for exact squares."""
    cx, cy, w, h, a = boxes.unbind(-1)
    long_angle = wrap_angle(torch.where(w < h, a + 90, a), -90, 180)
    angle = torch.where(w == h, wrap_angle(a, -45, 90), long_angle)  # a square repeats every 90
    return torch.stack((cx, cy, torch.maximum(w, h), torch.minimum(w, h), angle), dim=-1)


def box_axes(angle: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors along w and along h, each (..., 2) as x, y, for angles (...) in degrees."""
    radians = torch.deg2rad(wrap_angle(angle, -180, 360))
    cos, sin = radians.cos(), radians.sin()
    return torch.stack((cos, -sin), dim=-1), torch.stack((sin, cos), dim=-1)


def boxes_to_corners(boxes: Tensor) -> Tensor:
    """Corners (..., 8) of boxes (..., 5) as x1, y1, ... x4, y4, clockwise on the screen.

    At angle 0 the order is top left, top right, bottom right, bottom left (torchvision's ``XYXYXYXY``).
    """
    centre, w, h, angle = boxes[..., :2], boxes[..., 2:3], boxes[..., 3:4], boxes[..., 4]
    along_w, along_h = box_axes(angle)
    half_w, half_h = along_w * w / 2, along_h * h / 2
    top, bottom = centre - half_h, centre + half_h
    return torch.cat((top - half_w, top + half_w, bottom + half_w, bottom - half_w), dim=-1)


def corners_to_boxes(corners: Tensor) -> Tensor:
    """Boxes (..., 5), in canonical form, of quadrilaterals (..., 8) with corners in order, either way round.

    A rectangle comes back exactly. Any other quadrilateral (a sheared box, a hand-drawn annotation) becomes
    the rectangle that has the same centre of corners, follows the longer pair of opposite sides and keeps
    the area of the parallelogram through the sides' middles: w = |u|, h = |u × v| / |u|.
    """
    p1, p2, p3, p4 = corners.unflatten(-1, (4, 2)).unbind(-2)
    u, v = (p2 - p1 + p3 - p4) / 2, (p4 - p1 + p3 - p2) / 2
    u_is_long = ((u * u).sum(-1) >= (v * v).sum(-1))[..., None]
    long, short = torch.where(u_is_long, u, v), torch.where(u_is_long, v, u)
    w = torch.linalg.vector_norm(long, dim=-1)
    area = (long[..., 0] * short[..., 1] - long[..., 1] * short[..., 0]).abs()
    h = area / torch.where(w == 0, torch.ones_like(w), w)  # four equal corners: a box of no size
    angle = torch.rad2deg(torch.atan2(-long[..., 1], long[..., 0]))
    centre = (p1 + p2 + p3 + p4) / 4
    return canonical_boxes(torch.cat((centre, torch.stack((w, h, angle), dim=-1)), dim=-1))


def resize_boxes(boxes: Tensor, old_size: tuple[int, int], new_size: tuple[int, int]) -> Tensor:
    """Boxes (..., 5), in canonical form, after the image went from old_size to new_size (height, width).

    An uneven scaling shears a rotated rectangle into a parallelogram. Its long side is followed and its
    area kept, so scaling there and back is the identity as long as the long side stays the longer one.
    """
    scale_y, scale_x = new_size[0] / old_size[0], new_size[1] / old_size[1]
    cx, cy, w, h, a = canonical_boxes(boxes).unbind(-1)
    along_w, _ = box_axes(a)
    ux, uy = along_w[..., 0] * scale_x, along_w[..., 1] * scale_y
    stretch = torch.hypot(ux, uy)
    angle = torch.rad2deg(torch.atan2(-uy, ux))
    resized = (cx * scale_x, cy * scale_y, w * stretch, h * scale_x * scale_y / stretch, angle)
    return canonical_boxes(torch.stack(resized, dim=-1))


def boxes_to_mmrotate(boxes: Tensor, angle_range: AngleRange = "le90") -> Tensor:
    """Boxes (..., 5) as mmrotate writes them: the angle in radians, positive *clockwise*.

    angle_range: ``le90`` has w >= h and an angle in [-π/2, π/2); ``le135`` has w >= h and [-π/4, 3π/4);
    ``oc`` (OpenCV's) has (0, π/2] with w and h in whatever order that asks for.

    Raises:
        ValueError: angle_range is none of these.
    """
    cx, cy, w, h, a = canonical_boxes(boxes).unbind(-1)
    clockwise = -a
    if angle_range == "le90":
        clockwise = wrap_angle(clockwise, -90, 180)
    elif angle_range == "le135":
        clockwise = wrap_angle(clockwise, -45, 180)
    elif angle_range == "oc":
        quarter = -wrap_angle(-clockwise, -90, 90)  # the interval is open below and closed above: mirror it
        swap = torch.remainder(torch.round((clockwise - quarter) / 90), 2) == 1
        w, h, clockwise = torch.where(swap, h, w), torch.where(swap, w, h), quarter
    else:
        raise ValueError(f"angle_range must be 'le90', 'le135' or 'oc', not {angle_range!r}")
    return torch.stack((cx, cy, w, h, clockwise * (math.pi / 180)), dim=-1)


def boxes_from_mmrotate(boxes: Tensor) -> Tensor:
    """Boxes (..., 5) in canonical form from mmrotate's (radians, clockwise), whatever their angle range."""
    return canonical_boxes(torch.cat((boxes[..., :4], -torch.rad2deg(boxes[..., 4:])), dim=-1))
