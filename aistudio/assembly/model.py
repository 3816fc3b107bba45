"""From a judged configuration to a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from omegaconf import DictConfig
from torch import nn

from aistudio.assembly.instantiate import as_config, build, one_with
from aistudio.assembly.parts import build_task
from aistudio.assembly.problems import torch_problems, width_problems
from aistudio.config.part import model_settings
from aistudio.errors import refuse
from aistudio.models.anatomy import named_backbone
from aistudio.models.freeze import freeze


def assemble(cfg: DictConfig, seed: int | None = None) -> nn.Module:
    """Build the configured model on the CPU, in train mode, with as many outputs as the task has.

    Of ``cfg``, or of the part of a configuration that is given (``cfg.net``), ``backbone``, ``architecture`` and
    ``task`` are read and judged, and nothing else. Random weights are drawn from torch's random numbers, as those of
    any module, so that the caller's seed decides them; with ``seed`` they come of it alone.

    Raises `Refusal` for what the rules refuse, and for weights that do not exist, cannot be had, or were trained for
    another number of classes.
    """
    cfg = as_config(model_settings(cfg))  # whoever composed it, what is judged here is what is built
    refuse(torch_problems(cfg))
    return build_model(cfg, seed)


def build_model(cfg: DictConfig, seed: int | None) -> nn.Module:
    """The model of a configuration that is judged."""
    outputs = build_task(cfg).num_outputs
    with _seeded(seed):
        model = build(cfg.architecture.model, "architecture.model", num_classes=outputs)
    one_with(model, "architecture.model", "named_parameters", "forward")
    refuse(width_problems(cfg, model))
    if cfg.backbone.frozen:
        freeze(named_backbone(model)[1])
    return model


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Random numbers of a seed for the duration of a block, the caller's put back; None leaves the caller's."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
