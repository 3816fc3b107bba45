"""Exact intersection over union of rotated boxes, in plain tensor operations.

How the area is found. Stand in the frame of box a, whose half sides are W and H. By Green's theorem the
area of the intersection is the integral round the boundary of box b

    ∮ clamp(x, -W, W) · [|y| ≤ H] dy

because the derivative of clamp(x, -W, W) by x is 1 inside a and 0 beside it. Along one straight edge of b,
clip y to [-H, H], take x at both ends of what is left, and multiply the height by the mean of clamp(x)
between them. No vertices are listed or sorted, so there are no ties to break: boxes that share edges, or
are equal, are ordinary cases.

The mean of clamp(x) while x runs from p to q has the closed form

    (clamp p + clamp q + s · (beyond p + beyond q)) / 2
    with  beyond x = x - clamp x  and  s = (clamp q - clamp p) / (q - p)

which never subtracts large numbers from each other. Boxes follow :mod:`aistudio.oriented.boxes`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.tv_tensors import TVTensor

_CHUNK = 16_384  # pairs worked on at once: about thirty temporary rows of this length stay in a core's cache
_ROUNDING = 16  # an IoU of fewer units of rounding (2e-6 in float32) is called 0


def rotated_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU (...) in [0, 1] of boxes a (..., 5) and b (..., 5), pair by pair; leading dimensions broadcast.

    Sizes must be >= 0; the IoU with a box of no area is 0, and so is one lost in rounding. float64 is computed in
    float64; float16, bfloat16 and integers are computed *and returned* in float32. Differentiable by both arguments.
    """
    a, b = floating(a), floating(b)
    ax, ay, aw, ah, a_angle = a.unbind(-1)
    bx, by, bw, bh, b_angle = b.unbind(-1)

    # In units of the larger box (a power of two, so nothing is rounded) areas neither overflow nor vanish.
    unit = 1 / torch.maximum(_power_of_two(a), _power_of_two(b))
    aw, ah, bw, bh = aw * unit, ah * unit, bw * unit, bh * unit

    # The turn from a to b, still in degrees. Naming b by its nearest side leaves -45 ... 45 of it, and makes whole
    # quarter turns exact.
    turn = _half_turn(b_angle) - _half_turn(a_angle)
    quarters = torch.round(turn / 90)
    turn = torch.deg2rad(turn - 90 * quarters)
    odd = torch.remainder(quarters, 2) == 1
    bw, bh = torch.where(odd, bh, bw), torch.where(odd, bw, bh)

    dx, dy = (bx - ax) * unit, (by - ay) * unit
    angle = torch.deg2rad(_half_turn(a_angle))
    cos, sin = angle.cos(), angle.sin()
    x, y = dx * cos - dy * sin, dx * sin + dy * cos

    area_a, area_b = aw * ah, bw * bh
    intersection = _intersection(aw / 2, ah / 2, x, y, bw / 2, bh / 2, turn)
    intersection = torch.minimum(intersection.clamp(min=0), torch.minimum(area_a, area_b))
    union = area_a + area_b - intersection
    iou = (intersection / torch.where(union > 0, union, torch.ones_like(union))).clamp(max=1)
    # Rounding leaves a trace of the edges of boxes that do not meet: less than it can tell apart is nothing.
    return torch.where(iou > _ROUNDING * torch.finfo(iou.dtype).eps, iou, 0.0)


def rotated_iou_matrix(a: Tensor, b: Tensor) -> Tensor:
    """IoU (..., N, M) of every box of a (..., N, 5) with every one of b (..., M, 5); see :func:`rotated_iou`."""
    a, b = a.unsqueeze(-2), b.unsqueeze(-3)
    pairs = torch.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    if torch.compiler.is_compiling() or pairs.numel() <= _CHUNK:
        return rotated_iou(a, b)
    rows = max(1, _CHUNK * pairs[-2] // pairs.numel())
    return torch.cat([rotated_iou(part, b) for part in a.split(rows, dim=-3)], dim=-2)


def _intersection(W: Tensor, H: Tensor, x: Tensor, y: Tensor, w: Tensor, h: Tensor, turn: Tensor) -> Tensor:
    """Area common to a box of half sides W, H at the origin and one of half sides w, h at x, y, turned by turn."""
    cos, sin = turn.cos(), turn.sin()
    wx, wy = w * cos, -w * sin  # half of b's side along its w axis
    hx, hy = h * sin, h * cos  # and along its h axis
    xs = (x - wx - hx, x + wx - hx, x + wx + hx, x - wx + hx)  # corners, in order round b
    ys = (y - wy - hy, y + wy - hy, y + wy + hy, y - wy + hy)
    clipped = [torch.minimum(torch.maximum(corner, -H), H) for corner in ys]

    area = torch.zeros_like(x)
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 0)):
        run, rise = xs[j] - xs[i], ys[j] - ys[i]
        level = rise == 0
        safe_rise = torch.where(level, torch.ones_like(rise), rise)
        start = xs[i] + ((clipped[i] - ys[i]) / safe_rise).clamp(0, 1) * run
        end = xs[j] + ((clipped[j] - ys[j]) / safe_rise).clamp(-1, 0) * run
        area = area + _mean_of_clamp(start, end, W) * (clipped[j] - clipped[i])
    return area


def _mean_of_clamp(start: Tensor, end: Tensor, limit: Tensor) -> Tensor:
    """Mean of clamp(x, -limit, limit) while x runs evenly from start to end."""
    low = torch.minimum(torch.maximum(start, -limit), limit)
    high = torch.minimum(torch.maximum(end, -limit), limit)
    length = end - start
    share = (high - low) / torch.where(length == 0, torch.ones_like(length), length)
    return (low + high + share * ((start - low) + (end - high))) / 2


def floating(boxes: Tensor) -> Tensor:
    """Plain boxes in float64 if they are, else in float32: thin boxes need every digit of it."""
    plain = boxes.as_subclass(Tensor) if isinstance(boxes, TVTensor) else boxes  # torch.compile knows no as_subclass
    return plain.to(torch.promote_types(boxes.dtype, torch.float32))


def _half_turn(angle: Tensor) -> Tensor:
    """Degrees brought into [-90, 90]; exact, for 180 k is a float and so is the difference."""
    return angle - 180 * torch.round(angle / 180)


def _power_of_two(boxes: Tensor) -> Tensor:
    """The largest power of two within the longer side (...) of boxes (..., 5)."""
    side = boxes[..., 2:4].detach().amax(dim=-1).clamp(min=torch.finfo(boxes.dtype).tiny)
    return torch.exp2(torch.floor(torch.log2(side)))
