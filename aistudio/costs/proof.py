"""Forecast and measured, side by side: what a run that takes a training step says of the forecast of it."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from aistudio.checks.subject import Subject
from aistudio.costs.counters import HighWater, synchronize
from aistudio.costs.memory import Forecaster, Workload
from aistudio.costs.real_step import real_peak
from aistudio.costs.tell import BOUND
from aistudio.errors import first_line
from aistudio.report.records import Measurement
from aistudio.tasks.batch import Batch

CPU = "the allocator's events of one step, what an operator allocates and frees itself left out"
CUDA = "torch.cuda.max_memory_allocated of one step, kernels' workspaces included"


def watched_step(subject: Subject, model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> int | None:
    """One training step: the bytes of tensors at its peak; None where a compiler or another device decides of that.

    On the CPU the optimiser needs no state yet.
    """
    taken = batch.inputs, batch.targets
    if subject.device.type == "cpu" and not subject.compiled:
        return real_peak(model, optimizer, subject.task.loss, taken, subject.autocast).tensors
    optimizer.zero_grad(set_to_none=True)
    water = HighWater(subject.device)
    with subject.autocast():
        total = cast(Tensor, sum(subject.task.loss(model, *taken).values()))
    total.backward()
    optimizer.step()
    synchronize(subject.device)
    return water.read() if subject.device.type == "cuda" and not subject.compiled else None


def proof(subject: Subject, batch: Batch, seen: int | None) -> list[Measurement]:
    """What tensors took in a training step, what was forecast of it, and the ratio; nothing where that is not known."""
    if seen is None:
        return []
    what = f"one training step of {len(batch.samples)} images"
    counter = CUDA if subject.device.type == "cuda" else CPU
    found = [Measurement("training_step_tensor_memory", seen, "bytes", f"tensors at the peak of {what}; {counter}")]
    try:
        forecast = Forecaster(workload_of(subject, batch)).training(len(batch.samples))
    except Exception as error:  # a model that runs and cannot be told from its shapes; the run itself was fine
        why = f"{what} cannot be forecast: {type(error).__name__}: {first_line(error)}"
        return [*found, Measurement("training_step_forecast_memory", None, "bytes", why)]
    ranged = (forecast.least, forecast.bytes) if forecast.least < forecast.bytes else (None, None)
    ratio = [end and end / seen for end in ranged]
    return [
        *found,
        Measurement("training_step_forecast_memory", forecast.bytes, "bytes", f"peak of {what}; {BOUND}", *ranged),
        Measurement("forecast_ratio", forecast.bytes / seen, "", "the forecast over what was measured", *ratio),
    ]


def workload_of(subject: Subject, batch: Batch) -> Workload:
    """The same step as shapes."""
    size = batch.samples[0].image.shape[-1]
    one, two = (subject.batch(count=count, size=size) for count in (1, 2))
    return Workload(
        build=partial(_rebuilt, subject),
        loss=subject.task.loss,
        optimizer=subject.optimizer,
        one=(one.inputs, one.targets),
        two=(two.inputs, two.targets),
        precision=subject.precision,
        backend="cuda" if subject.device.type == "cuda" else "cpu",
    )


def _rebuilt(subject: Subject) -> nn.Module:
    model = subject.rebuild(subject.seed)
    return model.to(memory_format=torch.channels_last) if subject.channels_last else model
