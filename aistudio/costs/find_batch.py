"""``runtime.find_batch``: the largest batch by real training steps on a GPU, started from the forecast of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor

from aistudio.checks.raised import is_out_of_memory
from aistudio.checks.subject import Subject
from aistudio.costs.card import Card
from aistudio.costs.confirmed_batch import MARGIN, STEPS, ConfirmedBatch, CudaMemory, Memory, confirmed_batch
from aistudio.costs.counters import synchronize
from aistudio.costs.data_dependent import CannotFollow
from aistudio.costs.largest_batch import largest_batch
from aistudio.costs.memory import Forecaster
from aistudio.costs.proof import workload_of
from aistudio.data.sample import Sample
from aistudio.models.nested import copied
from aistudio.report.records import Measurement
from aistudio.tasks.batch import Batch

_DRAWN = 8  # different images at most; a larger batch repeats them


def find_batch(subject: Subject, size: int, count: int, memory: Memory | None = None) -> list[Measurement]:
    """The largest batch of images of ``size`` pixels that trains on the subject's device and leaves a margin.

    The search begins at the forecast, or at ``count`` images where there is none. The built model is not trained; when
    this returns or raises, the device holds what it held before.
    """
    memory = memory or CudaMemory(subject.device)
    least = 2 if subject.why_not_one else 1
    memory.release()
    start = forecast_batch(subject, size, memory.total(), least) or count
    step = training_step(subject, size, count)
    try:
        found = confirmed_batch(step, start, memory, is_out_of_memory, least)
    finally:
        del step
        memory.release()
    return as_measurements(found, start)


def forecast_batch(subject: Subject, size: int, room: int, least: int) -> int:
    """What the forecast says; 0 where the step cannot be followed, or nothing would fit."""
    try:
        forecaster = Forecaster(workload_of(subject, subject.batch(count=1, size=size)))
        return largest_batch(lambda n: forecaster.training(n).bytes, Card("", room).room, 8, least).size
    except (CannotFollow, NotImplementedError, RuntimeError):
        return 0


def training_step(subject: Subject, size: int, count: int) -> Callable[[int], None]:
    """One training step with so many images, of a copy of the built model; it keeps that and the optimiser's state."""
    model = copied(subject.built).train()
    optimizer = subject.optimizer([p for p in model.parameters() if p.requires_grad])
    if subject.compiled:
        model.compile()
    samples = subject.batch(count=min(_DRAWN, count), size=size).samples

    def step(images: int) -> None:
        batch = repeated(subject, samples, images)
        optimizer.zero_grad(set_to_none=True)
        with subject.autocast():
            total = cast(Tensor, sum(subject.task.loss(model, batch.inputs, batch.targets).values()))
        total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronize(subject.device)

    return step


def repeated(subject: Subject, samples: Sequence[Sample], count: int) -> Batch:
    """A batch of ``count`` images on the subject's device, of these samples again and again."""
    some = [samples[index % len(samples)] for index in range(count)]
    targets = subject.task.collate([subject.task.target(one) for one in some])
    batch = Batch(some, subject.task.inputs([one.image for one in some]), targets)
    return batch.to(subject.device, channels_last=subject.channels_last)


def as_measurements(found: ConfirmedBatch, start: int) -> list[Measurement]:
    """What was found, with all that was tried."""
    tried = ", ".join(f"{size}{' (too much)' if peak is None else ''}" for size, peak in found.tries.items())
    definition = (
        f"images: {STEPS} training steps of so many ran and left {100 * MARGIN:.0f} % of the device's memory free; "
        f"beyond 32 it is exact to a thirty-second; begun at {start}, tried {tried}"
    )
    peak = f"the most that those steps took from the device, of {found.total} bytes that this process can have"
    return [
        Measurement("found_batch", found.size, "", definition),
        Measurement("found_batch_peak_memory", found.peak, "bytes", peak),
        Measurement("found_batch_margin", 100 * found.margin, "%", "of the device's memory that stayed free"),
    ]
