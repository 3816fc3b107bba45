"""What was assembled, in words."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from aistudio.assembly.weights_in_words import in_a_line
from aistudio.checks.backbone_input import arrival, arrival_warnings, histogram, received
from aistudio.checks.copies import OTHER_IMAGES, one_image
from aistudio.checks.outcome import some
from aistudio.checks.raised import finding
from aistudio.checks.subject import Subject
from aistudio.data.sample import invents_targets
from aistudio.errors import Refusal
from aistudio.models.anatomy import named_backbone
from aistudio.models.freeze_patterns import parts
from aistudio.models.surgery import rule_for

LISTED = 12  # classes named
_MADE_UP = "made up, for photographs have no labels: they show that the model trains, and no output is judged by them"


def describe(cfg: DictConfig, subject: Subject) -> tuple[dict[str, str], list[str], dict[str, Any]]:
    """What was assembled, in words, what is remarkable about what the backbone receives, and its histogram."""
    warnings, counts = [], {}
    try:
        batch = subject.batch(count=subject.batch_size, size=int(cfg.task.image_size))
        values = received(subject.built.eval(), batch.inputs)
        arriving = arrival(values)
        warnings += arrival_warnings(
            values.float(), [sample.image for sample in batch.samples], subject.image_mean, subject.image_std
        )
        warnings += [f"{copies}: {OTHER_IMAGES}"] if (copies := one_image(batch.samples)) else []
        counts = histogram(values)
    except Refusal:
        raise
    except Exception as error:  # a model that cannot run is reported by its checks
        arriving = f"unknown: {finding(error).seen}"
    whole = any(not one.setting.startswith("backbone.") for one in subject.loaded)
    weights = (None if whole else cfg.backbone.weights) or ("the whole model's" if subject.pretrained else "random")
    facts = {
        "backbone": f"{cfg.backbone.name}, weights: {weights}{', frozen' * subject.frozen}"
        + _channels_in_words(subject),
        "architecture": cfg.architecture.name,
        **{one.setting: in_a_line(one) for one in subject.loaded},
        **trainable(subject),
        "task": f"{cfg.task.name}, {subject.task.num_outputs} output{'s' * (subject.task.num_outputs != 1)}",
        "data": subject.source.description,
        **_targets_and_classes(subject),
        "backbone receives": arriving,
        "checked at": f"{subject.size} px, batches of {subject.batch_size}{larger(cfg, subject.size)}",
        "measured at": f"{cfg.task.image_size} px",
        "device": f"{subject.device}, {cfg.runtime.precision}{', channels last' * subject.channels_last}",
    }
    return facts, [*subject.source.warnings, *warnings], counts


def _targets_and_classes(subject: Subject) -> dict[str, str]:
    """That the targets are made up, where they are, and the classes by name, where they have names."""
    said = {"targets": _MADE_UP} if invents_targets(subject.source) else {}
    names = getattr(subject.task, "class_names", ())
    return {**said, "classes": some(names, LISTED)} if names else said


def _channels_in_words(subject: Subject) -> str:
    """How many channels images have where they are not red, green and blue, and what became of the first layer."""
    return "" if subject.channels == 3 else f", {rule_for(subject.channels)} (adapted by rule)"


def trainable(subject: Subject) -> dict[str, str]:
    """How many parameters of each part train, where any does not."""
    counts = parts(subject.built, named_backbone(subject.built)[0])
    if not any(still for _, still in counts.values()) and not subject.held:
        return {}
    words = [f"{part} {trains} of {trains + still} parameters" for part, (trains, still) in counts.items()]
    return {"trainable": ", ".join(words)}


def larger(cfg: DictConfig, size: int) -> str:
    """Why the checks do not run at the size that their level asks for, or ""."""
    wanted = int(cfg.sanity.image_size)
    return f"; the backbone does not run at {wanted} px, or leaves one place to pool" if size > wanted else ""
