"""Which point of the pyramid learns which box (FCOS, in the box's own frame)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from aistudio.oriented.boxes import box_axes, canonical_boxes


def pyramid_points(
    sizes: list[tuple[int, int]], strides: tuple[int, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Points (P, 2) as x, y in pixels of the network's input and their strides (P,), level after level.

    Both are float32. sizes holds the (height, width) of each level's map. Cell (i, j) sits at (j · stride, i · stride),
    whatever the precision of the maps: float16 cannot tell neighbouring pixels apart beyond 2048.
    """
    points, steps = [], []
    for (height, width), stride in zip(sizes, strides, strict=True):
        rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        points.append(torch.stack((x, y), dim=-1).reshape(-1, 2).float() * stride)
        steps.append(torch.full((height * width,), float(stride), device=device))
    return torch.cat(points), torch.cat(steps)


def match_points(
    points: Tensor, strides: Tensor, boxes: Tensor, radius: float = 1.5, every: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Index (P,) int64 of each point's box, -1 for background, and centre-ness (P,) in [0, 1].

    A point takes a box (one of boxes (M, 5)) if it lies inside it, within radius strides of its centre
    along either side, and the box belongs to its level; where several qualify, the smallest does. Level l
    of L learns boxes whose longer side is 8 to 16 strides; the first takes all smaller ones and the last
    all larger ones.

    Sides are first raised to √2 strides: the inscribed circle then reaches a grid point wherever the box
    lies, so every box, however thin or small, has a point of its own level (unless a smaller box claims
    it). every holds the strides of all levels; without it they are those of the points.
    """
    background = torch.full((len(points),), -1, dtype=torch.int64, device=points.device)
    if len(boxes) == 0 or len(points) == 0:
        return background, torch.zeros_like(strides)
    boxes = canonical_boxes(boxes)  # equal boxes match equally under any name
    fits, half, across = _fits(points[:, None], strides[:, None], boxes, strides if every is None else every, radius)

    area = torch.where(fits, boxes[:, 2] * boxes[:, 3], math.inf)
    smallest, index = area.min(dim=1)
    rows = torch.arange(len(points), device=points.device)
    half, across = half[rows, index], across[rows, index]
    centreness = ((half - across).clamp(min=0) / (half + across)).prod(dim=-1).sqrt()
    matched = smallest < math.inf
    return torch.where(matched, index, background), torch.where(matched, centreness, 0.0)


def levels_of_boxes(
    boxes: Tensor, sizes: list[tuple[int, int]], strides: tuple[int, ...], alone: bool, radius: float = 1.5
) -> Tensor:
    """The level (M,) int64 whose points learn each of boxes (M, 5), -1 where none does.

    The rule is that of :func:`match_points`, for boxes that are each alone in an image, or all in one. Only the points
    around each centre are looked at.
    """
    boxes = canonical_boxes(boxes)
    levels = torch.full((len(boxes),), -1, dtype=torch.int64, device=boxes.device)
    every = torch.tensor(strides, dtype=torch.float32, device=boxes.device)
    reach = math.ceil(radius * math.sqrt(2))  # a square turned by 45 degrees
    around = torch.arange(-reach, reach + 1, device=boxes.device)
    taken, steps = [], []
    for level, ((height, width), stride) in enumerate(zip(sizes, strides, strict=True)):
        place = (boxes[:, :2] / stride).round().long()
        columns = (place[:, 0, None] + around).clamp(0, width - 1)[:, None, :]
        rows = (place[:, 1, None] + around).clamp(0, height - 1)[:, :, None]
        points = torch.stack(torch.broadcast_tensors(columns, rows), dim=-1).flatten(1, 2).float() * stride
        fits = _fits(points, every[level].expand(points.shape[:-1]), boxes[:, None], every, radius)[0]
        levels = torch.where(fits.any(1), level, levels)
        taken.append(points[fits])
        steps.append(every[level].expand(len(taken[-1])))
    if alone:
        return levels
    index, _ = match_points(torch.cat(taken), torch.cat(steps), boxes, radius, every)
    kept = torch.zeros_like(levels, dtype=torch.bool)
    kept[index[index >= 0]] = True
    return torch.where(kept, levels, -1)


def _fits(
    points: Tensor, strides: Tensor, boxes: Tensor, every: Tensor, radius: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Whether points take boxes, the half sides that they must lie in, and how far off they are along them (..., 2).

    points (..., 2), strides (...) and boxes (..., 5) are broadcast; every holds the strides of all levels.
    """
    along_w, along_h = box_axes(boxes[..., 4])
    offset = points - boxes[..., :2]
    across = torch.stack(((offset * along_w).sum(-1), (offset * along_h).sum(-1)), dim=-1).abs()
    half = torch.maximum(boxes[..., 2:4] / 2, strides[..., None] * (math.sqrt(2) / 2))
    near = torch.minimum(half, radius * strides[..., None])
    return (across <= near).all(dim=-1) & _of_level(boxes[..., 2], strides, every), half, across


def _of_level(long_side: Tensor, strides: Tensor, every: Tensor) -> Tensor:
    """Whether boxes of these longer sides belong to the levels of these strides, of every level's."""
    low = torch.where(strides == every.min(), 0.0, 8 * strides)
    high = torch.where(strides == every.max(), math.inf, 16 * strides)
    return (long_side >= low) & (long_side < high)
