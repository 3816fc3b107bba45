"""How many bytes of tensors are alive at every operator of a step: counted where torch dispatches.

Counted are distinct storages, each from the operator that makes it until its last tensor dies. What a kernel takes for
itself and gives back before it returns (workspaces of cuDNN and cuBLAS) is not seen here.
"""

from __future__ import annotations

import bisect
import weakref
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, UntypedStorage, nn
from torch.utils._python_dispatch import TorchDispatchMode

from aistudio.costs.shortcuts import WORK_OUT, shortcut
from aistudio.models.nested import tensors_in

Kind = Literal["weights", "gradients", "optimizer", "activations", "input"]
KINDS: tuple[Kind, ...] = ("weights", "gradients", "optimizer", "activations", "input")
BLOCKS = {"cuda": 512, "cpu": 1}  # bytes: CUDA's allocator rounds every tensor up to whole ones
_SUM_OF_GRADIENTS = (torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor)


class Block(weakref.ref):
    """One storage: how large it is and what it is for, until nothing holds it any more."""

    __slots__ = ("key", "kind", "size")
    key: int
    kind: Kind
    size: int


class LiveBytes(TorchDispatchMode):
    """Counts the live bytes of tensors on one device while it is entered, and remembers the highest point.

    ``peak`` is that point in bytes, ``at_peak`` the same by kind, ``place`` the module whose operator reached it and
    ``phase`` whatever the caller had set. ``model``, if given, lends the places their names.
    """

    def __init__(self, model: nn.Module | None = None, device: str = "meta", block: int = 512):
        super().__init__()
        self.device, self.block = device, block
        self.live: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.total = self.peak = 0
        self.at_peak = dict(self.live)
        self.phase = self.peak_phase = self.place = ""
        self._blocks: dict[int, Block] = {}
        self._modules = _Modules(model)

    def __enter__(self) -> LiveBytes:
        self._modules.watch()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._modules.forget()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = shortcut(function, args, kwargs)
        if result is WORK_OUT:
            result = function(*args, **(kwargs or {}))
        kind: Kind = "optimizer" if self.phase == "optimizer" else "activations"
        added = self.hold(tensors_in(result), kind)
        if added and not self._sums_gradients(function, args):
            self._look()
        return result

    def hold(self, values: Iterable[Any], kind: Kind) -> int:
        """Count the storages of tensors under a kind from now on; returns the bytes that were not counted before."""
        added = 0
        for value in values:
            if isinstance(value, Tensor) and value.device.type == self.device and value.layout == torch.strided:
                added += self._hold(value.untyped_storage(), kind)
        return added

    def rename(self, values: Iterable[Any], kind: Kind) -> None:
        """Say what tensors that may be counted already are for."""
        for value in values:
            if not isinstance(value, Tensor) or value.device.type != self.device:
                continue
            block = self._blocks.get(value.untyped_storage()._cdata)
            if block is None:
                self.hold([value], kind)
            elif block.kind != kind:
                self.live[block.kind] -= block.size
                self.live[kind] += block.size
                block.kind = kind
        self._look()

    def _hold(self, storage: UntypedStorage, kind: Kind) -> int:
        key, size = storage._cdata, -(-storage.nbytes() // self.block) * self.block
        if key in self._blocks or not size:
            return 0
        block = Block(storage, self._release)
        block.key, block.kind, block.size = key, kind, size
        self._blocks[key] = block
        self.live[kind] += size
        self.total += size
        return size

    def _release(self, block: Block) -> None:
        self._blocks.pop(block.key, None)
        self.live[block.kind] -= block.size
        self.total -= block.size

    def _look(self) -> None:
        if self.total > self.peak:
            self.peak, self.at_peak, self.peak_phase = self.total, dict(self.live), self.phase
            self.place = self._modules.now()

    def _sums_gradients(self, function: Any, args: Any) -> bool:
        """Whether autograd adds up two gradients of one tensor.

        Under a dispatch mode it always makes a new tensor for the sum; in a real step it adds in place, so that the
        moment in which all three exist is none of a real step's.
        """
        if function not in _SUM_OF_GRADIENTS or self.phase != "backward" or len(args) < 2:
            return False
        return isinstance(args[1], Tensor) and args[0].shape == args[1].shape


class _Modules:
    """Which module computes: the one entered last going forward, the one that made the graph's node going back."""

    def __init__(self, model: nn.Module | None):
        self._names = {module: name for name, module in model.named_modules()} if model is not None else {}
        self._hooks: list[Any] = []
        self._starts: list[int] = []  # autograd numbers its nodes as they are made
        self._entered: list[str] = []

    def watch(self) -> None:
        """Follow the forward passes from now on."""
        for module in self._names:
            if not any(True for _ in module.children()):
                self._hooks.append(module.register_forward_pre_hook(self._enter))

    def forget(self) -> None:
        """Take the hooks away again."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def now(self) -> str:
        """The dotted name of the module that computes, "" where none is known."""
        node = torch._C._current_autograd_node()
        if node is None:
            return self._entered[-1] if self._entered else ""
        index = bisect.bisect_right(self._starts, node._sequence_nr()) - 1
        return self._entered[index] if 0 <= index < len(self._entered) else ""

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._starts.append(torch._C._autograd._get_sequence_nr())
        self._entered.append(self._names[module])
