"""Freezing: parameters and batch-norm statistics that stay as they are."""

from __future__ import annotations

from torch import nn
from torchvision.ops import FrozenBatchNorm2d


def freeze(module: nn.Module) -> nn.Module:
    """Parameters of ``module`` are trained no more, and its batch-norm statistics stay as they are, in train mode too.

    Every BatchNorm2d becomes torchvision's FrozenBatchNorm2d with the same numbers, in place. Returns ``module``
    (another object only if ``module`` itself is a BatchNorm2d).
    """
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return _frozen(module)


def _frozen(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm) and module.running_mean is not None:
        frozen = FrozenBatchNorm2d(module.num_features, module.eps)
        frozen.load_state_dict(module.state_dict(), strict=module.affine)  # without affine: weight 1, bias 0
        return frozen.to(module.running_mean).train(module.training)
    for name, child in module.named_children():
        replacement = _frozen(child)
        if replacement is not child:
            setattr(module, name, replacement)
    return module
