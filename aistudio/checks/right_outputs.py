"""Outputs that are written down from targets, not computed: right ones, worse ones, and those of another place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from aistudio.checks.edges import is_mask

CERTAIN = (1.0, 2.0, 4.0, 8.0, 16.0)  # logits of the right class; smoothed labels like none too large
Link = Callable[[Tensor], Tensor]
_ALIKE = 0.1  # of the largest output
_SORTS = "the loss sorts, averages or sums before it compares (look for sort(), mean() and sum() in it), "
_SORTS += "or takes outputs for a set without order: then leave this check out"


def misplaced(said: Tensor, targets: Tensor) -> Iterator[tuple[str, Tensor, str]]:
    """Outputs that are not right, in words, where that makes a difference; and why a loss would not mind."""
    changes: list[tuple[str, Tensor, str]] = []
    for words, dim in (("those of the next image", 0), ("those of the next column", 1)):
        if said.dim() > dim:
            changes.append((words, said.roll(1, dim), _SORTS))
    if is_values(targets):
        lost = "the loss forgets the sign or the scale of values: look for abs(), squares and cosines of outputs"
        changes += [("the other sign", -said, lost), ("twice as large", 2 * said, lost)]
    elif said.dim() > 1 and said.shape[1] > 1:
        cause = "nothing speaks against the other classes: a term for them, (1 - t) * log(1 - p), is missing"
        changes.append(("yes to every class", said.abs(), cause))
    for words, other, cause in changes:
        if (other - said).abs().max() > _ALIKE * said.abs().max():
            yield words, other, cause


def shifted(right: Tensor, scale: float, targets: Tensor) -> Tensor:
    """Right outputs, less right: logits smaller or turned around, values further away."""
    return right + (scale - CERTAIN[-1]) / CERTAIN[-1] if is_values(targets) else right * scale


def links(output: Any, targets: Tensor) -> list[Link]:
    """What may stand at the end of the model: nothing, what makes 0 and 1, or probabilities where it gave such."""
    one = next(tensors(output))
    found: list[Link] = [lambda logits: logits]
    if is_values(targets):
        return found
    found.append(zero_to_one)
    if bool(((one.exp().sum(1) - 1).abs() < 1e-3).all()):
        found.append(lambda logits: logits.log_softmax(1))
    if bool(((one >= 0) & (one <= 1)).all()):
        found.append(lambda logits: logits.softmax(1) if one.shape[1] > 1 else logits.sigmoid())
    return found


def zero_to_one(logits: Tensor) -> Tensor:
    """±1 → 0 and 1, which a squared error takes for the classes."""
    return (logits + 1) / 2


def right_outputs(output: Any, targets: Any) -> Tensor | None:
    """What a model should give for these targets, shaped as ``output``: ±1 for logits, or the values."""
    shapes = {tuple(one.shape) for one in tensors(output)}
    if len(shapes) != 1 or not isinstance(targets, Tensor):
        return None
    shape = shapes.pop()
    if targets.dtype == torch.int64 and targets.dim() == 1 and len(shape) == 2 and shape[1] > 1:
        return one_hot(targets, shape[1])
    if is_mask(targets) and len(shape) == 4 and shape[2:] == targets.shape[1:]:
        return one_hot(targets.where(targets < shape[1], 0), shape[1]).permute(0, 3, 1, 2)
    if targets.is_floating_point() and targets.shape == shape and is_shares(targets):
        return targets.clamp(min=1e-4).log()
    if targets.is_floating_point() and targets.shape == shape:
        return targets if is_values(targets) else 2 * targets - 1  # of 0 and 1
    return None


def is_shares(targets: Any) -> bool:
    """Whether targets say how much of each class there is, (N, C): smoothed or mixed labels."""
    if not isinstance(targets, Tensor) or not targets.is_floating_point() or targets.dim() != 2 or targets.shape[1] < 2:
        return False
    one = bool((targets >= 0).all()) and bool(((targets.sum(1) - 1).abs() < 1e-3).all())
    return one and not bool(((targets == 0) | (targets == 1)).all())


def is_values(targets: Any) -> bool:
    """Whether targets are measured values, not 0 and 1, nor shares."""
    return (
        isinstance(targets, Tensor)
        and targets.is_floating_point()
        and not bool(((targets == 0) | (targets == 1)).all())
        and not is_shares(targets)
    )


def one_hot(classes: Tensor, count: int) -> Tensor:
    """(…) int64 → (…, count): 1 at the class, -1 elsewhere."""
    return 2.0 * F.one_hot(classes.clamp(0, count - 1), count) - 1


def tensors(output: Any) -> Iterator[Tensor]:
    """The tensors of an output that is one or a dict of them."""
    for value in output.values() if isinstance(output, dict) else [output]:
        if isinstance(value, Tensor):
            yield value
