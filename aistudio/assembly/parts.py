"""The task, the source of images and the optimiser of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from aistudio.assembly.instantiate import build, one_with

NOT_FOR_THE_TASK = ("name", "image_size", "rules")


def build_task(cfg: DictConfig) -> Any:
    """The task object: targets, loss and output contract."""
    return one_with(build(task_settings(cfg), "task"), "task", "num_outputs", "loss")


def task_settings(cfg: DictConfig) -> dict[str, Any]:
    """The part of the section ``task`` that its class takes, as plain containers."""
    settings = OmegaConf.to_container(cfg.task, resolve=True)
    return {key: value for key, value in settings.items() if key not in NOT_FOR_THE_TASK}


def build_source(cfg: DictConfig) -> Any:
    """The source of pictures. Raises `Refusal` where there are none."""
    return one_with(build(cfg.data, "data"), "data", "scenes", "description")


def build_optimizer(cfg: DictConfig) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    """What makes the optimiser of the learning checks from parameters."""
    return build(cfg.architecture.learning.optimizer, "architecture.learning.optimizer", _partial_=True)
