"""Results of operators on the meta device that need no working out.

torch tells the shapes of element-wise results in Python, at a fraction of a millisecond each; a step has thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

WORK_OUT = object()  # what `shortcut` gives where there is none
_SETTERS = {"zero_", "fill_", "copy_", "clamp_"}  # what they write may be known, and asked for later
SAME_TYPE = {  # element by element, in the type of what comes in
    *("abs", "add", "addcdiv", "addcmul", "cos", "div", "erf", "exp", "gelu", "hardsigmoid", "hardswish", "hardtanh"),
    *("leaky_relu", "lerp", "log", "log1p", "log_sigmoid", "mul", "neg", "reciprocal", "relu", "rsqrt", "rsub"),
    *("sigmoid", "silu", "sin", "softplus", "sqrt", "sub", "tanh"),
    *("gelu_backward", "hardsigmoid_backward", "hardswish_backward", "hardtanh_backward", "leaky_relu_backward"),
    *("sigmoid_backward", "silu_backward", "tanh_backward", "threshold_backward"),
}


def shortcut(function: Any, args: Any, kwargs: Any) -> Any:
    """The result of an operator on meta tensors, or `WORK_OUT`."""
    if not args:
        return WORK_OUT
    first = args[0][0] if isinstance(args[0], list | tuple) and args[0] else args[0]
    if not isinstance(first, Tensor) or not first.is_meta:
        return WORK_OUT
    if _writes_alone(function):
        return args[0] if function._schema.returns else None
    if function in _NORMALISING and _is_dense(first):
        return _NORMALISING[function](*args, **kwargs)
    if _keeps_type(function) and not kwargs and first.is_floating_point() and _alike(first, args[1:]):
        return torch.empty_like(first)
    return WORK_OUT


def _is_dense(first: Tensor) -> bool:
    return first.is_contiguous() or first.dim() == 4 and first.is_contiguous(memory_format=torch.channels_last)


def _alike(first: Tensor, others: Any) -> bool:
    """Whether all tensors among the arguments have the layout and the type of the first, which is dense."""
    if not _is_dense(first):
        return False
    layout = first.shape, first.stride(), first.dtype
    return all(
        (value.shape, value.stride(), value.dtype) == layout if isinstance(value, Tensor) else not _is_list(value)
        for value in others
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


@cache
def _writes_alone(function: Any) -> bool:
    """Whether an operator only changes numbers in place, element by element, as optimisers do."""
    name = function._schema.name.removeprefix("aten::")
    if not name.endswith("_") or name.endswith("__") or name in _SETTERS:
        return False
    return name.startswith("_foreach_") or torch.Tag.pointwise in function.tags


@cache
def _keeps_type(function: Any) -> bool:
    schema = function._schema
    return schema.name.startswith("aten::") and schema.name[6:] in SAME_TYPE and not schema.is_mutable


def _batch_norm(x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, *rest: Any) -> Any:
    if not training or weight is None:
        return WORK_OUT
    statistics = torch.float64 if x.dtype == torch.float64 else torch.float32
    return torch.empty_like(x), *(x.new_empty(x.shape[1], dtype=statistics) for _ in range(2))


def _batch_norm_backward(gradient: Tensor, x: Tensor, weight: Any, *rest: Any) -> Any:
    wanted = rest[-1]
    if weight is None or not all(wanted) or not _is_dense(x):
        return WORK_OUT
    return torch.empty_like(x), *(torch.empty_like(weight) for _ in range(2))


def _group_norm(
    x: Tensor, weight: Any, bias: Any, images: int, channels: int, pixels: int, groups: int, eps: float
) -> Any:
    if weight is None or weight.dtype != x.dtype or not x.is_contiguous():
        return WORK_OUT
    return torch.empty_like(x), *(x.new_empty((images, groups)) for _ in range(2))


def _group_norm_backward(gradient: Tensor, x: Tensor, mean: Any, deviation: Any, weight: Any, *rest: Any) -> Any:
    if weight is None or not all(rest[-1]) or weight.dtype != x.dtype or not x.is_contiguous():
        return WORK_OUT
    return torch.empty_like(x), *(torch.empty_like(weight) for _ in range(2))


_NORMALISING: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.native_batch_norm.default: _batch_norm,
    torch.ops.aten.native_batch_norm_backward.default: _batch_norm_backward,
    torch.ops.aten.native_group_norm.default: _group_norm,
    torch.ops.aten.native_group_norm_backward.default: _group_norm_backward,
}
