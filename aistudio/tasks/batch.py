"""A batch: samples from a source, what the model takes, and what the loss takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Generator, Tensor

from aistudio.data.channels import same_channels
from aistudio.data.sample import Painter, Sample, Source
from aistudio.data.synthetic import Synthetic
from aistudio.errors import Problem, Refusal
from aistudio.models.nested import map_tensors
from aistudio.tasks.base import Task


@dataclass(frozen=True)
class Batch:
    """``samples`` stay on the CPU, with images in [0, 1]; ``inputs`` and ``targets`` are what task and model take."""

    samples: list[Sample]
    inputs: Tensor | list[Tensor]
    targets: Any

    def to(self, device: torch.device | str, channels_last: bool = False) -> Batch:
        """The same batch on another device; ``channels_last`` is the memory format of a stacked (N, 3, H, W) input."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device)

        inputs = map_tensors(move, self.inputs)
        if channels_last and isinstance(inputs, Tensor):
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return replace(self, inputs=inputs, targets=map_tensors(move, self.targets))


def make_batch(
    task: Task, source: Source, count: int, size: int, seed: int, labels: Sequence[Sequence[int]] | None = None
) -> Batch:
    """``count`` images of ``size`` x ``size`` pixels with their targets; the same arguments give the same batch.

    ``labels`` (one list an image, each label in 0 … ``task.sample_labels`` - 1) asks for a certain batch, of a source
    that `painter_of` finds a painter for. Of one that paints itself classes differ as far as they can by default, and
    every image has one to ``task.max_objects`` objects. The global random state is neither read nor changed. Raises
    `Refusal` if the source cannot give images, or gives targets that are wrong.
    """
    generator = Generator().manual_seed(seed)
    painter = painter_of(source)
    if labels is None and painter is source:
        labels = draw_labels(count, task.sample_labels, task.max_objects, generator)
    if labels is None:
        samples = source.samples(count, size, generator)
    elif painter is None or len(labels) != count:
        raise ValueError(f"{count} images, but labels for {len(labels)}" if painter else "the source does not paint")
    else:
        samples = painter.paint(labels, size, generator)
    images = [sample.image for sample in samples]
    targets = task.collate([task.target(sample) for sample in samples])
    problems = task.target_problems(images, targets)
    if problems:
        where = f"the targets that {type(task).__name__} makes of {source.description}"
        raise Refusal(
            Problem(problem, "the model would learn something else, without a word", where) for problem in problems
        )
    return Batch(samples, task.inputs(images), targets)


def painter_of(source: Source) -> Painter | None:
    """What makes images with the labels that are asked for: the source itself, or, for labelled data, which may not
    have them, painted images beside it. None: nothing does."""
    if getattr(source, "labelled", False):
        return same_channels(Synthetic(), source)
    return cast(Painter, source) if hasattr(source, "paint") else None


def draw_labels(count: int, classes: int, most: int, generator: Generator) -> list[list[int]]:
    """One to ``most`` labels for each of ``count`` images; the first ones run through the shuffled classes."""
    rounds = -(-count // classes)
    first = torch.cat([torch.randperm(classes, generator=generator) for _ in range(rounds)]).tolist()
    drawn = []
    for label in first[:count]:
        more = int(torch.randint(most, (), generator=generator))
        drawn.append([label, *torch.randint(classes, (more,), generator=generator).tolist()])
    return drawn


def pick(output: Any, index: int | slice) -> Any:
    """What a batched output (a tensor, a list, or a dict of them) says about one image."""
    if isinstance(output, dict):
        return {name: value[index] for name, value in output.items()}
    return output[index]


def join(outputs: Sequence[Any]) -> Any:
    """Outputs of several batches (tensors, lists, or dicts of them) as that of one."""
    first = outputs[0]
    if isinstance(first, dict):
        return {name: torch.cat([output[name] for output in outputs]) for name in first}
    return torch.cat(list(outputs)) if isinstance(first, Tensor) else [one for output in outputs for one in output]
