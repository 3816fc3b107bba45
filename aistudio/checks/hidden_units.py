"""Units behind the backbone that no loss hears, whatever they hold."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from aistudio.checks.batch_loss import pick
from aistudio.checks.check_mode import NothingDropped
from aistudio.checks.subject import Subject
from aistudio.models.anatomy import named_backbone

_LOUD = 3.0  # times a layer's own deviation: a ReLU that was shut for an image is open for the next one
_DRAWS = 8  # images or places at least: of units behind a ReLU one in 2**8 is silent by chance
_FEW = 8  # units of a layer, of which a share says nothing


def silent_units(subject: Subject, share: float) -> list[tuple[str, int, int]]:
    """Layers behind the backbone of which more than ``share`` of the units, and not all, have no say in the loss.

    Each with its name, how many are silent, and of how many. Noise is added to what a layer gives, so that units behind
    a ReLU, which are shut for an image or for all of a batch, are open now and then; what is masked stays silent. A
    layer that is silent as a whole starts at zero, or was not asked; one that is asked for few images is left out.
    """
    backbone = {*named_backbone(subject.own_code)[1].modules()}
    layers: dict[nn.Module, str] = {
        module: name
        for name, module in subject.own_code.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and module not in backbone
    }
    if len(layers) < 2 or len(backbone) == len([*subject.own_code.modules()]):
        return []
    heard = _heard(subject, layers)
    counts = [(name, int((~units).sum()), len(units)) for name, units in heard.items()]
    return [(name, silent, all_) for name, silent, all_ in counts if all_ >= _FEW and share * all_ < silent < all_]


def _heard(subject: Subject, layers: dict[nn.Module, str]) -> dict[str, Tensor]:
    """For every layer that was asked often, which of its units have a gradient for any image at any place."""
    batch, noises = subject.batch(), list[tuple[str, int, Tensor]]()
    count = len(batch.samples)
    order = [*range(count)] * -(-_DRAWS // count)

    def disturb(module: nn.Module, args: object, output: Any) -> Any:
        noise = _LOUD * output.detach().std().clamp(min=1e-2) * torch.randn_like(output)
        noises.append((layers[module], -1 if isinstance(module, nn.Linear) else 1, noise.requires_grad_()))
        return output + noise

    hooks = [layer.register_forward_hook(disturb) for layer in layers]
    try:
        with torch.enable_grad(), NothingDropped():
            inputs, targets = pick(batch.inputs, order), pick(batch.targets, order)
            total = cast(Tensor, sum(subject.task.loss(subject.own_code, inputs, targets).values()))
            leaves = [noise for _, _, noise in noises]
            gradients = torch.autograd.grad(total, leaves, allow_unused=True) if leaves else ()
    finally:
        for hook in hooks:
            hook.remove()
    found: dict[str, Tensor] = {}
    for (name, dim, _), gradient in zip(noises, gradients, strict=True):
        if gradient is not None:
            heard = gradient.movedim(dim, -1).flatten(0, -2) != 0  # images and places x units
            if int(heard.any(1).sum()) >= _DRAWS:  # one of several experts is rarely asked
                found[name] = heard.any(0) | found.get(name, torch.tensor(False))
    return found
