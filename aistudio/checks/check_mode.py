"""The model as checks run it: settings that make passes cheap, no dropout, calibrated batch norms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
import torchvision
from torch import nn
from torch.ao.quantization import FakeQuantizeBase
from torch.overrides import TorchFunctionMode

from aistudio.tasks.base import Task
from aistudio.tasks.batch import Batch

PLAIN = (bool, int, float, str, list, tuple, dict)
_SHARED = (type, ModuleType, FunctionType, MethodType, BuiltinFunctionType)  # with every model of this process
LIBRARIES = ("torch.nn.", "torchvision.ops.")  # their layers may differ by mode, and are known to
_EVERY_MODULE = frozenset(vars(nn.Module()))  # what torch itself keeps in a module


_SHARES = ("p", "drop_prob", "drop_rate")  # what layers that drop call their share
_DROPPING = {
    getattr(nn.functional, name)
    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
} | {torch.dropout, torch.feature_dropout, torch.alpha_dropout}


class NothingDropped(TorchFunctionMode):
    """Inside, every dropout function gives what it was given."""

    def __torch_function__(
        self, func: Callable, types: Iterable[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """A dropout is left out, everything else is done."""
        kwargs = kwargs or {}
        if func in _DROPPING:
            return args[0] if args else kwargs["input"]
        return func(*args, **kwargs)


def apply_check_mode(model: nn.Module, settings: Mapping[str, Any]) -> None:
    """Set dotted attributes such as ``roi_heads.score_thresh`` on the model, wherever it has them.

    Only plain values are replaced, and only those that belong to the model alone: what a class or the library holds, a
    method for example, is shared with every other model of this process.
    """
    for path, value in settings.items():
        *parents, last = str(path).split(".")
        owner = reach(model, parents)
        if last not in _EVERY_MODULE and isinstance(reach(owner, [last]), PLAIN) and last in own(owner):
            setattr(owner, last, value)


def undo_check_mode(model: nn.Module, built: nn.Module, settings: Mapping[str, Any]) -> None:
    """Give a model the values back that ``built`` has."""
    values = {path: reach(built, str(path).split(".")) for path in settings}
    apply_check_mode(model, values)


def reach(owner: Any, names: Iterable[str]) -> Any:
    """An attribute of an attribute … of instances alone; None where there is none."""
    for name in names:
        owner = own(owner).get(name)
    return owner


def own(owner: Any) -> Mapping[str, Any]:
    """What belongs to an instance alone, with a module's parts; nothing of what classes and libraries hold."""
    if isinstance(owner, nn.Module):
        return {**vars(owner), **dict(owner.named_children())}
    return {} if isinstance(owner, _SHARED) else getattr(owner, "__dict__", {})


def resize_inside(model: nn.Module, size: int) -> None:
    """Let a detector, which resizes by itself, work at ``size`` pixels."""
    transform = getattr(model, "transform", None)
    if transform is not None and hasattr(transform, "min_size") and hasattr(transform, "max_size"):
        transform.min_size, transform.max_size = (size,), size


def silence_random_layers(model: nn.Module) -> None:
    """Set dropout and stochastic depth to 0: one batch then tells more about the model than about the dice.

    A ``p`` of another library's layer stays: it may be the share that is kept.
    """
    for module in model.modules():
        known = isinstance(module, nn.modules.dropout._DropoutNd | torchvision.ops.StochasticDepth)
        for name in shares_dropped(module):
            if known or name != "p":
                setattr(module, name, 0.0)


def shares_dropped(module: nn.Module) -> dict[str, float]:
    """The shares of a layer that drops, of whatever library, by the names of their attributes."""
    known = isinstance(module, nn.modules.dropout._DropoutNd) or hasattr(module, "drop_prob")
    kind = type(module).__name__.lower()
    if not (known or "drop" in kind or kind == "stochasticdepth"):
        return {}
    return {name: value for name in _SHARES if isinstance(value := vars(module).get(name), float | int)}


def starting_at_zero(model: nn.Module) -> list[nn.Parameter]:
    """Scales and kernels that are zero throughout: what is behind them has no say before the first steps."""
    named = [(name, p) for name, p in model.named_parameters() if p.numel() and not name.endswith("bias")]
    return [p for _, p in named if p.requires_grad and not bool(p.any())]


def open_branches(model: nn.Module) -> nn.Module:
    """Let through, in place, what starts at zero: scales become 1, kernels random numbers of the usual size."""
    with torch.no_grad():
        for parameter in starting_at_zero(model):
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=max(parameter[0].numel(), 1) ** -0.5)
            else:
                parameter.fill_(1.0)
    return model


def own_code_in_training(model: nn.Module) -> nn.Module:
    """Train mode for the model's own code, eval mode for the layers of torch and for normalisation layers, in place."""
    model.train()
    for module in model.modules():
        library = type(module).__module__.startswith(LIBRARIES)
        known = isinstance(module, nn.modules.batchnorm._NormBase | nn.modules.dropout._DropoutNd)
        if library or known or _keeps_statistics(module):
            module.training = False
    return model


def _keeps_statistics(module: nn.Module) -> bool:
    """Whether a layer looks like a normalisation of one's own: no layers in it, and numbers that are no weights."""
    return not any(module.children()) and any(buffer.is_floating_point() for buffer in module.buffers(recurse=False))


def calibrate(model: nn.Module, task: Task, batch: Batch) -> nn.Module:
    """Give batch norms the statistics of one batch and switch to eval mode, in place.

    Fresh statistics (0, 1) squash the signal: an untrained EfficientNet in eval mode gives every image one output.
    Frozen batch norms, which stay in eval mode, keep theirs. Observers of torch's quantisation-aware training go on
    watching in eval mode until they are told not to, as before a conversion: they are.
    """
    model.train()
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average: the first forward counts in full
    with torch.no_grad():
        task.loss(model, batch.inputs, batch.targets)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module in model.modules():
        if isinstance(module, FakeQuantizeBase):
            module.disable_observer()
    return model.eval()
