"""Read a file of weights into tensors, and put them into a model. No code of the file is ever run."""

from __future__ import annotations

import argparse
import json
import mmap
import pathlib
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from aistudio.weights.describe import part_of, whole_numbers
from aistudio.weights.header import AGAIN, Header, Unreadable, read_header
from aistudio.weights.parts import Part, find_part

HARMLESS = [  # what training loops put beside the tensors: arguments, paths, single numbers
    argparse.Namespace,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    numpy.dtype,
    numpy.ndarray,
    *(
        (getattr(import_module("numpy._core.multiarray"), name), f"{module}.{name}")
        for name in ("scalar", "_reconstruct")
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")  # before and after NumPy 2
    ),
    *(getattr(numpy.dtypes, name) for name in numpy.dtypes.__all__),
]
_TYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8},
    **{"BOOL": torch.bool, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2},
}
_CLEAN = (
    "torch.save(model.state_dict(), FILE) where that code is; or, if you trust the file, load it there and save that"
)


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of one file; ``part`` says which state dict in it they are, ``format`` how it was written."""

    path: Path
    format: str
    part: Part

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The state dict that was taken, by the file's names."""
        return self.part.tensors


def read_checkpoint(path: Path) -> Checkpoint:
    """The tensors of a file, mapped into memory where its format lets them be. Raises `Unreadable`."""
    header = read_header(path)
    if header.code:
        raise Unreadable(f"it needs code to be read: {shown(header.code)}; nothing of it was run", _CLEAN)
    content = _read_safetensors(path) if header.format == "safetensors" else _torch_load(path, header)
    part = find_part(content, lambda value: isinstance(value, Tensor))
    if part is None:
        raise Unreadable(_without_tensors(content))
    described = part_of(header)
    if described and (quantised := whole_numbers(described)):
        raise Unreadable(*quantised)
    if odd := [name for name, tensor in part.tensors.items() if _is_odd(tensor)]:
        what = "its tensors are sparse, quantised or complex"
        raise Unreadable(f"{what}: {shown(odd)}", "the same weights as plain tensors")
    return Checkpoint(path, header.format, part)


def _is_odd(tensor: Tensor) -> bool:
    return tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_complex()


def _torch_load(path: Path, header: Header) -> Any:
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=header.format == "torch" or None)
    except UnpicklingError as error:
        raise Unreadable(f"torch does not read it as data: {_sentence(error)}; nothing of it was run", _CLEAN) from None
    except (RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError, AssertionError, OSError) as error:
        raise Unreadable(f"it is cut or damaged ({_sentence(error)})", AGAIN) from None


def _sentence(error: BaseException) -> str:
    """The part of torch's message that speaks of the file."""
    text = str(error).rpartition("WeightsUnpickler error: ")[2] or type(error).__name__
    return " ".join(text.split("\n")[0].split(". ")[0].split())[:160]


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file that `read_header` has accepted, as views of the mapped file."""
    with path.open("rb") as file:
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # torch wants to be able to write
    (length,) = struct.unpack("<Q", whole[:8])
    found = {}
    for name, entry in json.loads(whole[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _TYPES:
            raise Unreadable(f"{name} is of type {entry['dtype']}, which torch does not have")
        dtype, (first, last) = _TYPES[entry["dtype"]], entry["data_offsets"]
        if last == first:
            found[name] = torch.empty(entry["shape"], dtype=dtype)
            continue
        bytes_ = torch.frombuffer(whole, dtype=torch.uint8, count=last - first, offset=8 + length + first)
        aligned = bytes_ if (8 + length + first) % dtype.itemsize == 0 else bytes_.clone()
        found[name] = aligned.view(dtype).view(entry["shape"])
    return found


def _without_tensors(content: Any) -> str:
    """Why there is no state dict in what was saved."""
    if isinstance(content, Tensor):
        return f"it holds one tensor {tuple(content.shape)}, not a state dict"
    if isinstance(content, Mapping):
        keys = [str(key) for key in content]
        return f"it holds no tensors by name: {shown(keys)}" if keys else "it holds an empty dictionary"
    return f"it holds {type(content).__name__}, not a state dict"


def shown(names: Any, most: int = 3) -> str:
    """Some names, and how many more there are."""
    names = [str(name)[:80] for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shapes of tensors by their names."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def state(model: nn.Module) -> dict[str, Tensor]:
    """A model's parameters and buffers by name, the tensors themselves."""
    return {name: tensor for name, tensor in model.state_dict(keep_vars=True).items() if isinstance(tensor, Tensor)}


@contextmanager
def writing(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The state of a model, to be written to in place."""
    with torch.no_grad():
        yield state(model)
