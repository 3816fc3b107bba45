"""What could not be judged before torch was there: arguments of ``_target_`` entries, weights, widths."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig
from torch import nn

from aistudio.assembly.parts import build_task, task_settings
from aistudio.assembly.signatures import keyword_problems
from aistudio.assembly.weights import weight_problems
from aistudio.config.compose import Judged
from aistudio.errors import Problem
from aistudio.models.backbone import BackboneWrapper


def task_or_problems(judged: Judged) -> tuple[Any, list[Problem]]:
    """The task, or what could not be judged before torch was there: arguments of ``_target_`` entries, weights."""
    settings = {**judged.values, "task": task_settings(judged)}
    # the backbone's own entry stands inside the architecture's, too
    problems = list({(problem.why, problem.instead): problem for problem in keyword_problems(settings)}.values())
    if problems:
        return None, problems
    task = build_task(judged)
    return task, weight_problems(judged.cfg, task.num_outputs)


def width_problems(cfg: DictConfig, model: nn.Module) -> list[Problem]:
    """A number of channels that the configuration states and the backbone does not have."""
    wrapper, stated = getattr(model, "backbone", None), cfg.backbone.out_channels
    if not isinstance(wrapper, BackboneWrapper) or stated in (None, wrapper.out_channels):
        return []
    what, found = f"backbone.out_channels={stated} is not what the backbone gives", wrapper.out_channels
    return [Problem(what, f"its last map has {found} channels", "backbone.out_channels", f"{found}, or null")]
