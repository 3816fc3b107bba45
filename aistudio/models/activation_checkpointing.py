"""Activation checkpointing: a stage keeps its input alone and computes the rest again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_stages(backbone: nn.Module) -> nn.Module:
    """Let every trained stage of ``backbone`` be computed twice in a training step, in place; returns ``backbone``.

    Stages are its children, or those of its only child. Batch norms then see every batch twice, so their running
    statistics follow faster; the gradients are the same.
    """
    stages = list(backbone.children())
    while len(stages) == 1:
        stages = list(stages[0].children())
    for stage in stages:
        if any(parameter.requires_grad for parameter in stage.parameters()) and any(stage.children()):
            stage.forward = partial(_computed_twice, stage, stage.forward)
    return backbone


def _computed_twice(stage: nn.Module, forward: Callable[..., Any], *inputs: Any) -> Any:
    if not stage.training:
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False)
