"""Drawings of the shared batch: as the backbone receives it, and what the trained model gives for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from aistudio.checks.backbone_input import received
from aistudio.checks.check_mode import undo_check_mode
from aistudio.checks.subject import Subject
from aistudio.data.imagenet import MEAN, STD, adapted_statistics
from aistudio.data.sample import Sample, invents_targets
from aistudio.drawing import Tile, contact_sheet, save_sheet
from aistudio.drawing.canvas import SIDE
from aistudio.tasks.batch import pick
from aistudio.tasks.drawing import canvas

ALIKE = 0.1  # of the range: how far an image may be from the same one read at another size, in the mean
_INVENTED = "the data has no labels: targets are made up, "


def save_predictions(subject: Subject, folder: Path) -> None:
    """``predictions.png``: what the trained model gives for the shared batch, beside the targets, on sharp images."""
    steps = max(0, len(subject.training.losses) - 1)
    heading = f"What the model gives after {steps} training step{'s' * (steps != 1)} on these images"
    notes = [f"computed at {subject.size} px"]
    if invents_targets(subject.source):
        notes.append(f"{_INVENTED}so none is drawn, and no output is right or wrong")
    save_sheet(folder / "predictions.png", contact_sheet([*predicted(subject)], heading, notes))


def save_batch(subject: Subject, folder: Path, size: int) -> None:
    """``batch.png``: a batch of ``size`` pixels as the backbone receives it, undone to [0, 1], with its targets."""
    batch = subject.batch(count=subject.batch_size, size=size)
    values = received(subject.built.eval(), batch.inputs).float().cpu()
    mean, std = (
        torch.tensor(given or adapted_statistics(usual, subject.channels)).view(-1, 1, 1)
        for given, usual in ((subject.image_mean, MEAN), (subject.image_std, STD))
    )
    images = values * std + mean
    cpu = batch.to("cpu")
    tiles = []
    for index, (image, sample) in enumerate(zip(images, cpu.samples, strict=True)):
        factor = _enlarged_by(sample.image, image)
        tiles.append(Tile(_with_target(subject.task, image, cpu.targets[index], factor), sample.name))
    heading = f"What the backbone receives: {values.shape[-1]} x {values.shape[-2]} px, undone to [0, 1]"
    note = f"{_INVENTED}and the checks train on them" if invents_targets(subject.source) else ""
    save_sheet(folder / "batch.png", contact_sheet(tiles, heading, [note] if note else []))


def predicted(subject: Subject) -> Iterator[Tile]:
    """A drawing for each image of the shared batch."""
    model = subject.give_trained()
    undo_check_mode(model, subject.built, subject.check_mode)
    cpu, task = subject.batch().to("cpu"), subject.task
    with torch.no_grad():
        output = model.eval().to("cpu")(cpu.inputs)
    anew = hasattr(task, "enlarge")
    for index, (sample, sharp) in enumerate(zip(cpu.samples, sharper(subject, cpu.samples), strict=True)):
        one = pick(output, index)
        if not anew:  # a task of one's own, which draws both, and at this size
            yield Tile(task.draw(sample.image, cpu.targets[index], one), sample.name)
            continue
        factor = sharp.image.shape[-1] / sample.image.shape[-1]
        target = None if invents_targets(subject.source) else task.target(sharp)
        yield Tile(task.draw(sharp.image, target, task.enlarge(one, factor)), sharp.name)


def sharper(subject: Subject, samples: list[Sample]) -> list[Sample]:
    """The same samples at `SIDE` pixels, where they or their source can give the same ones at any size; else as they
    are."""
    if all(sample.at is not None for sample in samples):
        return [sample.at(SIDE) for sample in samples if sample.at is not None]
    try:
        large = subject.batch(count=len(samples), size=SIDE).samples
    except Exception:  # a source may give one size alone
        return samples
    return [new if is_same(new.image, old.image) else old for new, old in zip(large, samples, strict=True)]


def is_same(large: Tensor, small: Tensor) -> bool:
    """Whether an image (3, H, W) is another one at a larger size."""
    reduced = F.interpolate(large[None].float(), small.shape[-2:], mode="area")[0]
    return float((reduced - small).abs().mean()) < ALIKE


def _enlarged_by(image: Tensor, arrived: Tensor) -> float:
    """How many times larger an image arrives than it was given; padding to a multiple of 32 is no enlargement."""
    wider = arrived.shape[-1] - image.shape[-1]
    return 1.0 if 0 <= wider < 32 else arrived.shape[-1] / image.shape[-1]


def _with_target(task: Any, image: Tensor, target: Any, factor: float) -> Image.Image:
    """An image with its target, where the task can draw that without an output."""
    if not hasattr(task, "enlarge"):
        return canvas(image).finish([])
    return task.draw(image, task.enlarge(target, factor) if factor != 1 else target, None)
