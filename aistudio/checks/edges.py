"""Checks at the edges of what training data holds: one image left over, no object, the last class, ignored pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

import torch
from torch import Tensor

from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.raised import finding, is_out_of_memory, meaning
from aistudio.checks.subject import NOT_PAINTED, Subject
from aistudio.models.anatomy import named_backbone
from aistudio.tasks.batch import Batch

_ONE_IMAGE = (
    "one image alone does it: squeeze() drops the batch too (name its dim), or a statistic over the batch needs more; "
    "else drop_last=True in the loader"
)
_ONE_VALUE = "Expected more than 1 value per channel"  # torch's words for a batch norm that has nothing to average


@dataclass(frozen=True)
class BatchOfOne:
    """The last batch of an epoch may hold one image; training must take it."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Loss and gradients of one image in train mode."""
        if subject.why_not_one:
            return _drop_last(subject.why_not_one)
        expected, size = "a finite loss for a batch of one image", subject.size
        try:
            loss = _loss_and_backward(subject, subject.batch(count=1))
        except Exception as error:  # whatever one image makes it raise
            if is_out_of_memory(error):
                raise
            one_value = isinstance(error, ValueError) and _ONE_VALUE in str(error)
            if one_value and _backbone_needs_two(subject, subject.full_size):
                return _drop_last("a batch norm of the backbone has one value of each channel")
            if not one_value or subject.full_size == size:
                return failed(finding(error).seen, expected, meaning(error) or _ONE_IMAGE)
            size = subject.full_size  # a small image leaves one place where a full one leaves several
            loss = _loss_and_backward(subject, subject.batch(count=1, size=size))
        if not isfinite(loss):
            cause = "a statistic over the batch that one image does not have: std(0) needs two, unbiased=False does not"
            return failed(f"loss {loss:g}", expected, f"{cause}; or drop_last=True in the loader")
        return passed(f"loss {loss:.3g}" + f" at {size} px" * (size != subject.size), expected)


@dataclass(frozen=True)
class NoObjects:
    """Images without any object are ordinary; loss and output must be defined on them."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Losses with one and with every image empty, and the eval contract on empty images."""
        if not subject.task.allows_empty:
            return skipped("every image has a target in this task")
        if not subject.paints:
            return skipped(NOT_PAINTED)
        some_empty = _loss_and_backward(subject, subject.batch(labels=[[], [subject.task.sample_labels - 1]]))
        empty = subject.batch(labels=[[], []])
        all_empty = _loss_and_backward(subject, empty)
        expected = "finite losses, and outputs within the contract"
        seen = f"loss {some_empty:.3g} with one image empty, {all_empty:.3g} with all"
        if not isfinite(some_empty) or not isfinite(all_empty):
            return failed(seen, expected, "a mean over no objects divides by zero: divide by max(count, 1)")
        with torch.no_grad(), subject.autocast():
            problems = subject.task.output_problems(subject.looked_at(empty.inputs), empty.inputs)
        if problems:
            return failed(
                some(problems),
                expected,
                "the decoding assumes at least one object: look for max() or [0]",
            )
        return passed(seen, expected)


@dataclass(frozen=True)
class BlankImages:
    """A black, a grey and a white image are ordinary: a lens cap, a wall, a padded border."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """The eval contract, finite numbers among it, on three images of one value each."""
        images = [torch.full((subject.channels, subject.size, subject.size), value) for value in (0.0, 0.5, 1.0)]
        inputs = subject.task.inputs(images)
        inputs = [one.to(subject.device) for one in inputs] if isinstance(inputs, list) else inputs.to(subject.device)
        with torch.no_grad(), subject.autocast():
            problems = subject.task.output_problems(subject.looked_at(inputs), inputs)
        expected = "finite outputs within the contract"
        if problems:
            cause = "a division by the deviation or the range of an image, which is 0 here, or a logarithm: add an eps"
            return failed(some(problems), expected, cause)
        return passed("black, grey and white give finite outputs", expected)


@dataclass(frozen=True)
class EdgeLabels:
    """The first and the last class can be learned from: neither is out of range, and they are not the same."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Losses of batches that hold only the first and only the last class."""
        if not subject.paints:
            return skipped(NOT_PAINTED)
        classes = max(subject.task.sample_labels, 1)
        losses = {}
        for label in sorted({0, classes - 1}):
            batch = subject.batch(labels=[[label]] * min(subject.batch_size, 2))
            try:
                losses[label] = _loss_and_backward(subject, batch, backward=False)
            except (IndexError, RuntimeError) as error:
                if "out of memory" in str(error):
                    raise
                cause = "the head has fewer outputs than the task has classes, or labels start at another number: "
                cause += f"compare the last layer with {classes} classes from 0"
                return failed(f"label {label}: {error}", "every label from first to last is taken", cause)
        seen = ", ".join(f"label {label}: loss {loss:.3g}" for label, loss in losses.items())
        expected = f"finite losses for labels 0 and {classes - 1}"
        if not all(isfinite(loss) for loss in losses.values()):
            return failed(
                seen,
                expected,
                "a class weight or logarithm undefined at the edge: print each class's loss",
            )
        return passed(seen, expected)


@dataclass(frozen=True)
class IgnoredPixels:
    """Pixels marked ``ignore_index`` in a mask have no say in the loss."""

    why: str
    ignore_index: int = 255

    def __call__(self, subject: Subject) -> Outcome:
        """The gradient of the loss with respect to the model's per-pixel output, where the mask says ignore."""
        batch = subject.batch()
        if not is_mask(batch.targets) or not bool((batch.targets == self.ignore_index).any()):
            return skipped("no target of this task marks pixels to ignore")
        ignored = batch.targets == self.ignore_index
        gradient = _output_gradient(subject, batch)
        inside = float(gradient.abs().amax(1)[ignored].max())
        outside = float(gradient.abs().amax(1)[~ignored].max())
        expected = "no gradient from ignored pixels"
        seen = f"largest gradient {inside:.2g} from ignored pixels, {outside:.2g} from the others"
        if inside > 0:
            return failed(seen, expected, "the loss counts the ignore index as a class: pass ignore_index to it")
        return passed(seen, expected)


def _drop_last(why: str) -> Outcome:
    return skipped(f"cannot train on one image: {why}; drop_last=True in the loader leaves the rest of an epoch out")


def _backbone_needs_two(subject: Subject, size: int) -> bool:
    """Whether the backbone by itself cannot train on one image of that size."""
    prefix, backbone = named_backbone(subject.model())
    inputs = subject.batch(count=1, size=size).inputs
    if not prefix or not isinstance(inputs, Tensor):
        return False
    try:
        with torch.no_grad():
            backbone(inputs)
    except ValueError as error:
        return _ONE_VALUE in str(error)
    return False


def _loss_and_backward(subject: Subject, batch: Batch, backward: bool = True) -> float:
    """The training loss of an untrained model on a batch, and its backward pass; NaN where a gradient is not finite."""
    model = subject.losing
    torch.manual_seed(subject.seed)
    with torch.set_grad_enabled(backward):
        total = cast(Tensor, sum(subject.task.loss(model, batch.inputs, batch.targets).values()))
    if backward and total.requires_grad:
        total.backward()
        gradients = [p.grad.sum(dtype=torch.float32) for p in model.parameters() if p.grad is not None]
        model.zero_grad(set_to_none=True)
        if gradients and not isfinite(float(torch.stack(gradients).sum())):
            return float("nan")
    return float(total.detach())


def is_mask(targets: Any) -> bool:
    """Whether the targets are one stack of class maps, (N, H, W) int64."""
    return isinstance(targets, Tensor) and targets.dim() == 3 and targets.dtype == torch.int64


def _output_gradient(subject: Subject, batch: Batch) -> Tensor:
    """The gradient of the training loss with respect to the model's main output, (N, C, H, W)."""
    model, outputs = subject.model(), []

    def keep(module: object, args: object, output: Any) -> None:
        main = output["out"] if isinstance(output, dict) else output
        main.retain_grad()
        outputs.append(main)

    model.register_forward_hook(keep)
    cast(Tensor, sum(subject.task.loss(model, batch.inputs, batch.targets).values())).backward()
    return outputs[0].grad
