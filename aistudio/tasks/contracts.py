"""The contract of outputs that are one tensor."""

from __future__ import annotations

from torch import Tensor


def tensor_problems(output: object, shape: tuple[int, ...]) -> list[str]:
    """What is wrong with an output that should be one finite floating-point tensor of ``shape``."""
    if not isinstance(output, Tensor):
        return [f"the output is {type(output).__name__}; expected a tensor {shape}"]
    if tuple(output.shape) != shape:
        return [f"the output has shape {tuple(output.shape)}; expected {shape}"]
    if not output.is_floating_point():
        return [f"the output is {output.dtype}; expected a floating-point tensor"]
    if not output.isfinite().all():
        return ["the output has NaN or infinite values"]
    return []
