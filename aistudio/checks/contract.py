"""Checks of what comes out: names, shapes, dtypes and ranges, finite numbers, and images of odd sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.ao.quantization import ObserverBase
from torch.nn.modules.batchnorm import _NormBase

from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.raised import is_out_of_memory
from aistudio.checks.subject import Subject
from aistudio.errors import first_line
from aistudio.models.anatomy import named_backbone
from aistudio.models.backbone import BackboneWrapper
from aistudio.models.dry_run import dry_run
from aistudio.models.nested import map_tensors, tensors_in


@dataclass(frozen=True)
class OutputContract:
    """What the model gives in train and in eval mode is what the task promises to losses and metrics."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """One eval output for the shared batch, and the output of the first training step."""
        inputs = subject.batch().inputs
        found = [f"eval: {problem}" for problem in subject.task.output_problems(subject.output, inputs)]
        first = subject.training.first
        given = inputs if first.inputs is None else first.inputs  # a loss may show the model each image twice
        found += [f"train: {problem}" for problem in subject.task.training_output_problems(first.output, given)]
        expected = f"the output contract of {type(subject.task).__name__}, in train and eval mode"
        if found:
            return failed(
                some(found),
                expected,
                "the head does not fit the task, or decodes wrongly: look at its last layer",
            )
        return passed(describe(subject.output), expected)


@dataclass(frozen=True)
class BackboneContract:
    """Every feature map of a wrapped backbone has the channels and the stride that the wrapper states."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """One ``forward_multiscale`` in eval mode, against ``channels``, ``strides`` and ``forward``."""
        wrapper = getattr(subject.built, "backbone", None)
        if not isinstance(wrapper, BackboneWrapper):
            return skipped("the backbone is built into the architecture")
        if not wrapper.channels:
            return skipped(wrapper.why_no_scales)
        wrapper, inputs = cast(BackboneWrapper, subject.looked_at.backbone), subject.batch().inputs
        if not isinstance(inputs, Tensor):
            return skipped("the model takes a list of images, and scales them itself")
        with torch.no_grad():
            maps, last = wrapper.forward_multiscale(inputs[:1]), wrapper(inputs[:1])
        stated = {
            feat: (wrapper.channels[feat], ceil(subject.size / stride)) for feat, stride in wrapper.strides.items()
        }
        seen = {feat: (value.shape[1], value.shape[2]) for feat, value in maps.items()}
        expected = in_words(stated)
        if seen != stated:
            return failed(
                in_words(seen),
                expected,
                "taps in the backbone's YAML name other modules or other widths: backbone.taps=null finds them",
            )
        if not torch.equal(maps["feat4"], last):
            return failed(
                "feat4 is not what forward gives",
                expected,
                "the last tap is not the end of the backbone: backbone.taps=null finds it",
            )
        return passed(in_words(seen), expected)


@dataclass(frozen=True)
class OddSizes:
    """Sides that no stride divides still give a whole output. ``height`` and ``width`` in pixels."""

    why: str
    height: int = 97
    width: int = 133

    def __call__(self, subject: Subject) -> Outcome:
        """The eval contract on two images of height × width; detectors get the second one turned."""
        samples = subject.batch(count=2, size=max(self.height, self.width)).samples
        images = [sample.image[:, : self.height, : self.width] for sample in samples]
        turned = subject.task.inputs([images[0], images[1].transpose(1, 2)]) if _takes_lists(subject) else None
        inputs = map_tensors(lambda one: one.to(subject.device), turned or subject.task.inputs(images))
        seen = f"{self.height} x {self.width} px"
        try:
            with torch.no_grad(), subject.autocast():
                found = subject.task.output_problems(subject.looked_at(inputs), inputs)
        except Exception as error:
            bound = self._bound(subject)
            if bound and not is_out_of_memory(error):
                return skipped(f"{bound}; at {seen} it says: {first_line(error)}")
            raise
        expected = "the same output contract as for any size"
        if found:
            return failed(
                f"{seen}: {some(found)}",
                expected,
                "the model computes its shapes for one size only: take sizes from x.shape, pool adaptively",
            )
        return passed(seen, expected)

    def _bound(self, subject: Subject) -> str:
        """That the backbone itself takes certain sizes only, or "" where it is the rest that does not fit."""
        prefix, backbone = named_backbone(subject.built)
        if not prefix or _takes_lists(subject):
            return ""
        try:
            dry_run(backbone, self.height, self.width)
        except Exception:  # whatever it raises, it does not take this size
            return "the backbone is bound to sizes of its own: give it images at task.image_size"
        return ""


@dataclass(frozen=True)
class AllFinite:
    """No NaN and no infinity in parameters, buffers, losses or outputs; a buffer may mask by minus infinity."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Looks through the model as built, one eval output and the first training loss."""
        named = dict(_named_floats(subject.built))
        bad = [name for name, finite in zip(named, all_finite(named.values()), strict=True) if not finite]
        unbounded = _unbounded(subject.built) if bad else set()
        bad = [name for name in bad if name not in unbounded]
        if bad:
            cause = "a damaged weight file (load it alone and look), or an initialisation that divides by zero"
            return failed(f"NaN or infinity in {some(bad)}", "finite parameters and buffers", cause)
        bad = [f"the loss {name}" for name, loss in subject.training.first.parts.items() if not isfinite(loss)]
        if not all(all_finite(one for one in tensors_in(subject.output) if one.is_floating_point())):
            bad.append("the eval output")
        if bad:
            cause = "a logarithm or division of zero (add an eps), or a signal that explodes: "
            cause += "torch.autograd.set_detect_anomaly(True) names the place"
            return failed(f"NaN or infinity in {some(bad)}", "finite losses and outputs", cause)
        return passed(f"{len(named)} tensors, losses and outputs are finite")


def in_words(maps: Mapping[str, tuple[int, int]]) -> str:
    """Channels and side of every map: ``feat1 64 x 16 px, …``."""
    return ", ".join(f"{feat} {channels} x {side} px" for feat, (channels, side) in maps.items())


def _takes_lists(subject: Subject) -> bool:
    """Whether the model takes a list of images, which may differ in size, or one stack."""
    return isinstance(subject.batch().inputs, list)


def _named_floats(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every floating-point parameter and buffer with its name."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point():
            yield name, tensor.detach()


def _unbounded(model: nn.Module) -> set[str]:
    """Buffers that may hold infinities: masks, which are minus infinity, and observers that have seen nothing yet."""
    found = set()
    for path, module in model.named_modules():
        for name, buffer in module.named_buffers(recurse=False):
            masks = not isinstance(module, _NormBase) and not bool((buffer.isnan() | (buffer == torch.inf)).any())
            if masks or isinstance(module, ObserverBase):
                found.add(f"{path}.{name}".lstrip("."))
    return found


def all_finite(tensors: Any) -> list[bool]:
    """For each tensor whether it is finite throughout; a sum that is finite proves it at the price of one pass."""
    tensors = list(tensors)
    if not tensors:
        return []
    sums = torch.stack([tensor.sum(dtype=torch.float32) for tensor in tensors]).tolist()
    pairs = zip(sums, tensors, strict=True)
    return [isfinite(total) or bool(torch.isfinite(tensor).all()) for total, tensor in pairs]


def describe(output: Any) -> str:
    """An output in words: ``(4, 10) float32`` or ``4 × {boxes, labels, scores}``."""
    if isinstance(output, Tensor):
        return f"{tuple(output.shape)} {str(output.dtype).removeprefix('torch.')}"
    if isinstance(output, dict):
        return "{" + ", ".join(f"{name} {describe(value)}" for name, value in output.items()) + "}"
    if isinstance(output, list | tuple) and output and isinstance(output[0], dict):
        return f"{len(output)} x {{{', '.join(output[0])}}}"
    return type(output).__name__
