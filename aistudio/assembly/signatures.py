"""Keywords that a ``_target_`` would swallow or refuse, found by reading its signature instead of calling it.

torchvision's detectors hand unknown keywords on and on, and drop them in the end: a misspelt
``trainable_backbone_layer`` would change nothing and say nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Any, get_type_hints

from hydra.utils import get_object
from torch import nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from aistudio.config.values import suggest
from aistudio.errors import Problem

_RESERVED = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")


def keyword_problems(node: Any, where: str = "") -> Iterator[Problem]:
    """Keys of every ``_target_`` entry inside ``node`` (plain containers) that its callable does not know."""
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str):
            yield from _entry_problems(node, where)
        for key, value in node.items():
            yield from keyword_problems(value, f"{where}.{key}" if where else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from keyword_problems(value, f"{where}[{index}]")


def _entry_problems(node: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Unknown keys of one ``_target_`` entry; none where the target cannot be found, which making it will say."""
    try:
        accepted = _accepted_keywords(get_object(node["_target_"]))
    except Exception:  # get_object reports whatever importing the user's module raised
        return
    for key in node:
        if accepted is not None and key not in accepted and key not in _RESERVED:
            why = f"{node['_target_']} has no such argument"
            yield Problem(f"{where}.{key} is unknown", why, where, suggest(key, sorted(accepted)))


def _accepted_keywords(target: Callable) -> set[str] | None:
    """The names of the arguments that a callable takes, those behind ``**kwargs`` too; None if they cannot be read.

    A builder such as ``torchvision.models.detection.fcos_resnet50_fpn`` hands its ``**kwargs`` to the class that it is
    annotated to return; a detector's class hands its own to its parents and to the transform inside.
    """
    names, open_ended = parameters(target)
    if not open_ended:
        return names
    made = target if inspect.isclass(target) else get_type_hints(target).get("return")
    if not inspect.isclass(made):
        return None
    detector = made.__module__.startswith("torchvision.models.detection")
    names |= parameters(GeneralizedRCNNTransform)[0] if detector else set()
    for ancestor in takewhile(lambda cls: cls is not nn.Module, made.__mro__):
        own, open_ended = parameters(ancestor)
        names |= own
        if not open_ended:
            return names
    return names if detector else None


def parameters(target: Callable) -> tuple[set[str], bool]:
    """The named parameters of a callable, and whether it takes any others too."""
    signature = inspect.signature(target)
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    named = {
        name
        for name, kind in kinds.items()
        if kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    }
    return named, inspect.Parameter.VAR_KEYWORD in kinds.values()
