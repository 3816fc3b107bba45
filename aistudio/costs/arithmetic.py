"""What a step computes and moves: multiply-adds and bytes of every operator, counted where torch dispatches.

Convolutions and matrix products count, as in published figures; normalisation, activations and pooling do not. Bytes
are those that an operator reads and writes if it goes through memory once. Activations are the elements that
convolutions write, as Radosavovic et al. define them (Designing Network Design Spaces, 2020): a GPU's time follows them
more closely than multiply-adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from aistudio.models.nested import tensors_in

aten = torch.ops.aten
CONVOLUTIONS = {aten.convolution, aten._convolution, aten.cudnn_convolution, aten.mkldnn_convolution}


@dataclass(frozen=True)
class Operation:
    """One operator of a pass: ``multiply_adds``, ``bytes`` moved, and the precision in which it computes.

    ``activations`` are the elements that a convolution writes, 0 of other operators.
    """

    name: str
    multiply_adds: int
    bytes: int
    dtype: torch.dtype
    activations: int = 0


class Arithmetic(TorchDispatchMode):
    """Lists the `Operation`s of what runs while it is entered; operators without multiply-adds are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        count = multiply_adds(function, args, kwargs or {}, result)
        if count:
            moved = sum(_size(value) for value in tensors_in((args, kwargs, result)))
            written = result.numel() if function.overloadpacket in CONVOLUTIONS else 0
            self.operations.append(Operation(str(function), count, moved, _dtype(result), written))
        return result

    @property
    def multiply_adds(self) -> int:
        """Of all of them."""
        return sum(operation.multiply_adds for operation in self.operations)

    @property
    def activations(self) -> int:
        """Of all of them."""
        return sum(operation.activations for operation in self.operations)


def multiply_adds(function: Any, args: Any, kwargs: Any, result: Any) -> int:
    """Those of one operator. torch's own counter is wrong for the gradients of grouped convolutions, which are here."""
    if function is aten.convolution_backward.default:
        return _convolution_backward(*args)
    count = flop_registry.get(getattr(function, "overloadpacket", None))
    return count(*args, **kwargs, out_val=result) // 2 if count else 0


def _convolution_backward(gradient: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> int:
    """Each of the two gradients costs what the forward pass does: every output value meets its receptive field."""
    transposed, wanted = rest[4], rest[-1]
    values = x if transposed else gradient
    return (bool(wanted[0]) + bool(wanted[1])) * values.numel() * prod(weight.shape[1:])


def _size(value: Tensor) -> int:
    """The bytes that a tensor spans in memory: expanded axes are there once."""
    return value.element_size() * prod(size for size, stride in zip(value.shape, value.stride(), strict=True) if stride)


def _dtype(result: Any) -> torch.dtype:
    return tensors_in(result)[0].dtype
