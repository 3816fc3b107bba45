"""Models inside what only runs them otherwise: compiled ones, and those of several GPUs."""

from __future__ import annotations

from torch import nn
from torch.jit import ScriptModule

from aistudio.errors import Problem, refuse

_WITHIN = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, whose parts can be followed."""
    while type(model).__name__ in _WITHIN:
        model = getattr(model, _WITHIN[type(model).__name__])
    return model


def refuse_scripted(model: nn.Module, what: str, where: str) -> None:
    """Raise a `Refusal` for what torch.jit made: it has no parts to follow, and its copies cannot be trained."""
    if isinstance(model, ScriptModule):
        why = "what torch.jit made takes no hooks, and a copy of it cannot be trained: no check could look at it"
        instead = "the model itself, before torch.jit.script or torch.jit.trace"
        refuse([Problem(f"{what} is a {type(model).__name__}, made by torch.jit", why, where, instead)])
