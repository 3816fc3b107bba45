"""Pretrained weights: which a configuration asks for, where their file is, and how they get into the model.

Models are built from random numbers and filled here, from torchvision's files and from the user's alike, so that every
tensor is accounted for and nothing is loaded in part without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from aistudio.config.weights import Choice, choices, is_ours
from aistudio.errors import Problem, Refusal, refuse
from aistudio.files import file_digest
from aistudio.models.anatomy import named_backbone
from aistudio.models.checkpoint import read_checkpoint
from aistudio.models.freeze import still_norms
from aistudio.models.ledger import Ledger, load
from aistudio.models.surgery import depending_on_classes
from aistudio.weights.download import Failed, download
from aistudio.weights.header import Unreadable
from aistudio.weights.places import absent, find, folders
from aistudio.weights.published import Published, is_path

Config = Mapping[str, Any]
WORDS = ("weights", "weights_backbone")
_STILL_NORMS = (  # where torchvision puts FrozenBatchNorm2d into a backbone that starts from weights, and we with it
    "fasterrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "fcos_resnet50_fpn",
    "rotated_fcos_resnet50_fpn",
)
_LAYERS = ("layer4", "layer3", "layer2", "layer1", "conv1")  # what trainable_backbone_layers counts
_TRAINABLE = 3  # of them, where the configuration says nothing


def without_weights(node: Any, chosen: list[Choice]) -> Any:
    """A ``_target_`` entry that starts from random numbers: what is loaded here is not loaded by a builder as well."""
    if isinstance(node, list):
        return [without_weights(one, chosen) for one in node]
    if not isinstance(node, Mapping):
        return node
    values = {key: without_weights(value, chosen) for key, value in node.items()}
    for key in WORDS if chosen else ():
        if is_ours(node) or (isinstance(values.get(key), str) and is_path(values[key])):
            values |= {key: None} if key in values else {}
    if chosen and is_ours(node) and "weights_backbone" in values:  # torchvision would say that it is ignored
        values.pop("trainable_backbone_layers", None)
    return values


def load_chosen(config: Config, model: nn.Module, build: Callable[[int], nn.Module], outputs: int) -> list[Ledger]:
    """Fill a model that was built from random numbers; ``build`` makes it for a number of classes.

    Raises `Refusal` for files that are not there, cannot be read, or do not fit.
    """
    loaded = []
    for choice in choices(config):
        loaded.append(_load_one(choice, _located(choice, config), config, model, build, outputs))
        _finish_as_torchvision(config["architecture"]["model"], model, choice)
    return loaded


def _load_one(
    choice: Choice, path: Path, config: Config, model: nn.Module, build: Callable[[int], nn.Module], outputs: int
) -> Ledger:
    """Fill a model, or its backbone, from one file."""
    digest = cache(lambda: file_digest(path) if path.is_file() else "")  # a pipe would never end
    try:
        checkpoint = read_checkpoint(path)
    except Unreadable as fault:
        raise Refusal([unreadable(choice, path, fault)]) from None
    if choice.published is not None:
        refuse(_unpublished(choice, choice.published, path, digest()))
    prefix, part = ("", model) if choice.whole else filled_backbone(model)
    section = "architecture" if choice.whole else "backbone"
    called = f"{section}={config[section]['name']}"
    anew = partial(depending_on_classes, build, outputs) if choice.whole else list
    coverage = float(config.get("weights_coverage", 1.0))
    ledger = load(part, checkpoint, prefix, anew, coverage, choice.key, called)
    return replace(ledger, value=choice.value, published=choice.published, digest=digest)


def filled_backbone(model: nn.Module) -> tuple[str, nn.Module]:
    """The part of a model that a classifier's weights fill, with its place: inside of our wrapper, or a detector."""
    prefix, backbone = named_backbone(model)
    inner = getattr(backbone, "model", None)
    return (f"{prefix}model.", inner) if isinstance(inner, nn.Module) else (prefix, backbone)


def unreadable(choice: Choice, path: Path, fault: Unreadable) -> Problem:
    """The answer to a file that no weights can be read from."""
    if choice.published:
        instead = f"delete {path}: it is fetched again"
        return Problem(f"{choice.key}={choice.value}: {path} cannot be read", fault.why, choice.key, instead)
    return Problem(f"{choice.key}={choice.value} cannot be loaded", fault.why, choice.key, fault.instead)


def _located(choice: Choice, config: Config) -> Path:
    """The file of some weights, fetched if need be. Raises `Refusal` where it cannot be had."""
    if choice.published is None:
        return Path(choice.value).expanduser()
    mirror, cache = config.get("weights_dir"), Path(torch.hub.get_dir()) / "checkpoints"
    found = find(choice.published, mirror, cache)
    if found:
        return found
    if config.get("offline"):
        raise Refusal([absent(choice.key, choice.published, mirror, "offline=true", cache)])
    target = next(folders(mirror, cache)) / choice.published.file
    try:
        download(choice.published.url, target, choice.published.hash)
    except Failed as failed:
        raise Refusal([absent(choice.key, choice.published, mirror, str(failed), cache)]) from None
    return target


def _unpublished(choice: Choice, published: Published, path: Path, digest: str) -> list[Problem]:
    """The answer to a file that has the name of published weights, and other contents."""
    if digest.startswith(published.hash):
        return []
    what = f"{choice.key}={choice.value}: {path} is not the file that was published"
    why = f"its SHA-256 begins with {digest[:8]}, not with {published.hash}"
    instead = f"delete it, and it is fetched again; or {choice.key}={path}, if it is a file of yours"
    return [Problem(what, why, choice.key, instead)]


def _finish_as_torchvision(node: Config, model: nn.Module, choice: Choice) -> None:
    """What torchvision does to a detector that starts from weights: batch norms stand still, first layers do not train.

    ``trainable_backbone_layers`` says how many do, 0 … 5, counted from the end.
    """
    builder = str(node.get("_target_", "")).rpartition(".")[2]
    body = getattr(getattr(model, "backbone", None), "body", None)
    if not is_ours(node) or "weights_backbone" not in node or not isinstance(body, nn.Module):
        return
    count = node.get("trainable_backbone_layers")
    count = _TRAINABLE if count is None else count
    trainable = (*_LAYERS[:count], *["bn1"] * (count == len(_LAYERS)))
    for name, parameter in body.named_parameters():
        if not name.startswith(trainable or ("nothing",)):
            parameter.requires_grad_(False)
    if builder in _STILL_NORMS:
        still_norms(body)
    epsilon = choice.published.norm_epsilon if choice.published else None
    if choice.whole and epsilon is not None:
        for module in model.modules():
            if isinstance(module, FrozenBatchNorm2d):
                module.eps = epsilon
