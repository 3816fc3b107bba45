"""Freezing: parameters and batch-norm statistics that stay as they are."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d


class StillBatchNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm that is always in eval mode, for inputs of any number of dimensions."""

    @classmethod
    def like(cls, norm: nn.modules.batchnorm._BatchNorm) -> StillBatchNorm:
        """The same numbers in a norm that stands still; the parameters are shared, not copied."""
        still = cls(norm.num_features, norm.eps, norm.momentum, norm.affine)
        still.weight, still.bias = norm.weight, norm.bias
        still.running_mean, still.running_var = norm.running_mean, norm.running_var
        still.num_batches_tracked = norm.num_batches_tracked
        return still.eval()

    def train(self, mode: bool = True) -> StillBatchNorm:
        """Stay in eval mode."""
        return super().train(False)

    def _check_input_dim(self, input: Tensor) -> None: ...


def freeze(module: nn.Module) -> nn.Module:
    """Parameters of ``module`` are trained no more, and its batch-norm statistics stay as they are, in train mode too.

    Every BatchNorm2d becomes torchvision's FrozenBatchNorm2d with the same numbers, in place. Returns ``module``
    (another object only if ``module`` itself is a BatchNorm2d).
    """
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return still_norms(module)


def still_norms(module: nn.Module) -> nn.Module:
    """Batch norms of ``module`` keep their statistics, in train mode too; its parameters are as they were otherwise.

    Returns ``module``, in which they were replaced (another object only if ``module`` itself is one).
    """
    if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm) and module.running_mean is not None:
        frozen = FrozenBatchNorm2d(module.num_features, module.eps)
        frozen.load_state_dict(module.state_dict(), strict=module.affine)  # without affine: weight 1, bias 0
        return frozen.to(module.running_mean).train(module.training)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm3d) and module.running_mean is not None:
        return StillBatchNorm.like(module)
    for name, child in module.named_children():
        replacement = still_norms(child)
        if replacement is not child:
            setattr(module, name, replacement)
    return module
