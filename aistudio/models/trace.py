"""How to make a feature extractor of a model that nobody has described: watch one pass on the meta device.

The meta device computes shapes only, so this takes milliseconds and no memory. What is looked for is a chain: children
of the model that are called one after another, each with exactly what the one before returned, up to the map that is
pooled for the classifier. Nested ``nn.Sequential`` are looked into for the maps at strides 4, 8, 16 and 32.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from aistudio.errors import Problem, Refusal, first_line

SIDE = 224  # pixels: divisible by 32, and large enough for every torchvision classifier
STRIDES = (4, 8, 16, 32)
POOLING = ("mean", "_adaptive_avg_pool2d", "adaptive_max_pool2d")
ACTIVATION = ("relu", "relu_")


@dataclass(frozen=True)
class Trace:
    """``features`` ends in the final map, ``out_channels`` wide. ``taps`` is empty where ``why_no_scales`` is not."""

    features: nn.Module
    out_channels: int
    taps: dict[str, int]
    why_no_scales: str = ""


@dataclass(frozen=True)
class Call:
    """One call of a module: its dotted path, what it took and gave, and how many operations had been seen by then.

    ``version`` counts the in-place changes of ``gave`` by then: a map that is changed later is no tap.
    """

    path: str
    took: object
    gave: object
    operations: int
    version: int


class _Operations(TorchDispatchMode):
    """Remembers every operation's name with the tensors it took."""

    def __init__(self):
        super().__init__()
        self.seen: list[tuple[str, tuple]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run ``func`` as it is, and note it."""
        self.seen.append((func.overloadpacket.__name__, args))
        return func(*args, **(kwargs or {}))

    def first_after(self, call: Call) -> str:
        """The name of the first operation on what ``call`` gave, or ''."""
        later = self.seen[call.operations :]
        return next((name for name, args in later if any(arg is call.gave for arg in args)), "")


def trace(model: nn.Module, name: str) -> Trace:
    """``model``, called ``name`` by its user, as a `Trace`. Raises `Refusal` if its layers do not form a chain."""
    x, result, calls, operations = _watch(model, name)
    chain = _chain(model, x, calls)
    final = chain[-1].gave if chain else x
    if is_map(result) and final is not result:
        why = "its layers are not called one after another, each with what the one before returned"
        return Trace(model, result.shape[1], {}, why)
    children = OrderedDict((call.path, model.get_submodule(call.path)) for call in chain)
    if not is_map(result):
        following = operations.first_after(chain[-1]) if chain else ""
        if following not in POOLING + ACTIVATION and list(children) != ["features"]:
            raise _no_chain(name, f"after {chain[-1].path}" if chain else "at its first layer")
        if following in ACTIVATION:  # DenseNet's last activation is a function, not a module
            children["last_relu"] = nn.ReLU()
            final = torch.relu(final)
            calls.append(Call("last_relu", chain[-1].gave, final, len(operations.seen), 0))
    return _with_taps(nn.Sequential(children), final, calls)


def is_map(value: object) -> bool:
    """Whether this is one feature map (N, C, H, W) with H and W above 1."""
    return isinstance(value, Tensor) and value.dim() == 4 and min(value.shape[2:]) > 1


def _watch(model: nn.Module, name: str) -> tuple[Tensor, object, list[Call], _Operations]:
    """One pass of a meta picture in eval mode: the picture, the model's result, the calls and the operations."""
    calls: list[Call] = []
    x = torch.empty((1, 3, SIDE, SIDE), device="meta")
    tensors = {key: value.to("meta") for key, value in (*model.named_parameters(), *model.named_buffers())}
    operations = _Operations()
    with _recording(model, calls, operations), _evaluating(model), torch.no_grad(), operations:
        try:
            result = torch.func.functional_call(model, tensors, (x,))
        except Exception as error:  # whatever a user's own forward raises is the answer to "can this be traced?"
            raise Refusal(
                [
                    Problem(
                        what=f"backbone={name} cannot be followed through a picture of {SIDE} x {SIDE}",
                        why=f"{type(error).__name__}: {first_line(error)}",
                        where="backbone.model",
                        instead="name the maps of strides 4, 8, 16, 32 and their channels in backbone.taps",
                    )
                ]
            ) from error
    return x, result, calls, operations


@contextmanager
def _recording(model: nn.Module, calls: list[Call], operations: _Operations) -> Iterator[None]:
    """Every call of a child, and of a child of nested Sequentials, is appended to ``calls``; no hook stays behind."""

    def note(path: str):
        def hook(module, args, gave):
            took = args[0] if args else None
            calls.append(Call(path, took, gave, len(operations.seen), getattr(gave, "_version", 0)))

        return hook

    hooks = [module.register_forward_hook(note(path)) for path, module in _links(model, "")]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _links(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        yield prefix + name, child
        if isinstance(child, nn.Sequential):
            yield from _links(child, prefix + name + ".")


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, and then every module back in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _chain(model: nn.Module, x: Tensor, calls: list[Call]) -> list[Call]:
    """The calls of the model's own children that pass ``x`` on as a feature map, before any global pooling."""
    chain: list[Call] = []
    for call in calls:
        if "." in call.path:
            continue
        global_pool = isinstance(model.get_submodule(call.path), nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d)
        before = chain[-1].gave if chain else x
        if call.took is not before or global_pool or not is_map(call.gave) or call.path in {c.path for c in chain}:
            break
        chain.append(call)
    return chain


def _with_taps(features: nn.Sequential, final: Tensor, calls: list[Call]) -> Trace:
    """The last map of each stride, looked for as few levels deep as will do; the last one must be the final map."""
    kept = dict(features.named_children())
    maps = [call for call in calls if call.path.split(".")[0] in kept and is_map(call.gave)]
    maps = [call for call in maps if call.gave._version == call.version]  # nothing is done to it in place later
    why = ""
    for depth in range(1, 2 + max(call.path.count(".") for call in maps)):
        taps, why = _taps([call for call in maps if call.path.count(".") < depth], final)
        if not why:
            return Trace(features, final.shape[1], taps)
    return Trace(features, final.shape[1], {}, why)


def _taps(maps: list[Call], final: Tensor) -> tuple[dict[str, int], str]:
    """The taps among ``maps`` with their channels; or why there are none."""
    taps: dict[str, int] = {}
    for stride in STRIDES:
        same = [call for call in maps if call.gave.shape[2:] == (SIDE // stride, SIDE // stride)]
        inside = [call for call in same if not any(tap.startswith(call.path + ".") for tap in taps)]
        if not inside or (stride == STRIDES[-1] and inside[-1].gave is not final):
            return {}, f"none of its layers ends with a map (N, C, H/{stride}, W/{stride}), as feat1 … feat4 need"
        outermost = [call for call in inside if call.gave is inside[-1].gave]
        taps[min((call.path for call in outermost), key=lambda path: path.count("."))] = same[-1].gave.shape[1]
    return taps, ""


def _no_chain(name: str, place: str) -> Refusal:
    return Refusal(
        [
            Problem(
                what=f"backbone={name} cannot be cut into a backbone and a classifier",
                why=f"{place} its forward does more than to call the next layer or to pool",
                where="backbone.model",
                instead="a model whose children are called in turn, or one that already returns a feature map",
            )
        ]
    )
