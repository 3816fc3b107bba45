"""Pictures of what a trained model says about the batch it was trained on, for people to look at."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from aistudio.checks.check_mode import undo_check_mode
from aistudio.checks.subject import Subject
from aistudio.files import write_whole
from aistudio.tasks.batch import pick


def save_drawings(subject: Subject, folder: Path) -> None:
    """Write one PNG a picture of the shared batch, with its target and what the trained model says about it."""
    model = subject.trained()
    undo_check_mode(model, subject.built, subject.check_mode)
    cpu = subject.batch().to("cpu")
    with torch.no_grad():
        output = model.eval().to("cpu")(cpu.inputs)
    for index, sample in enumerate(cpu.samples):
        picture = subject.task.draw(sample.image, cpu.targets[index], pick(output, index))
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=1)
        write_whole(folder / f"{index}.png", file.getvalue())
