"""Parameters in the groups that an optimiser should treat differently: backbone and head, with and without decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)


def parameter_groups(
    model: nn.Module,
    lr: float,
    weight_decay: float = 0.0,
    backbone_lr: float | None = None,
    backbone: str = "backbone",
) -> list[dict[str, Any]]:
    """The groups of a model's trainable parameters, as every optimiser of ``torch.optim`` takes them.

    Args:
        model: a model; frozen parameters are left out.
        lr: the learning rate.
        weight_decay: of weights; biases, and scales and shifts of normalisations, have none.
        backbone_lr: the learning rate of the backbone, usually a tenth of ``lr``; by default ``lr``.
        backbone: the name of the model's backbone, or the beginning of its parameters' names.

    Returns:
        Up to four groups with ``name``, ``params``, ``lr`` and ``weight_decay``: each trainable parameter is in exactly
        one of them, shared ones once. In order: backbone, backbone_no_decay, rest, rest_no_decay; without empty ones.

    Raises:
        ValueError: if ``backbone_lr`` is given and no parameter is the backbone's.
    """
    rates = {"backbone": lr if backbone_lr is None else backbone_lr, "rest": lr}
    groups: dict[str, dict[str, Any]] = {
        f"{part}{kind}": {"name": f"{part}{kind}", "params": [], "lr": rate, "weight_decay": decay}
        for part, rate in rates.items()
        for kind, decay in (("", weight_decay), ("_no_decay", 0.0))
    }
    prefix = backbone if not backbone or backbone.endswith(".") else f"{backbone}."
    names = [name for name, _ in model.named_parameters()]
    if backbone_lr is not None and not any(name.startswith(prefix) for name in names):
        raise ValueError(f"backbone_lr={backbone_lr:g} has nothing to act on: no parameter's name begins with {prefix}")
    for name, parameter, decays in trainable(model):
        part = "backbone" if name.startswith(prefix) else "rest"
        groups[part if decays else f"{part}_no_decay"]["params"].append(parameter)
    return [group for group in groups.values() if group["params"]]


def trainable(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, bool]]:
    """Every trainable parameter once, with its name and whether it decays."""
    seen: set[int] = set()
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(path, recurse=False):
            if parameter.requires_grad and id(parameter) not in seen:
                seen.add(id(parameter))
                spared = isinstance(module, _NORMS) or parameter.ndim <= 1 or name.rpartition(".")[2] == "bias"
                yield name, parameter, not spared
