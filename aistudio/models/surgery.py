"""Change a trained model without losing what it has learned: other input channels, another number of classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def adapted_input(weight: Tensor, channels: int) -> Tensor:
    """The kernels (O, 3, h, w) of a first convolution → (O, ``channels``, h, w).

    With three channels or more, the first three keep the kernels of red, green and blue; all others get the mean of
    the three. Everything is scaled by 3 / ``channels``, so that an image whose channels are all alike gets exactly the
    answer that it had as a grey RGB image.
    """
    mean = weight.mean(1, keepdim=True)
    if channels < 3:
        kernels = mean.expand(-1, channels, -1, -1)
    else:
        kernels = torch.cat([weight, mean.expand(-1, channels - 3, -1, -1)], 1)
    return kernels * (3 / channels)


def first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """The first convolution of a backbone, as its modules are listed, with its name."""
    return next(((name, one) for name, one in model.named_modules() if isinstance(one, nn.Conv2d)), None)


def change_input(model: nn.Module, channels: int) -> nn.Module:
    """Give the first convolution of a backbone ``channels`` input channels, in place, by `adapted_input`."""
    found = first_convolution(model)
    if found is None or found[1].in_channels == channels:
        return model
    name, old = found
    if old.groups != 1 or old.in_channels != 3:
        raise ValueError(f"{name} takes {old.in_channels} channels in {old.groups} groups; it must take 3 in one")
    new = nn.Conv2d(
        channels,
        old.out_channels,
        _pair(old.kernel_size),
        _pair(old.stride),
        old.padding if isinstance(old.padding, str) else _pair(old.padding),
        _pair(old.dilation),
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
        device=old.weight.device,
        dtype=old.weight.dtype,
    )
    with torch.no_grad():
        new.weight.copy_(adapted_input(old.weight, channels))
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    new.weight.requires_grad_(old.weight.requires_grad)
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, new)
    return model


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    height, width = values
    return height, width


def input_rule(module: nn.Module, name: str, theirs: tuple[int, ...], ours: tuple[int, ...]) -> str:
    """The rule by which a file's tensor becomes one of ``module``, or "" where there is none."""
    found = first_convolution(module)
    if found is None or name != f"{found[0]}.weight" or len(theirs) != 4 or len(ours) != 4:
        return ""
    same = theirs[0] == ours[0] and theirs[2:] == ours[2:]
    return rule_for(ours[1]) if same and theirs[1] == 3 and found[1].groups == 1 else ""


def rule_for(channels: int) -> str:
    """The rule of `adapted_input` in words."""
    return f"first convolution to {channels} channel{'s' * (channels != 1)}"


def depending_on_classes(build: Callable[[int], nn.Module], classes: int) -> list[str]:
    """The names of the tensors whose shapes follow the number of classes, found without computing anything.

    ``build`` makes the model for a number of classes.
    """
    with torch.device("meta"):
        one, other = (build(number).state_dict() for number in (classes, classes + 1))
    return [name for name, tensor in one.items() if name not in other or tensor.shape != other[name].shape]
