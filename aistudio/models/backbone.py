"""Backbones: torchvision's CNNs without their classifiers, behind one interface, `BackboneWrapper`.

Shapes: N batch, C channels, H W pixels of the image; maps of odd images are rounded up (225 → 57, 29, 15, 8).
"""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.errors import Problem, Refusal
from aistudio.models.dry_run import materialise
from aistudio.models.maps import maps_in
from aistudio.models.trace import SIDE, trace
from aistudio.models.unwrap import refuse_scripted, unwrapped

STRIDES = {"feat1": 4, "feat2": 8, "feat3": 16, "feat4": 32}


class BackboneWrapper(nn.Module):
    """A CNN as a feature extractor.

    ``model`` is torchvision's classifier (whose pooling and classifier are dropped; its other layers are used, not
    copied), any other library's, or a model that already ends in a feature map. Of a model with ``forward_features``
    that is the feature map, and what only its classifier calls is taken out of it. A model may give several maps at
    once, in a dict, a list, a tuple or a dataclass. Maps that a model keeps as (N, H, W, C) come out as (N, C, H, W);
    what was compiled or made parallel is used without that.

    ``taps`` names the modules whose outputs are ``feat1`` … ``feat4`` with their channels, in the order of their
    strides 4, 8, 16, 32, e.g. ``{"layer1": 256, "layer2": 512, "layer3": 1024, "layer4": 2048}``; None derives them by
    two passes on the meta device, which computes nothing; ``image_size`` is the side of the square images that the
    model is to run on.

    ``out_channels`` is the width of the final map, ``channels`` that of every ``feat``, ``strides`` their strides.
    ``.model`` keeps torchvision's state_dict keys; ``traced``
    says that nobody stated taps. Images are (N, 3, H, W) float, RGB, normalised once; anything
    else (3-D, uint8, another number of channels) is refused by the first convolution, with torch's own error.
    Raises `Refusal` for taps that do not exist, for models that do not run at ``image_size``, and for those that no
    chain of layers can be made of.
    """

    def __init__(
        self, model: nn.Module, backbone_name: str, taps: Mapping[str, int] | None = None, image_size: int = SIDE
    ):
        super().__init__()
        self.backbone_name = backbone_name
        self.why_no_scales, self._method, self._nhwc = "", "forward", False
        self.channels: dict[str, int] = {}
        self._final: int | None = None
        self._scales: dict[str, int] = {}
        turned: tuple[str, ...] = ()
        self.traced = taps is None
        model = unwrapped(model)
        refuse_scripted(model, f"backbone={backbone_name}", "backbone.model")
        materialise(model, lambda: torch.zeros(1, 3, image_size, image_size))
        if taps is None:
            found = trace(model, backbone_name, image_size)
            self.model, self.out_channels, taps = found.features, found.out_channels, found.taps
            self.why_no_scales, self._method, self._nhwc = found.why_no_scales, found.method, found.nhwc
            self._final, turned = found.final, found.turned
            self._scales = {feat: place for feat, (place, _) in zip(STRIDES, found.scales, strict=False)}
            self.channels = {feat: width for feat, (_, width) in zip(STRIDES, found.scales, strict=False)}
        else:
            self.model = _children_up_to(model, backbone_name, taps)
            self.out_channels = list(taps.values())[-1]
        self.taps = dict(taps)
        if taps:
            self.channels = dict(zip(STRIDES, taps.values(), strict=True))
        self.strides = dict(STRIDES) if self.channels else {}
        self._steps = _steps(self.model, list(taps))
        self._turned = {feat for feat, tap in zip(STRIDES, taps, strict=False) if tap in turned}

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, 3, H, W) → the final feature map (N, out_channels, H/32, W/32)."""
        given = self._given(x)
        return self._map(given if self._final is None else maps_in(given)[self._final])

    def forward_multiscale(self, x: Tensor) -> dict[str, Tensor]:
        """``x`` (N, 3, H, W) → ``feat1`` … ``feat4`` at strides 4, 8, 16, 32; ``feat4`` is what `forward` returns."""
        if self._scales:
            given = maps_in(self._given(x))
            return {feat: self._map(given[place]) for feat, place in self._scales.items()}
        if not self._steps:
            what = f"backbone={self.backbone_name} has no forward_multiscale"
            raise Refusal([Problem(what, self.why_no_scales, "backbone.taps", "its forward works")])
        maps = {}
        for path, feat in self._steps:
            x = reduce(getattr, path, self.model)(x)  # get_submodule takes several times as long
            if feat:
                maps[feat] = x.permute(0, 3, 1, 2) if feat in self._turned else x
        return maps

    def _given(self, x: Tensor) -> Any:
        return self.model(x) if self._method == "forward" else getattr(self.model, self._method)(x)

    def _map(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2) if self._nhwc else x


def _children_up_to(model: nn.Module, name: str, taps: Mapping[str, int]) -> nn.Sequential:
    """The children of ``model`` in order, up to the one that the last tap ends; the classifier comes after it."""
    paths = {path for path, _ in model.named_modules() if path}
    problems = [
        _tap_problem(name, f"has no module {tap}", ", ".join(difflib.get_close_matches(tap, paths)))
        for tap in taps
        if tap not in paths
    ]
    if len(taps) != len(STRIDES):
        problems.append(_tap_problem(name, f"has {len(taps)} taps, not {len(STRIDES)}"))
    if problems:
        raise Refusal(problems)
    children = OrderedDict(model.named_children())
    names = list(children)
    last = list(taps)[-1].split(".")[0]
    features = nn.Sequential(OrderedDict((child, children[child]) for child in names[: names.index(last) + 1]))
    feats = [feat for _, feat in _steps(features, list(taps))]
    if [feat for feat in feats if feat] != list(STRIDES) or not feats[-1]:
        raise Refusal([_tap_problem(name, "has taps that are no stages one after another, the last at the very end")])
    return features


def _tap_problem(name: str, what: str, near: str = "") -> Problem:
    return Problem(
        what=f"backbone={name} {what}",
        why="taps name the modules whose outputs are feat1 … feat4 (strides 4, 8, 16, 32), in that order",
        where="backbone.taps",
        instead=near or "dotted paths of model.named_modules(), or null to have them found",
    )


def _steps(model: nn.Module, taps: list[str]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """The modules to call in turn, as (path, feat or ""): containers of taps are opened, others called whole."""
    if not taps:
        return ()
    feats = dict(zip(taps, STRIDES, strict=True))

    def walk(module: nn.Module, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
        for name, child in module.named_children():
            path = (*above, name)
            if any(tap.startswith(".".join(path) + ".") for tap in taps):
                yield from walk(child, path)
            else:
                yield path, feats.get(".".join(path), "")

    return tuple(walk(model, ()))
