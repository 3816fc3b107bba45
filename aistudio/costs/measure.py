"""What a model costs: parameters, arithmetic, time and memory, each with its definition and what that leaves out."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from aistudio.checks.subject import Subject
from aistudio.costs.counters import peak_memory, synchronize
from aistudio.costs.proof import proof
from aistudio.models.anatomy import named_backbone
from aistudio.report.records import Measurement
from aistudio.tasks.batch import Batch


@dataclass(frozen=True)
class Measure:
    """Measures a model at the configured picture size, with none of the checks' economies.

    ``batch_size`` images a pass (None: ``data.batch_size``); ``repeats`` timed passes after one that is not, fewer
    where they would take longer than ``budget`` seconds; ``training`` also times whole training steps.
    """

    repeats: int = 10
    budget: float = 5.0
    batch_size: int | None = None
    training: bool = True

    def __call__(self, subject: Subject, size: int, batch_size: int) -> list[Measurement]:
        """Every measurement of ``subject.built`` on pictures of ``size`` pixels."""
        batch = subject.batch(count=self.batch_size or batch_size, size=size)
        found = count_parameters(subject.built)
        found += self._forward(subject, batch)
        if self.training:
            found += self._training(subject, batch)
        return found

    def _forward(self, subject: Subject, batch: Batch) -> list[Measurement]:
        model = copy.deepcopy(subject.built).eval() if subject.compiled else subject.built.eval()
        if subject.compiled:
            model.compile()
        counter = FlopCounterMode(display=False)

        def forward(count: int | None = None) -> None:
            with torch.no_grad(), subject.autocast():
                model(batch.inputs[:count])

        def counted() -> None:
            with counter:
                forward(1)

        one = len(batch.samples) == 1 and not subject.compiled  # the pass that is counted can then be the first one
        if not one:
            with counter, torch.no_grad(), subject.autocast():
                subject.built.eval()(batch.inputs[:1])
        what = "one forward pass in eval mode"
        timed = self._timed("forward", what, counted if one else forward, forward, subject, batch)
        return [multiply_adds(counter.get_total_flops() // 2, batch), *timed]

    def _training(self, subject: Subject, batch: Batch) -> list[Measurement]:
        model = copy.deepcopy(subject.built).train()
        optimizer = subject.optimizer([p for p in model.parameters() if p.requires_grad])
        if subject.compiled:
            model.compile()

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            with subject.autocast():
                total = sum(subject.task.loss(model, batch.inputs, batch.targets).values())
            total.backward()
            optimizer.step()

        what = f"one training step (forward, backward, {type(optimizer).__name__})"
        return [
            *self._timed("training_step", what, step, step, subject, batch),
            *proof(subject, model, optimizer, batch),
        ]

    def _timed(
        self, name: str, what: str, first: Callable[[], None], run: Callable[[], None], subject: Subject, batch: Batch
    ) -> list[Measurement]:
        peak, counter = peak_memory(first, subject.device)  # which also warms up
        seconds = time_repeatedly(run, subject.device, self.repeats, self.budget)
        count, middle = len(batch.samples), statistics.median(seconds)
        setting = f"{what} of {count} images on {subject.device}, {str(subject.precision).removeprefix('torch.')}"
        median = f"median of {len(seconds)} passes after 1; low and high are the fastest and slowest"
        return [
            Measurement(name, middle, "s", f"{setting}; {median}", min(seconds), max(seconds)),
            Measurement(
                f"{name}_images_per_second",
                count / middle,
                "images/s",
                f"{count} images over the median time of {what}; loading and decoding left out",
                count / max(seconds),
                count / min(seconds),
            ),
            Measurement(f"{name}_peak_memory", peak, "bytes", f"highest memory in {setting}; counter: {counter}"),
        ]


def count_parameters(model: nn.Module) -> list[Measurement]:
    """Parameters in all, trainable, of the backbone and of the rest. Buffers (batch-norm statistics) are none."""
    total = sum(p.numel() for p in model.parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    prefix, backbone = named_backbone(model)
    inside = sum(p.numel() for p in backbone.parameters())
    held = "frozen batch norms hold buffers, not parameters"
    return [
        Measurement("parameters", total, "", f"numbers in model.parameters(); {held}"),
        Measurement("trainable_parameters", trainable, "", "those of them that ask for a gradient"),
        Measurement("backbone_parameters", inside, "", f"those of them below {prefix.rstrip('.') or 'the model'}"),
        Measurement("head_parameters", total - inside, "", "all others: necks, heads, auxiliary heads"),
    ]


def multiply_adds(count: int, batch: Batch) -> Measurement:
    """The multiply-adds of one forward pass of the first picture of a batch, with what was counted."""
    height, width = batch.inputs[0].shape[-2:]
    definition = (
        "multiply-adds (half of torch.utils.flop_counter's FLOPs) of one forward pass in eval mode, one image, "
        f"{height} x {width} px; convolutions and matrix products only: normalisation, activations, pooling, "
        "resizing and NMS left out"
    )
    if isinstance(batch.inputs, list):
        definition += "; region heads count the regions that this untrained model proposed"
    return Measurement("multiply_adds", count, "MACs", definition)


def time_repeatedly(run: Callable[[], None], device: torch.device, repeats: int, budget: float) -> list[float]:
    """Seconds of each of up to ``repeats`` passes, at least one; stops when ``budget`` seconds are used up."""
    seconds: list[float] = []
    while len(seconds) < repeats and (not seconds or sum(seconds) + min(seconds) <= budget):
        synchronize(device)
        started = time.perf_counter()
        run()
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    return seconds
