"""Which of our backbones and architectures a file of weights fits, found on the meta device: shapes and no numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from hydra.utils import get_object
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from aistudio.config import groups, shipped
from aistudio.models.backbone import BackboneWrapper
from aistudio.models.checkpoint import shapes, state
from aistudio.models.surgery import depending_on_classes, input_rule
from aistudio.weights.match import Match, Shape, is_counter, match, plain_names

_FILLING = {
    *(Tensor.normal_, Tensor.uniform_, Tensor.zero_, Tensor.fill_),
    *(Tensor.erfinv_, Tensor.mul_, Tensor.add_, Tensor.clamp_),
}
LEAST = 0.5  # the share of a model's tensors from which on a file is worth mentioning beside it


@dataclass(frozen=True)
class Fit:
    """How a file fits one model: ``settings`` choose the model, ``key`` is the setting that takes the file.

    ``filled`` of ``wanted`` tensors find their place; ``remade`` are layers that depend on the number of classes and
    have another one in the file, ``adapted`` those that are adapted by a rule.
    """

    settings: str
    key: str
    match: Match
    filled: int
    wanted: int
    remade: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the file fills everything that it must."""
        return self.filled == self.wanted


class _NoNumbers(TorchFunctionMode):
    """Leave out what fills tensors with numbers: on the meta device there are none, and pretending takes seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The tensor itself in place of it filled."""
        return args[0] if func in _FILLING else func(*args, **(kwargs or {}))


def fits(file: Mapping[str, Shape]) -> list[Fit]:
    """The models that a file fits, the best first; without one that is filled, the nearest."""
    found = [fit(file, *one) for one in (*_whole_models(file), *backbones())]
    if any("backbone.model." in name for name in plain_names(file)):
        found = [one for near in found for one in (*_with_head(near, file), near)]
    found.sort(key=lambda one: (one.whole, one.filled if one.whole else one.filled / one.wanted), reverse=True)
    complete = [one for one in found if one.whole]
    return complete or [one for one in found if one.filled >= LEAST * one.wanted][:1]


def fit(file: Mapping[str, Shape], settings: str, key: str, build: Callable[[int], nn.Module], classes: int) -> Fit:
    """How a file fits a model; ``build`` makes it on the meta device for a number of classes."""
    with torch.device("meta"), _NoNumbers():
        model = build(classes)
    goals = shapes(state(model))
    found = match(file, goals)
    close = key != "backbone.weights" and len(found.pairs) >= LEAST * len(goals)
    by_classes = depending_on_classes(build, classes) if close else []
    remade = tuple(name for name in by_classes if name in found.other_shape or name in found.missing)
    adapted = tuple(name for name, one in found.other_shape.items() if input_rule(model, name, *one[1:]))
    wanted = [name for name in goals if not is_counter(name) and name not in remade]
    filled = 0 if found.beyond else sum(name in found.pairs or name in adapted for name in wanted)
    return Fit(settings, key, found, filled, len(wanted), remade, adapted)


def _with_head(near: Fit, file: Mapping[str, Shape]) -> Iterator[Fit]:
    """The fit of a backbone's features as that of the whole model with a pooled head, where the file has one."""
    head = [name for name in near.match.left_over if re.search(r"(^|\.)head\.fc\.(weight|bias)$", name)]
    if near.key == "backbone.weights" and near.whole and len(head) == 2:
        rest = tuple(name for name in near.match.left_over if name not in head)
        yield replace(
            near,
            settings=f"task=classification {near.settings} task.num_classes={file[head[0]][0]}",
            key="architecture.weights",
            match=replace(near.match, left_over=rest, removed=""),
            filled=near.filled + 2,
            wanted=near.wanted + 2,
        )


def backbones() -> Iterator[tuple[str, str, Callable[[int], nn.Module], int]]:
    """Every shipped backbone, as `fit` takes it."""
    for name in groups.options("backbone"):
        section = shipped.section("backbone", name)

        def build(classes: int, name: str = name, section: Any = section) -> nn.Module:
            classifier = get_object(section["model"]["_target_"])(weights=None)
            return BackboneWrapper(classifier, name, section["taps"]).model

        yield f"backbone={name}", "backbone.weights", build, 0


def _whole_models(file: Mapping[str, Shape]) -> Iterator[tuple[str, str, Callable[[int], nn.Module], int]]:
    """Every whole model of torchvision's and ours that a file with these names could be of, as `fit` takes it."""
    names = "\n".join(plain_names(file))
    kinds = {"detection" if "backbone.fpn." in names else "segmentation" if "backbone." in names else "none"}
    for family in groups.options("architecture"):
        section = shipped.section("architecture", family)
        target, task = str(section["model"]["_target_"]), section["tasks"][0]
        if "${architecture.name}" not in target or groups.parents(shipped.defaults_of("architecture", family)):
            continue
        if ("segmentation" if task == "segmentation" else "detection") not in kinds:
            continue
        for backbone in section["rules"]["backbones"]["allow"]:
            full = section["name"].replace("${backbone.name}", backbone)
            given = {key: None for key in ("weights", "weights_backbone") if key in section["model"]}
            given |= {key: section["model"][key] for key in ("aux_loss",) if key in section["model"]}
            builder = partial(get_object(target.replace("${architecture.name}", full)), **given)
            settings = f"task={task} architecture={family} backbone={backbone}"
            yield settings, "architecture.weights", partial(_of_classes, builder), 91


def _of_classes(builder: Callable[..., nn.Module], classes: int) -> nn.Module:
    return builder(num_classes=classes)
