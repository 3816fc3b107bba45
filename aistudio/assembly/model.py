"""From a judged configuration to a model."""

from __future__ import annotations

import torch
from omegaconf import DictConfig
from torch import nn

from aistudio.assembly.instantiate import as_config, build, one_with
from aistudio.assembly.parts import build_task
from aistudio.assembly.problems import torch_problems, width_problems
from aistudio.config.compose import settle
from aistudio.errors import refuse
from aistudio.models.anatomy import named_backbone
from aistudio.models.freeze import freeze


def assemble(cfg: DictConfig, seed: int | None = None) -> nn.Module:
    """Build the configured model on the CPU, in train mode, with as many outputs as the task has.

    ``seed`` (by default ``runtime.seed``) decides the random weights; the caller's random numbers are left alone.
    Raises `Refusal` for what the rules refuse, and for weights that do not exist, cannot be had, or were trained for
    another number of classes.
    """
    cfg = as_config(settle(cfg).values)  # whoever composed it, what is judged here is what is built
    refuse(torch_problems(cfg))
    outputs = build_task(cfg).outputs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(cfg.runtime.seed if seed is None else seed)
        model = build(cfg.architecture.model, "architecture.model", num_classes=outputs)
    one_with(model, "architecture.model", "named_parameters", "forward")
    refuse(width_problems(cfg, model))
    if cfg.backbone.frozen:
        freeze(named_backbone(model)[1])
    return model
