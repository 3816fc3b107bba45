"""Checks of other ways to compute the same numbers: half precision, memory format, compiler."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aistudio.checks.evaluation import furthest, raw
from aistudio.checks.outcome import Outcome, failed, passed, skipped
from aistudio.checks.rounding import rounding_noise, straying
from aistudio.checks.subject import Subject
from aistudio.errors import first_line


@dataclass(frozen=True)
class Autocast:
    """After some learning, ``dtype`` gives the float32 output: a cosine of at least ``cosine`` between the raw outputs.

    Below that, autocast is to blame only where it strays further than ``slack`` times what the rounding of the layers
    explains (`rounding_noise`); where that would explain any output at all, nothing can be told. Detectors only have to
    stay finite: their scores are tiny at first, and so is what rounding leaves of a cosine.
    """

    why: str
    dtype: str = "bfloat16"
    cosine: float = 0.99
    slack: float = 4.0
    steps: int = 10

    def __call__(self, subject: Subject) -> Outcome:
        """Raw outputs of the trained, recalibrated model, in float32 and under autocast."""
        inputs, dtype = subject.batch().inputs, getattr(torch, self.dtype)
        if not isinstance(inputs, list):
            subject.training.advance(self.steps, lambda first, loss: False)
        model = subject.trained()
        exact = raw(subject, model, inputs)
        try:
            with torch.autocast(subject.device.type, dtype=dtype):
                rounded = {name: value.float() for name, value in raw(subject, model, inputs).items()}
        except RuntimeError as error:
            if "not implemented for" not in str(error):
                raise
            return skipped(f"{subject.device.type} lacks an operation in {self.dtype}: {first_line(error)}")
        if not all(bool(torch.isfinite(value).all()) for value in rounded.values()):
            return failed(
                "NaN or infinity",
                f"finite outputs in {self.dtype}",
                "a number too large for the half type: keep that part in float32 (torch.autocast(enabled=False))",
            )
        if isinstance(inputs, list):
            return passed(f"finite in {self.dtype}", "finite outputs")
        least = min(float(cosine(exact[name], rounded[name])) for name in exact)
        seen, expected = f"cosine {least:.4f} in {self.dtype}", f"a cosine of at least {self.cosine:g} with float32"
        if least >= self.cosine:
            return passed(seen, expected)
        strayed = straying(exact, rounded)
        noise = rounding_noise(model, lambda: raw(subject, model, inputs), dtype, subject.seed)
        worst = max(exact, key=lambda name: strayed[name] / max(noise[name], 1e-12))
        seen = f"{seen}; off by {strayed[worst]:.2g} of the output, rounding explains {noise[worst]:.2g}"
        if strayed[worst] > self.slack * noise[worst]:
            cause = (
                "differences of large numbers, or a long sum: keep that part in float32 (torch.autocast(enabled=False))"
            )
            return failed(seen, f"{expected}, or at most {self.slack:g} times what rounding explains", cause)
        if self.slack * noise[worst] >= 1:
            return skipped(
                f"rounding alone turns this model's outputs around (off by {noise[worst]:.2g}): train it first"
            )
        return passed(seen, f"{expected}, or at most {self.slack:g} times what rounding explains")


@dataclass(frozen=True)
class ChannelsLast:
    """The memory format changes speed, not outputs. ``relative`` is the largest difference that rounding explains."""

    why: str
    relative: float = 2e-3

    def __call__(self, subject: Subject) -> Outcome:
        """Raw outputs in torch's own layout and with channels last."""
        model, inputs = subject.calibrated(), subject.batch().inputs
        plain = raw(subject, model.to(memory_format=torch.contiguous_format), layout(inputs, torch.contiguous_format))
        last = raw(subject, model.to(memory_format=torch.channels_last), layout(inputs, torch.channels_last))
        distance = furthest(plain, last)
        seen, expected = f"differ by {distance:.2g}", f"the same within {self.relative:g}"
        if not distance <= self.relative:
            return failed(
                seen, expected, "a view or as_strided that assumes an order in memory: take reshape, flatten or permute"
            )
        return passed(seen, expected)


@dataclass(frozen=True)
class Compiles:
    """``torch.compile`` gives the same outputs; looked at only where ``runtime.compile`` asks for it."""

    why: str
    relative: float = 2e-3

    def __call__(self, subject: Subject) -> Outcome:
        """Raw outputs of the model and of the compiled model."""
        if not subject.compiled:
            return skipped("runtime.compile is false; the first compiled call takes about a minute")
        model, inputs = subject.calibrated(), subject.batch().inputs
        plain = raw(subject, model, inputs)
        model.compile()
        distance = furthest(plain, raw(subject, model, inputs))
        seen, expected = f"differ by {distance:.2g}", f"the same within {self.relative:g}"
        if not distance <= self.relative:
            return failed(
                seen,
                expected,
                "the compiler takes another path: look for Python state that forward changes, and try backend='eager'",
            )
        return passed(seen, expected)


def layout(inputs: Tensor | list[Tensor], memory_format: torch.memory_format) -> Tensor | list[Tensor]:
    """A stack in another memory format; a list of single images has none to change."""
    return inputs if isinstance(inputs, list) else inputs.contiguous(memory_format=memory_format)


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """The cosine of the angle between two outputs, all numbers of all images as one vector."""
    return nn.functional.cosine_similarity(one.flatten().float(), other.flatten().float(), dim=0)
