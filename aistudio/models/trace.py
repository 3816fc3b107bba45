"""How to make a feature extractor of a model that nobody has described: watch one pass that computes nothing.

What is looked for is a chain: parts of the model that are called one after another, each with exactly what the one
before returned, up to the map that is pooled for the classifier. Nested ``nn.Sequential`` are looked into for the
maps at strides 4, 8, 16 and 32. A model that has ``forward_features``, as timm's do, has drawn the line itself: its
map is what that gives, whether its parts form a chain or not. One that gives several maps at once, in a dict, a list,
a tuple or a dataclass, is taken as it is.

A second pass, on an image that is higher and wider, shows which axis of a map holds channels: the one that stays.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aistudio.errors import Problem, Refusal
from aistudio.models.does_not_run import does_not_run
from aistudio.models.dry_run import runs_at
from aistudio.models.maps import STRIDES, TwoPasses, channels, find_taps, is_map, layout, maps_in
from aistudio.models.watch import Call, Pass, called, watch

SIDE = 224  # pixels: divisible by 32, and large enough for every torchvision classifier
LEAST_SIDE = 64  # below that the last maps of most models have a single place
HIGHER, WIDER = 64, 128  # pixels that the second image has more
FEATURES = "forward_features"
POOLING = ("mean", "_adaptive_avg_pool2d", "adaptive_max_pool2d")
ACTIVATION = ("relu", "relu_")


@dataclass(frozen=True)
class Trace:
    """``features``, entered by ``method``, gives the final map, ``out_channels`` wide; (N, H, W, C) if ``nhwc``.

    ``taps`` is empty where ``why_no_scales`` is not; those in ``turned`` are (N, H, W, C). Of a model that gives
    several maps at once, ``final`` is the place of the last one among them, and ``scales`` are the places and channels
    of those at strides 4, 8, 16, 32, if all are there; it has no taps.
    """

    features: nn.Module
    out_channels: int
    taps: dict[str, int]
    why_no_scales: str = ""
    method: str = "forward"
    nhwc: bool = False
    turned: tuple[str, ...] = ()
    final: int | None = None
    scales: tuple[tuple[int, int], ...] = ()


def trace(model: nn.Module, name: str, size: int = SIDE) -> Trace:
    """``model``, called ``name`` by its user, which is to run at ``size`` pixels, as a `Trace`.

    Raises `Refusal` if it does not run at that size, gives no feature map, or its layers form no chain.
    """
    passes, tokens = _two_passes(model, name, size)
    seen = passes.first
    chain = _chain(model, seen)
    if is_map(seen.result) and not (chain and chain[-1].gave is seen.result):
        nhwc = _is_nhwc(name, seen.result, passes.other(None))
        if seen.method == FEATURES:
            _drop_head(model, seen.x.shape[2], seen.x.shape[1])
        why = "its layers are not called one after another, each with what the one before returned"
        return Trace(model, channels(seen.result, nhwc), {}, why, seen.method, nhwc)
    if seen.method == FEATURES and not is_map(seen.result):
        _drop_head(model, seen.x.shape[2], seen.x.shape[1])
        return _several(model, name, passes)
    *activations, pooling = (seen.operations.after(chain[-1], ACTIVATION) if chain else []) or [""]
    paths = [call.path for call in chain]
    if not is_map(seen.result) and (pooling not in POOLING or len(activations) > 1) and paths != ["features"]:
        if any(map(is_map, maps_in(seen.result))):
            return _several(model, name, passes)
        raise _no_chain(model, name, f"after {paths[-1]}" if chain else "at its first layer", tokens)
    final, other, features = chain[-1].gave, passes.other(paths[-1]), _sequential(model, paths)
    assert isinstance(final, Tensor)  # a chain is of maps alone
    nhwc = _is_nhwc(name, final, other)
    if not is_map(seen.result) and activations:  # DenseNet's last activation is a function, not a module
        features.add_module("last_relu", nn.ReLU())
        final = torch.relu(final)
        other = torch.relu(other) if is_map(other) else None
        passes.add("last_relu", final, other)
    kept = dict(features.named_children())
    calls = [call for call in seen.calls if call.path.split(".")[0] in kept]
    taps, turned, why = find_taps(passes, calls, final, nhwc)
    return Trace(features, channels(final, nhwc), taps, why, nhwc=nhwc, turned=turned)


def _several(model: nn.Module, name: str, passes: TwoPasses) -> Trace:
    """A model that gives several maps at once: which of them is which."""
    maps = maps_in(passes.first.result)
    others: list[Tensor] | list[None] = maps_in(passes.second.result) if passes.second else []
    if len(others) != len(maps):
        others = [None] * len(maps)
    whole = [place for place, value in enumerate(maps) if is_map(value)]
    nhwc = _is_nhwc(name, maps[whole[-1]], others[whole[-1]])
    found = [passes.stride(value, other, nhwc) for value, other in zip(maps, others, strict=True)]
    places = {stride: place for place, stride in enumerate(found)}
    absent = [stride for stride in STRIDES if stride not in places]
    smallest = min(reversed(whole), key=lambda place: maps[place].shape[1 if nhwc else 2])
    final = smallest if absent else places[STRIDES[-1]]
    scales = () if absent else tuple((places[stride], channels(maps[places[stride]], nhwc)) for stride in STRIDES)
    why = f"none of the {len(maps)} maps that it gives has stride {absent[0]}, as feat1 … feat4 need" if absent else ""
    return Trace(model, channels(maps[final], nhwc), {}, why, passes.first.method, nhwc, final=final, scales=scales)


def _two_passes(model: nn.Module, name: str, size: int) -> tuple[TwoPasses, str]:
    """The passes of two images; and what ``forward_features`` gives in words where that is no map."""
    channels = _channels_taken(model)
    side = size if size >= LEAST_SIDE or not runs_at(model, SIDE, channels=channels) else SIDE
    tokens = ""
    if callable(getattr(model, FEATURES, None)):
        try:
            seen = watch(model, FEATURES, side, side, channels)
        except Exception:  # it wants other arguments, or another size, which its forward will say
            seen = None
        if seen and any(map(is_map, maps_in(seen.result))):
            return TwoPasses(seen, _larger(model, seen)), ""
        tokens = f"its {FEATURES} gives {_shape(seen.result)}, no map (N, C, H, W)" if seen else ""
    try:
        seen = watch(model, "forward", side, side, channels)
    except Exception as error:  # whatever a user's own forward raises is the answer to "can this be traced?"
        raise does_not_run(model, name, side, error) from error
    return TwoPasses(seen, _larger(model, seen)), tokens


def _channels_taken(model: nn.Module) -> int:
    """How many channels the images of a model have: three if it runs on three, else as its first convolution says."""
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    return 3 if first is None or first.in_channels == 3 or runs_at(model, SIDE) else first.in_channels


def _larger(model: nn.Module, seen: Pass) -> Pass | None:
    try:
        return watch(model, seen.method, seen.x.shape[2] + HIGHER, seen.x.shape[3] + WIDER, seen.x.shape[1])
    except Exception:  # it is made for one size
        return None


def _chain(model: nn.Module, seen: Pass) -> list[Call]:
    """The calls that pass the image on as a feature map, outermost parts only, before any global pooling."""
    chain: list[Call] = []
    paths = {call.path for call in seen.calls}
    for call in seen.calls:
        if any(call.path.startswith(f"{other}.") for other in paths):
            continue
        last, version = (chain[-1].gave, chain[-1].version) if chain else (seen.x, 0)
        follows = call.took is last and call.took_version == version  # nothing was done to it in place in between
        global_pool = isinstance(model.get_submodule(call.path), nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d)
        if not follows or global_pool or not is_map(call.gave) or call.path in {c.path for c in chain}:
            break
        chain.append(call)
    return chain


def _sequential(model: nn.Module, paths: list[str]) -> nn.Sequential:
    """The modules of those paths one after another, under the names that they have in ``model``."""
    children: OrderedDict[str, nn.Module] = OrderedDict()
    for path in paths:
        parent, _, name = path.partition(".")
        if not name:
            children[parent] = model.get_submodule(path)
        else:
            children.setdefault(parent, nn.Sequential()).add_module(name, model.get_submodule(path))
    return nn.Sequential(children)


def _drop_head(model: nn.Module, side: int, channels: int) -> None:
    """Put identities in the place of what only the classifier calls, in ``model`` itself."""
    inside, whole = called(model, FEATURES, side, channels), called(model, "forward", side, channels)

    def walk(module: nn.Module, above: str) -> None:
        for name, child in module.named_children():
            path = f"{above}{name}"
            used = path in inside or any(other.startswith(f"{path}.") for other in inside)
            if not used and path in whole:
                setattr(module, name, nn.Identity())
            else:
                walk(child, f"{path}.")

    walk(model, "")


def _is_nhwc(name: str, value: Tensor, other: object) -> bool:
    """Whether channels come last in a model's final map. Raises `Refusal` where that cannot be told."""
    found = layout(value, other)
    if found:
        return found == "nhwc"
    seen = _shape(value) + (f", and {_shape(other)} of a higher and wider image" if is_map(other) else "")
    what = f"backbone={name} does not show which axis of its map holds the channels"
    why = f"its final map is {seen}"
    instead = "a model whose map is (N, C, H, W) and whose sides follow the image's"
    raise Refusal([Problem(what, why, "backbone.model", instead)])


def _no_chain(model: nn.Module, name: str, place: str, tokens: str) -> Refusal:
    what = f"backbone={name} cannot be cut into a backbone and a classifier"
    why = tokens or f"{place} its forward does more than to call the next layer or to pool"
    instead = "a model whose children are called in turn, or one that already returns a feature map"
    if hasattr(model, "forward_intermediates"):  # timm's, which can make maps of its tokens
        instead = f"features_only: true beside model_name, with which timm gives maps; or {instead}"
    return Refusal([Problem(what, why, "backbone.model", instead)])


def _shape(value: object) -> str:
    """A result in words."""
    return str(tuple(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"
