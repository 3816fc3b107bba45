"""The reference: IoU of rotated boxes by clipping one polygon at the half-planes of the other, in float64."""

from __future__ import annotations

import torch
from torch import Tensor


def corners_of(boxes: Tensor) -> Tensor:
    """Corners (N, 4, 2) of boxes (N, 5) in float64, written independently of the package."""
    cx, cy, w, h, a = boxes.double().unbind(-1)
    a = torch.deg2rad(torch.remainder(a, 360))
    ux, uy, vx, vy = a.cos() * w / 2, -a.sin() * w / 2, a.sin() * h / 2, a.cos() * h / 2
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return torch.stack([torch.stack((cx + s * ux + t * vx, cy + s * uy + t * vy), -1) for s, t in signs], 1)


def clip(polygon: Tensor, count: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Keep what of polygon (N, V, 2), of count (N,) vertices, is right of start → end on the screen."""
    rows = torch.arange(len(polygon))
    out, out_count = polygon.new_zeros(len(polygon), polygon.shape[1] + 1, 2), torch.zeros_like(count)
    edge = end - start

    def side(point: Tensor) -> Tensor:
        return edge[:, 0] * (point[:, 1] - start[:, 1]) - edge[:, 1] * (point[:, 0] - start[:, 0])

    def append(mask: Tensor, point: Tensor) -> None:
        out[rows[mask], out_count[mask]] = point[mask]
        out_count[mask] += 1

    for i in range(polygon.shape[1]):
        here, there = polygon[:, i], polygon[rows, (i + 1) % count.clamp(min=1)]
        d_here, d_there, active = side(here), side(there), i < count
        append(active & (d_here >= 0), here)
        crosses = active & ((d_here > 0) & (d_there < 0) | (d_here < 0) & (d_there > 0))
        t = torch.where(crosses, d_here / torch.where(crosses, d_here - d_there, 1.0), 0.0)
        append(crosses, here + t[:, None] * (there - here))
    return out, out_count


def reference_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU (N,) of boxes a (N, 5) and b (N, 5), float64; 0 where there is no area."""
    a, b = a.detach().double().clone(), b.detach().double().clone()
    b[:, :2] -= a[:, :2]
    a[:, :2] = 0
    unit = torch.maximum(a[:, 2:4].amax(1), b[:, 2:4].amax(1)).clamp(min=1e-300)[:, None]
    a[:, :4] /= unit
    b[:, :4] /= unit
    window, polygon = corners_of(a), corners_of(b)
    count = torch.full((len(a),), 4)
    for i in range(4):
        polygon, count = clip(polygon, count, window[:, i], window[:, (i + 1) % 4])
    area = torch.zeros(len(a), dtype=torch.float64)
    rows = torch.arange(len(a))
    for i in range(polygon.shape[1]):
        here, there = polygon[:, i], polygon[rows, (i + 1) % count.clamp(min=1)]
        area += torch.where(i < count, here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0], 0.0) / 2
    union = a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3] - area
    return torch.where(union > 0, area / torch.where(union > 0, union, 1.0), 0.0).clamp(0, 1)
