"""Everything that checks need, built from a judged configuration."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from aistudio.assembly.device import PRECISIONS, resolve_device
from aistudio.assembly.model import build_model, built
from aistudio.assembly.parts import build_optimizer, build_source
from aistudio.checks.subject import Subject
from aistudio.config.compose import Judged
from aistudio.config.plain import as_dict
from aistudio.config.weights import asked
from aistudio.models.backbone import BackboneWrapper
from aistudio.models.dry_run import size_to_check_at
from aistudio.tasks.base import Task

SHIPPED = ("torchvision.models.detection", "torchvision.models.segmentation", "aistudio.")  # they take any size


def make_subject(judged: Judged, task: Task) -> Subject:
    """Everything that checks need besides the task, with the model on its device."""
    cfg = judged.cfg
    device = resolve_device(str(cfg.runtime.device))
    made = built(judged, task, int(cfg.runtime.seed))
    model = made.model.to(device)
    if cfg.runtime.channels_last:
        model = model.to(memory_format=torch.channels_last)
    size = _check_size(cfg, model)
    source = build_source(judged)
    _name_outputs(task, source)
    return Subject(
        task=task,
        source=source,
        built=model,
        rebuild=partial(build_model, judged, task),
        optimizer=build_optimizer(judged),
        device=device,
        size=size,
        image_size=int(cfg.task.image_size),
        batch_size=int(cfg.sanity.batch_size),
        seed=int(cfg.runtime.seed),
        precision=PRECISIONS[cfg.runtime.precision],
        channels_last=bool(cfg.runtime.channels_last),
        compiled=bool(cfg.runtime.compile),
        frozen=cfg.backbone.frozen is True or cfg.backbone.frozen == "backbone",
        held=made.frozen,
        pretrained=_is_pretrained(cfg),
        loaded=made.loaded,
        rebuild_random=partial(_from_random_numbers, judged, task),
        why_not_one=why_not_one(cfg, size),
        channels=int(cfg.backbone.in_channels),
        image_mean=tuple(cfg.backbone.image_mean or ()),
        image_std=tuple(cfg.backbone.image_std or ()),
        check_mode=as_dict(cfg.sanity.check_mode, resolve=True),
    )


def _name_outputs(task: Any, source: Any) -> None:
    """Tell a task what its outputs are called, and in which units they are, where the data knows it."""
    if hasattr(task, "class_names"):
        task.class_names = tuple(getattr(source, "class_names", ()))
    units = getattr(source, "units", None)
    if units is not None and hasattr(task, "mean") and hasattr(task, "std"):
        task.mean, task.std = units


def _from_random_numbers(judged: Judged, task: Task, seed: int) -> nn.Module:
    return built(judged, task, seed, pretrained=False).model


def _check_size(cfg: DictConfig, model: nn.Module) -> int:
    """The side of the images of the checks: what the level asks for, or the least that the model runs at.

    Looked for in models that nobody has described: other people's, and backbones whose YAML states no taps.
    """
    largest, channels = int(cfg.task.image_size), int(cfg.backbone.in_channels)
    wanted = min(largest, int(cfg.sanity.image_size))
    backbone = getattr(model, "backbone", None)
    if isinstance(backbone, BackboneWrapper):
        return size_to_check_at(backbone, wanted, largest, channels) if backbone.traced else wanted
    shipped = type(model).__module__.startswith(SHIPPED)
    return wanted if shipped else size_to_check_at(model, wanted, largest, channels)


def _is_pretrained(cfg: DictConfig) -> bool:
    """Whether the backbone starts from trained weights, its own or the whole model's."""
    return bool(asked(as_dict(cfg)))


def why_not_one(cfg: DictConfig, size: int) -> str:
    """The rule that keeps this architecture from training on one image of ``size`` pixels, or "" where none does."""
    rules = cfg.architecture.rules
    if "batch_size" in rules and rules.batch_size.at_least > 1:
        return rules.batch_size.because
    if "batch_of_one" in rules and size < rules.batch_of_one.image_size_at_least:
        return rules.batch_of_one.because
    return ""
