"""The task, the source of images, the optimiser and the checks of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from aistudio.assembly.input_channels import with_configured_channels
from aistudio.assembly.instantiate import build, one_with
from aistudio.checks.outcome import Check
from aistudio.config.compose import Judged
from aistudio.errors import Problem, refuse
from aistudio.tasks.base import Task

_NOT_FOR_THE_TASK = ("name", "image_size", "rules")


def build_task(judged: Judged) -> Task:
    """The task object: targets, loss and output contract."""
    return one_with(build(task_settings(judged), "task"), "task", "num_outputs", "loss")


def task_settings(judged: Judged) -> dict[str, Any]:
    """The part of the section ``task`` that its class takes, as plain containers."""
    return {key: value for key, value in judged.values["task"].items() if key not in _NOT_FOR_THE_TASK}


def build_source(judged: Judged) -> Any:
    """The source of images. Raises `Refusal` where there are none."""
    source = one_with(build(judged.cfg.data, "data"), "data", "samples", "description")
    return with_configured_channels(source, judged.values["backbone"])


def build_optimizer(judged: Judged) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    """What makes the optimiser of the learning checks from parameters."""
    return build(judged.cfg.architecture.learning.optimizer, "architecture.learning.optimizer", _partial_=True)


def build_checks(judged: Judged) -> dict[str, Check]:
    """The checks by their names. Raises `Refusal` where an entry makes something else."""
    nodes = judged.cfg.sanity.checks.items()
    checks = {name: build(node, f"sanity.checks.{name}") if OmegaConf.is_dict(node) else node for name, node in nodes}
    refuse([*_what_are_no_checks(checks)])
    return checks


def _what_are_no_checks(checks: Mapping[str, object]) -> Iterator[Problem]:
    """Entries of ``sanity.checks`` whose objects cannot be asked, a layer or a number for example."""
    for name, check in checks.items():
        if not callable(check) or not isinstance(getattr(check, "why", None), str):
            why = "a check is an object with a sentence `why` and a call that takes a subject and returns an Outcome"
            where = f"sanity.checks.{name}"
            yield Problem(f"{where} is no check but a {type(check).__name__}", why, where, "a class as in README.md")
