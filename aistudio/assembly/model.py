"""From a judged configuration to a model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from aistudio.assembly.contract import tell_contract
from aistudio.assembly.found_classes import with_found_classes
from aistudio.assembly.input_channels import adapt_input
from aistudio.assembly.instantiate import build, one_with
from aistudio.assembly.pretrained import filled_backbone, load_chosen, without_weights
from aistudio.assembly.problems import task_or_problems, width_problems
from aistudio.config.compose import Judged
from aistudio.config.conventions import label_warnings
from aistudio.config.part import model_settings
from aistudio.config.plain import as_dict
from aistudio.config.weights import choices
from aistudio.errors import refuse
from aistudio.models.activation_checkpointing import checkpoint_stages
from aistudio.models.backbone import BackboneWrapper
from aistudio.models.dry_run import materialise
from aistudio.models.freeze import still_norms
from aistudio.models.freeze_patterns import freeze_names, names_to_freeze
from aistudio.models.ledger import Ledger
from aistudio.models.unwrap import refuse_scripted
from aistudio.tasks.base import Task


@dataclass(frozen=True)
class Assembled:
    """A model, what was loaded into it, and the names of the tensors that the configuration froze."""

    model: nn.Module
    loaded: tuple[Ledger, ...]
    frozen: tuple[str, ...]


def assemble(cfg: DictConfig, seed: int | None = None) -> nn.Module:
    """Build the configured model on the CPU, in train mode, with as many outputs as the task has.

    Of ``cfg``, or of the part of a configuration that is given (``cfg.net``), ``backbone``, ``architecture`` and
    ``task`` are read and judged, and nothing else. Random weights are drawn from torch's random numbers, as those of
    any module, so that the caller's seed decides them; with ``seed`` they come of it alone.

    ``model.input_contract`` says what it takes (an `aistudio.models.InputContract`): normalised images (N, 3, H, W) of
    backbones with a head and of segmenters, a list of images in [0, 1] of detectors. A number of classes that looks
    like another program's way to count the background is a UserWarning.

    Raises `Refusal` for what the rules refuse, and for weights that do not exist, cannot be had, or do not fit.
    """
    judged = model_settings(with_found_classes(cfg))  # whoever composed it, what is judged here is what is built
    task, problems = task_or_problems(judged)
    refuse(problems)
    for text in label_warnings(judged.values):
        warnings.warn(text, stacklevel=2)
    return build_model(judged, task, seed)


def build_model(judged: Judged, task: Task, seed: int | None) -> nn.Module:
    """The model of a configuration in which nothing is wrong, as `assemble` gives it."""
    return built(judged, task, seed).model


def built(judged: Judged, task: Task, seed: int | None, pretrained: bool = True) -> Assembled:
    """The same, with what became of the weights; without ``pretrained`` the model starts from random numbers."""
    cfg, plain = judged.cfg, as_dict(judged.cfg)
    side, outputs = int(cfg.task.image_size), task.num_outputs
    node = without_weights(plain["architecture"]["model"], choices(plain))
    make = partial(_made, _without_unused_head(node, plain["task"]))
    with _seeded(seed):
        model = make(outputs)
        one_with(model, "architecture.model", "named_parameters", "forward")
        refuse_scripted(model, f"architecture={plain['architecture']['name']}", "architecture.model")
        materialise(model, lambda: task.inputs([torch.zeros(3, side, side)] * 2))
    adapt_input(model, plain["backbone"], side)
    refuse(width_problems(cfg, model))
    loaded = load_chosen(plain, model, make, outputs) if pretrained else []
    frozen = tuple(_frozen_in(model, plain["backbone"]))
    if plain["backbone"].get("activation_checkpointing"):
        checkpoint_stages(filled_backbone(model)[1])
    tell_contract(model, task, side, int(cfg.backbone.in_channels))
    return Assembled(model, tuple(loaded), frozen)


def _without_unused_head(node: dict[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a model without the auxiliary head whose loss would count for nothing (``task.aux_weight=0``)."""
    unused = task.get("aux_weight") == 0 and node.get("aux_loss") is True
    return {**node, "aux_loss": False} if unused else node


def _made(node: Any, outputs: int) -> nn.Module:
    return build(node, "architecture.model", num_classes=outputs)


def _frozen_in(model: nn.Module, backbone: Mapping[str, Any]) -> list[str]:
    """Freeze what ``backbone.frozen`` says, in place; the names of the tensors that stay as they are."""
    prefix, _ = filled_backbone(model)
    wrapper = getattr(model, "backbone", None)
    taps = wrapper.taps if isinstance(wrapper, BackboneWrapper) else backbone.get("taps") or {}
    names = names_to_freeze(model, backbone.get("frozen", False), prefix, taps)
    for path in freeze_names(model, names):
        parent, _, last = path.rpartition(".")
        setattr(model.get_submodule(parent), last, still_norms(model.get_submodule(path)))
    return names


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Random numbers of a seed for the duration of a block, the caller's put back; None leaves the caller's."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
