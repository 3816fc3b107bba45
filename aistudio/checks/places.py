"""Where in images, maps and outputs something is decided: maps of gradients, read by cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aistudio.checks.outcome import some
from aistudio.checks.subject import Subject, take

CELLS = 8  # an image is looked at in so many rows and columns
_PLACE = (1, 5)  # row and column of the cell that is looked at: alike in no mirror and no turn
_MIRRORED = {
    "mirrored left-right": (1, 2),
    "mirrored top-bottom": (6, 5),
    "turned by 180 degrees": (6, 2),
    "transposed": (5, 1),
    "transposed and turned": (2, 6),
}
_CLEARLY = 2.0  # times the gradient of the place itself, which is the strongest in any net


def elsewhere(subject: Subject) -> str:
    """How a map that is given for an image lies against it, where a mirrored place decides more; "" where none does."""
    maps = (name for name, one in subject.raw_output.items() if one.dim() == 4 and min(one.shape[2:]) >= CELLS)
    name, inputs = next(maps, None), take(subject.batch().inputs, 0, 2)
    if name is None or not isinstance(inputs, Tensor):
        return ""
    leaf = inputs.detach().clone().requires_grad_()
    with torch.enable_grad():
        out = subject.task.raw_outputs(subject.looked_at, leaf)[name]
        row, column = (place * side // CELLS for place, side in zip(_PLACE, out.shape[2:], strict=True))
        here = out[:, :, row : row + out.shape[2] // CELLS, column : column + out.shape[3] // CELLS]
        slope = torch.autograd.grad(here.float().pow(2).sum(), leaf, allow_unused=True)[0]
    if slope is None:  # a map that no image decides
        return ""
    cells = in_cells(slope.float().pow(2).sum(0))
    own = float(cells[_PLACE])
    words, most = max(((words, float(cells[place])) for words, place in _MIRRORED.items()), key=lambda pair: pair[1])
    return words if most > _CLEARLY * own else ""


def is_mixed(maps: Tensor) -> bool:
    """Whether (N, C, h, w) gradients repeat as if the same numbers in memory were (N, h * w, C) and summed over places.

    A mean over the places of maps has one gradient a channel instead.
    """
    count, channels, height, width = maps.shape
    if height * width < 2 or channels < 2 or not bool(maps.any()):
        return False
    rows, limit = maps.reshape(count, height * width, channels), 1e-4 * float(maps.max())
    repeats = float((rows - rows[:, :1]).abs().max()) <= limit
    return repeats and float((maps - maps[:, :, :1, :1]).abs().max()) > limit


def in_cells(image: Tensor) -> Tensor:
    """(3, H, W) → (8, 8): the mean over each cell and the colours."""
    return nn.functional.adaptive_avg_pool2d(image.float().mean(0)[None], CELLS)[0]


def blind_parts(strength: Tensor, faint: float, scattered: float = 0.2) -> str:
    """Rows and columns of a map of strengths that are faint throughout, or more than a share of it; "" for none."""
    weak = strength <= faint * strength.max()
    rows, columns = lines(weak.all(1)), lines(weak.all(0))
    found = [f"rows {rows}"] * bool(rows) + [f"columns {columns}"] * bool(columns)
    if not found and weak.float().mean() > scattered:
        found = [f"{int(weak.sum())} of {weak.numel()} cells"]
    return " and ".join(found) + (f" (of {len(strength)})" if found else "")


def lines(silent: Tensor) -> str:
    """Numbers of the rows that are silent: ``5 to 8``."""
    numbers = (silent.nonzero().flatten() + 1).tolist()
    if not numbers:
        return ""
    whole = numbers == list(range(numbers[0], numbers[-1] + 1))
    return f"{numbers[0]} to {numbers[-1]}" if whole and len(numbers) > 1 else some(map(str, numbers), 6)
