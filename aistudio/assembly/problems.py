"""What could not be judged before torch was there: arguments of ``_target_`` entries, weights, widths."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf
from torch import nn

from aistudio.assembly.parts import build_task, task_settings
from aistudio.assembly.signatures import keyword_problems
from aistudio.assembly.weights import weight_problems
from aistudio.errors import Problem
from aistudio.models.backbone import BackboneWrapper


def torch_problems(cfg: DictConfig) -> list[Problem]:
    """What could not be judged before torch and torchvision were there: arguments of ``_target_`` entries, weights."""
    settings = {**OmegaConf.to_container(cfg), "task": task_settings(cfg)}
    # the backbone's own entry stands inside the architecture's, too
    problems = list({(problem.why, problem.instead): problem for problem in keyword_problems(settings)}.values())
    return problems or weight_problems(cfg, build_task(cfg).num_outputs)


def width_problems(cfg: DictConfig, model: nn.Module) -> list[Problem]:
    """A number of channels that the configuration states and the backbone does not have."""
    wrapper, stated = getattr(model, "backbone", None), cfg.backbone.out_channels
    if not isinstance(wrapper, BackboneWrapper) or stated in (None, wrapper.out_channels):
        return []
    what, found = f"backbone.out_channels={stated} is not what the backbone gives", wrapper.out_channels
    return [Problem(what, f"its last map has {found} channels", "backbone.out_channels", f"{found}, or null")]
