"""Outputs without a model: what one that knows the targets would give."""

import torch
from torch import nn

from aistudio.tasks.classification import Classification
from aistudio.tasks.segmentation import Segmentation


def perfect_output(task, targets):
    """What a model that knows the targets would give."""
    if isinstance(targets, list):
        found = [{**target, "scores": torch.linspace(1, 0.5, len(target["labels"]))} for target in targets]
        return [{**one, "masks": one["masks"][:, None].float()} if "masks" in one else one for one in found]
    if isinstance(task, Segmentation):
        return {"out": nn.functional.one_hot(targets.where(targets != 255, 1), task.num_outputs).permute(0, 3, 1, 2)}
    return nn.functional.one_hot(targets, task.num_outputs) if isinstance(task, Classification) else targets
