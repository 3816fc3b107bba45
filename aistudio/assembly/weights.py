"""Weights that a configuration names and only torchvision knows: whether they exist and fit."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torchvision
from omegaconf import DictConfig

from aistudio.config.plain import as_dict
from aistudio.config.weights import choices
from aistudio.errors import Problem
from aistudio.files import file_digest
from aistudio.weights.places import absent, find
from aistudio.weights.published import Published


def weight_problems(cfg: DictConfig, outputs: int) -> list[Problem]:
    """What is wrong with names that torchvision alone knows, for they are in no list of ``conf/``; without a download.

    Their models are left to torchvision's own builders, which load them for as many classes as they have.
    """
    full, plain = cfg.architecture.model, as_dict(cfg)
    problems = [] if choices(plain) else _name_problems(cfg.backbone.model, cfg.backbone.weights, "backbone.weights")
    if "weights" in full and full.weights is not None and not choices(plain):
        problems += _name_problems(full, full.weights, "architecture.model.weights")
        problems += [] if problems else _class_problems(full, outputs)
    return problems or [*_place_problems(cfg)]


def _place_problems(cfg: DictConfig) -> Iterator[Problem]:
    """Files that torchvision's own builders would fetch, or look for in torch's cache alone, against what was said."""
    if choices(as_dict(cfg)):
        return
    cache, mirror = Path(torch.hub.get_dir()) / "checkpoints", cfg.get("weights_dir")
    for key, node, name in _named(cfg):
        url = node[name].url
        weights = Published(name, url.rpartition("/")[2], url, megabytes=node[name].meta.get("_file_size", 0.0))
        found = find(weights, mirror, cache)
        if found is None and cfg.get("offline"):
            yield absent(key, weights, mirror, "offline=true", cache)
        elif found is not None and found.parent != cache:
            what = f"{key}={name} is in no list of conf/, so that torchvision's own code loads it"
            why = f"it looks into {cache} alone, not into weights_dir"
            yield Problem(what, why, key, f"{key}={found}, or a copy of it there")


def _named(cfg: DictConfig) -> Iterator[tuple[str, Any, str]]:
    """Settings that name weights in no list of ``conf/``: the setting, torchvision's enumeration and the name in it."""
    full = cfg.architecture.model
    whole = full.weights if "weights" in full else None
    for key, node, name in (
        ("backbone.weights", cfg.backbone.model, cfg.backbone.weights),
        ("architecture.weights", full, whole),
    ):
        names = _weights_of(node) if name is not None else None
        if names is not None:
            yield key, names, str(name).removeprefix(f"{names.__name__}.")


def _weights_of(node: DictConfig) -> Any:
    """torchvision's enumeration of the weights of a ``_target_`` of its own, None for other people's models."""
    package, _, builder = str(node["_target_"]).rpartition(".")
    if not package.startswith("torchvision.models"):
        return None
    try:
        return torchvision.models.get_model_weights(builder)
    except ValueError:
        return None


def _name_problems(node: DictConfig, name: str | None, where: str) -> list[Problem]:
    choices = _weights_of(node)
    if name is None or choices is None:
        return []
    names = [*choices.__members__]  # DEFAULT is one of them
    if str(name).removeprefix(f"{choices.__name__}.") in names:
        return []
    model = str(node["_target_"]).rpartition(".")[2]
    near = difflib.get_close_matches(str(name), names, n=1)
    instead = ", ".join([*near, *[choice for choice in names if choice not in near], "null (random numbers)"])
    return [Problem(f"{where}={name} does not exist", f"torchvision has no such weights for {model}", where, instead)]


def _class_problems(node: DictConfig, outputs: int) -> list[Problem]:
    choices = _weights_of(node)
    if choices is None:
        return []
    weights = choices[str(node.weights).removeprefix(f"{choices.__name__}.")]
    trained = len(weights.meta["categories"])
    if trained == outputs:
        return []
    classes = trained - ("detection" in str(node["_target_"]))  # detectors count the background as an output
    return [
        Problem(
            f"task.num_classes does not fit architecture.model.weights={node.weights}",
            f"these weights have {trained} outputs, the task has {outputs}",
            "task.num_classes",
            f"task.num_classes={classes}, or architecture.model.weights=null with backbone.weights=DEFAULT",
        )
    ]


def weight_files(cfg: DictConfig) -> dict[str, str]:
    """SHA-256 of the files that torchvision's own builders have loaded, by their names in torch's cache."""
    if choices(as_dict(cfg)):
        return {}
    found: dict[str, str] = {}
    for _, names, name in _named(cfg):
        path = Path(torch.hub.get_dir()) / "checkpoints" / names[name].url.rpartition("/")[2]
        found |= {path.name: file_digest(path)} if path.is_file() else {}
    return found
