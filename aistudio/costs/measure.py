"""What a model costs: parameters, arithmetic, time and memory, each with its definition and what that leaves out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from aistudio.checks.subject import Subject
from aistudio.costs import machine
from aistudio.costs.arithmetic import Arithmetic
from aistudio.costs.counters import HighWater
from aistudio.costs.live_bytes import BLOCKS, LiveBytes
from aistudio.costs.machine import Clocks, read_clocks
from aistudio.costs.proof import proof, watched_step
from aistudio.costs.timing import Timing, as_measurements, one_pass, time_repeatedly
from aistudio.models.anatomy import named_backbone
from aistudio.models.nested import copied, tensors_in
from aistudio.report.records import Measurement
from aistudio.tasks.batch import Batch


@dataclass(frozen=True)
class Measure:
    """Measures a model at the configured image size, with none of the checks' economies.

    ``batch_size`` images a pass (None: ``data.batch_size``); ``repeats`` timed passes after one that is not, fewer
    where they would take longer than ``budget`` seconds (of fewer than 5 no spread is given); ``training`` also times
    whole training steps.
    """

    repeats: int = 10
    budget: float = 5.0
    batch_size: int | None = None
    training: bool = True

    clocks = staticmethod(read_clocks)

    def __call__(self, subject: Subject, size: int, batch_size: int) -> list[Measurement]:
        """Every measurement of ``subject.built`` on images of ``size`` pixels."""
        batch = subject.batch(count=self.batch_size or batch_size, size=size)
        found, spent = self._forward(subject, batch)
        if self.training:
            more, also = self._training(subject, batch)
            found, spent = [*found, *more], spent + also
        return [*count_parameters(subject.built), *found, machine.measurement(spent, subject.device.type == "cpu")]

    def _forward(self, subject: Subject, batch: Batch) -> tuple[list[Measurement], Clocks]:
        model = copied(subject.built).eval() if subject.compiled else subject.built.eval()
        if subject.compiled:
            model.compile()
        arithmetic, live = Arithmetic(), _alive_from(model, batch, subject.device)

        def forward() -> None:
            with torch.no_grad(), subject.autocast():
                model(batch.inputs)

        def counted() -> None:
            with ExitStack() as stack:
                for mode in (live, arithmetic) if one else (live,):
                    stack.enter_context(mode)
                forward()

        one = len(batch.samples) == 1 and not subject.compiled  # the pass that is counted can then be the first one
        if not one:
            with arithmetic, torch.no_grad(), subject.autocast():
                subject.built.eval()(batch.inputs[:1])
        first = partial(forward) if subject.compiled else counted  # which compiles, and is not timed
        timed, spent = self._timed("forward", "one forward pass in eval mode", first, forward, subject, batch)
        own = [] if subject.compiled else [tensor_memory(live.peak, len(batch.samples))]
        return [*_of_one_image(arithmetic, batch), *timed, *own], spent

    def _training(self, subject: Subject, batch: Batch) -> tuple[list[Measurement], Clocks]:
        model = copied(subject.built).train()
        optimizer = subject.optimizer([p for p in model.parameters() if p.requires_grad])
        if subject.compiled:
            model.compile()

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            with subject.autocast():
                total = cast(Tensor, sum(subject.task.loss(model, batch.inputs, batch.targets).values()))
            total.backward()
            optimizer.step()

        what = f"one training step (forward, backward, {type(optimizer).__name__})"
        if subject.device.type != "cpu":
            step()  # kernels are chosen, and the optimiser gets its state
        tensors = watched_step(subject, model, optimizer, batch)
        timed, spent = self._timed("training_step", what, step, step, subject, batch)
        return [*timed, *proof(subject, batch, tensors)], spent

    def _timed(
        self, name: str, what: str, first: Callable[[], None], run: Callable[[], None], subject: Subject, batch: Batch
    ) -> tuple[list[Measurement], Clocks]:
        """The figures of a pass; ``first`` tells its memory, and is timed where nothing else fits into the budget."""
        water = HighWater(subject.device)
        took = one_pass(first, subject.device, self.clocks)
        peak = water.read()
        if first is run and 2 * took.wall > self.budget:  # one pass is all that fits; the watched step went before
            timing = Timing((took.wall,), (took.cpu,), took)
        else:
            timing = time_repeatedly(run, subject.device, self.repeats, self.budget, self.clocks)
        count, precision = len(batch.samples), str(subject.precision).removeprefix("torch.")
        setting = f"{what} of {count} images on {subject.device}, {precision}"
        highest = f"highest memory in {setting}; counter: {water.counter}"
        memory = Measurement(f"{name}_peak_memory", peak, "bytes", highest)
        return [*as_measurements(name, setting, timing, count), memory], timing.spent


def _alive_from(model: nn.Module, batch: Batch, device: torch.device) -> LiveBytes:
    """Counts the bytes of tensors on a device, the weights and the images among them."""
    live = LiveBytes(device=device.type, block=BLOCKS.get(device.type, 1))
    live.hold([*model.parameters(), *model.buffers()], "weights")
    live.hold(tensors_in(batch.inputs), "input")
    return live


def tensor_memory(peak: int, count: int) -> Measurement:
    """The most that is alive at once in a forward pass."""
    definition = (
        f"the model's own: tensors at the peak of one forward pass of {count} images in eval mode, weights and images "
        "included, counted where torch dispatches; Python, libraries and the scratch of kernels left out"
    )
    return Measurement("forward_tensor_memory", peak, "bytes", definition)


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


def _of_one_image(arithmetic: Arithmetic, batch: Batch) -> list[Measurement]:
    """The multiply-adds and the activations of one forward pass of the first image of a batch."""
    height, width = batch.inputs[0].shape[-2:]
    what = f"one forward pass in eval mode, one image, {height} x {width} px"
    regions = "; region heads count the regions that this untrained model proposed"
    note = regions if isinstance(batch.inputs, list) else ""
    products = (
        f"multiply-adds of {what}; convolutions and matrix products only: normalisation, activations, pooling, "
        f"resizing and NMS left out{note}"
    )
    elements = f"activations: elements that the convolutions of {what} write{note}"
    return [
        Measurement("multiply_adds", arithmetic.multiply_adds, "MACs", products),
        Measurement("activations", arithmetic.activations, "", elements),
    ]
