"""The configured labelled data as a dataset of images and targets, for a training loop of one's own."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig
from torch import Tensor
from torch.utils.data import Dataset

from aistudio.assembly.found_classes import with_found_classes
from aistudio.assembly.parts import build_source, build_task
from aistudio.config.compose import settle
from aistudio.config.stated import names_labelled
from aistudio.data.channels import with_channels
from aistudio.errors import Problem, Refusal
from aistudio.tasks.base import Task


class TaskDataset(Dataset[tuple[Tensor, Any]]):
    """Images (C, S, S) in [0, 1] and the task's targets of them; ``collate`` makes what the model and the loss take.

    ``class_names`` are in the order of their numbers. RuntimeError: an image that cannot be read.
    """

    def __init__(self, images: Any, task: Task, channels: int = 3):
        self.images, self.task, self.channels = images, task, channels
        self.class_names = images.labels.classes

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        sample = self.images[index]
        if isinstance(sample, str):
            raise RuntimeError(sample)
        return with_channels(sample.image, self.channels), self.task.target(sample)

    def collate(self, pairs: list[tuple[Tensor, Any]]) -> tuple[Any, Any]:
        """The ``collate_fn`` of a DataLoader: inputs, normalised where the model does not do so itself, and targets."""
        images, targets = zip(*pairs, strict=True)
        return self.task.inputs(list(images)), self.task.collate(list(targets))


def dataset(cfg: DictConfig, split: str = "train") -> TaskDataset:
    """The configured labelled data of one split, as the sanity run learns from it, at ``task.image_size``.

    Raises `Refusal` for data without labels, and for a split that is not there.
    """
    if not names_labelled(cfg):
        what, why = "this data has no labels", "a dataset gives images with their targets"
        raise Refusal([Problem(what, why, "data", "data=coco, data=image_folder or another labelled format")])
    judged = settle(with_found_classes(cfg))
    images = build_source(judged).dataset(split, int(judged.cfg.task.image_size))
    return TaskDataset(images, build_task(judged), int(judged.cfg.backbone.in_channels))
