"""A check that a model can go to another device and type as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import Subject
from aistudio.errors import first_line
from aistudio.models.nested import tensors_in

_MIXED = ("same device", "not on the expected device", "two devices", "device meta", "different devices")
LEFT = ("out of meta tensor", "no data", "can't convert meta", "meta device type tensor to numpy", "numpy()")


class _Types(TorchDispatchMode):
    """Inside, notes which operations make float64 out of something."""

    def __init__(self) -> None:
        super().__init__()
        self.wide: dict[str, None] = {}

    def __torch_dispatch__(
        self, func: Callable, types: Iterable[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Every operation is done, and looked at."""
        result = func(*args, **(kwargs or {}))
        if any(one.dtype == torch.float64 and one.dim() for one in tensors_in(result)):
            self.wide[str(func).removeprefix("aten.").partition(".")[0]] = None
        return result


@dataclass(frozen=True)
class Portable:
    """Everything that a model holds goes along to another device, and it computes in its own type."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """One eval pass on the meta device, which computes nothing and refuses tensors that stayed on the CPU."""
        expected = "every tensor on the device and in the type of the weights"
        tensors = [*subject.built.named_parameters(), *subject.built.named_buffers()]
        kinds = [tensor.dtype for _, tensor in tensors if tensor.is_floating_point()]
        wide = [name for name, tensor in tensors if tensor.dtype == torch.float64]
        if wide and torch.float32 in kinds:
            cause = "numbers of numpy or Python became float64: half the speed, and no half precision; give dtype"
            return failed(f"float64: {some(wide)}", expected, cause)
        model = subject.model().eval().to("meta")
        inputs = subject.batch().inputs[:2]
        inputs = [image.to("meta") for image in inputs] if isinstance(inputs, list) else inputs.to("meta")
        try:
            with torch.no_grad(), _Types() as types:
                output = subject.task.raw_outputs(model, inputs)
        except Exception as error:
            return self._stopped(error, expected)
        stayed = [name for name, value in output.items() if value.device.type != "meta"]
        if stayed:
            return failed(f"{some(stayed)} comes from the CPU", expected, "the output is moved: leave it where it is")
        if types.wide and torch.float64 not in kinds:
            cause = "numbers of numpy or Python, or .double(): slow on GPUs, not there on some; give dtype"
            return failed(f"float64 comes out of {some(types.wide)}", expected, cause)
        return passed(f"{len(tensors)} tensors go along", expected)

    def _stopped(self, error: Exception, expected: str) -> Outcome:
        """A pass that did not come to its end: because tensors stayed behind, or because meta computes nothing."""
        said = first_line(error)
        if any(words in str(error) for words in _MIXED):
            cause = "a tensor that is neither parameter nor buffer, or made on a device that is named in forward: "
            return failed(said, expected, f"{cause}register_buffer it, or make it with device=x.device")
        if any(words in str(error) for words in LEFT):
            cause = "values leave the device inside forward (.cpu(), .numpy(), .tolist()): stay in torch"
            return failed(said, expected, cause)
        return skipped(f"the model cannot run on the meta device ({type(error).__name__}: {said})")
