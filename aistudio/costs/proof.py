"""Forecast and measured, side by side: what a run that takes a training step says of the forecast of it."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from aistudio.checks.subject import Subject
from aistudio.costs.counters import peak_memory, synchronize
from aistudio.costs.memory import Forecaster, Workload
from aistudio.costs.real_step import real_peak
from aistudio.costs.tell import BOUND
from aistudio.errors import first_line
from aistudio.report.records import Measurement
from aistudio.tasks.batch import Batch

CPU = "the allocator's events of one step, what an operator allocates and frees itself left out"
CUDA = "torch.cuda.max_memory_allocated of one step, kernels' workspaces included"


def proof(subject: Subject, model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> list[Measurement]:
    """What tensors took in one more step of ``model``, what was forecast of it, and the ratio.

    Nothing where a compiler or another device decides what is alive.
    """
    if subject.compiled or subject.device.type not in ("cpu", "cuda"):
        return []
    seen = measured(subject, model, optimizer, batch)
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


def measured(subject: Subject, model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> int:
    """The peak of one step in bytes; the optimiser has its state already."""
    taken = batch.inputs, batch.targets
    if subject.device.type == "cpu":
        return real_peak(model, optimizer, subject.task.loss, taken, subject.autocast).tensors

    def step() -> None:
        with subject.autocast():
            total = cast(Tensor, sum(subject.task.loss(model, *taken).values()))
        total.backward()
        optimizer.step()
        synchronize(subject.device)

    optimizer.zero_grad(set_to_none=True)
    return peak_memory(step, subject.device)[0]


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
