"""What was assembled, in words."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from aistudio.checks.backbone_input import arrival, arrival_warnings, histogram, received
from aistudio.checks.runner import finding
from aistudio.checks.subject import Subject
from aistudio.errors import Refusal


def describe(cfg: DictConfig, subject: Subject) -> tuple[dict[str, str], list[str], dict[str, Any]]:
    """What was assembled, in words, what is remarkable about what the backbone receives, and its histogram."""
    warnings, counts = [], {}
    try:
        batch = subject.batch(count=subject.batch_size, size=int(cfg.task.image_size))
        values = received(subject.built.eval(), batch.inputs)
        arriving = arrival(values)
        warnings += arrival_warnings(values.float())
        counts = histogram(values)
    except Refusal:
        raise
    except Exception as error:  # a model that cannot run is reported by its checks
        arriving = f"unknown: {finding(error).seen}"
    weights = cfg.backbone.weights or ("the whole model's" if subject.pretrained else "random")
    facts = {
        "backbone": f"{cfg.backbone.name}, weights: {weights}{', frozen' * subject.frozen}",
        "architecture": cfg.architecture.name,
        "task": f"{cfg.task.name}, {subject.task.num_outputs} output{'s' * (subject.task.num_outputs != 1)}",
        "data": subject.source.description,
        "backbone receives": arriving,
        "checked at": f"{subject.size} px, batches of {subject.batch_size}",
        "measured at": f"{cfg.task.image_size} px",
        "device": f"{subject.device}, {cfg.runtime.precision}{', channels last' * subject.channels_last}",
    }
    return facts, [*subject.source.warnings, *warnings], counts
