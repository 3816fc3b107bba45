"""A data set that needs no download: painted images of one object each, for any of aistudio's tasks."""

from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.utils.data import Dataset

from aistudio.data import Synthetic

OURS = ("name", "image_size", "rules")  # keys of a task that its class does not take


def build_task(cfg):
    """The configured task: it makes targets, stacks them, and knows the loss."""
    settings = OmegaConf.to_container(cfg.task, resolve=True)
    return instantiate({key: value for key, value in settings.items() if key not in OURS})


class Painted(Dataset):
    """Images (3, size, size) in [0, 1] and the task's target of each; put your own data set in its place."""

    def __init__(self, task: Any, length: int, size: int):
        self.task, self.length, self.size = task, length, size

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, Any]:
        generator = torch.Generator().manual_seed(index)
        label = int(torch.randint(self.task.sample_labels, (1,), generator=generator))
        (sample,) = Synthetic().paint([[label]], self.size, generator)
        return sample.image, self.task.target(sample)

    def collate(self, pairs: list) -> tuple[Any, Any]:
        """What the model takes, normalised where it does not do so itself, and what the loss takes."""
        images, targets = zip(*pairs, strict=True)
        return self.task.inputs(images), self.task.collate(targets)
