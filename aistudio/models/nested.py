"""What models take and give: nests of tensors in dicts, lists and tuples. They are walked here and nowhere else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map, tree_structure

Nest = TypeVar("Nest")


def tensors_in(nest: object) -> list[Tensor]:
    """Every tensor, in order; whatever else the nest holds is left out."""
    return [leaf for leaf in tree_leaves(nest) if isinstance(leaf, Tensor)]


def nest_in_words(nest: object) -> str:
    """What a model gives that is no tensor: its type, and the names and shapes of the tensors right in it."""
    if isinstance(nest, list | tuple):
        fields: dict[str, object] = {f"[{place}]": value for place, value in enumerate(nest)}
    else:
        fields = dict(nest) if isinstance(nest, Mapping) else dict(vars(nest)) if hasattr(nest, "__dict__") else {}
    held = [f"{name} {tuple(value.shape)}" for name, value in fields.items() if isinstance(value, Tensor)]
    kind = type(nest).__name__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    return f"{article} {kind}" + (f" with {', '.join(held)}" if held else "")


def map_tensors(change: Callable[..., Any], nest: Nest, *others: Any) -> Nest:
    """The same nest of what ``change`` makes of each tensor, given those at its place in ``others``, too.

    What is no tensor stays. ValueError: ``others`` are built otherwise.
    """
    return tree_map(lambda leaf, *rest: change(leaf, *rest) if isinstance(leaf, Tensor) else leaf, nest, *others)


def copied(model: nn.Module) -> nn.Module:
    """A deep copy. What a model remembers of its last pass, graph and all, is copied without the graph.

    Modules stay in their modes: copies that torch.fx makes of its own are in train mode.
    """
    try:
        twin = copy.deepcopy(model)
    except RuntimeError:  # torch copies no tensor that has a graph behind it
        held = [one for module in model.modules() for one in tensors_in(vars(module)) if not one.is_leaf]
        twin = copy.deepcopy(model, {id(one): one.detach().clone() for one in held})
    modes = {name: module.training for name, module in model.named_modules()}
    for name, module in twin.named_modules():
        module.training = modes.get(name, module.training)
    return twin


def equal(one: object, other: object) -> bool:
    """Whether two nests are built alike and hold equal values."""
    if tree_structure(one) != tree_structure(other):
        return False
    return all(map(_equal, tree_leaves(one), tree_leaves(other)))


def alike(one: object, other: object) -> bool:
    """Whether two nests are built alike, and their numbers equal: fractions within a hundredth of the largest."""
    if tree_structure(one) != tree_structure(other):
        return False
    return all(_close(*pair) for pair in zip(tensors_in(one), tensors_in(other), strict=True))


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or not one.is_floating_point() or not one.numel():
        return torch.equal(one, other)
    one, other = one.double(), other.double()
    return float((one - other).abs().max()) <= 0.01 * float(other.abs().max())


def _equal(one: object, other: object) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    return not isinstance(one, Tensor) and not isinstance(other, Tensor) and one == other
