"""Read a pickle as data: names, shapes and plain values. Nothing that a pickle names is imported or called.

Every class and function that the pickle asks for is answered by a stand-in, which remembers its name and does nothing.
Only what torch needs to describe a tensor is understood. The stand-ins are all that can be called, so that a pickle
full of code is as harmless as any other file.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

_MOST = 4_000_000  # instructions; the largest models have some ten thousand tensors, each some fifty of them
PLAIN = {  # what torch reads with weights_only=True, besides its own
    "collections": {"OrderedDict", "Counter", "defaultdict"},
    "argparse": {"Namespace"},
    "builtins": {"set", "frozenset", "complex", "bytearray", "slice"},
    "__builtin__": {"set", "frozenset", "complex", "bytearray", "slice"},
    "_codecs": {"encode"},
    "pathlib": {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "pathlib._local": {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "numpy": {"dtype", "ndarray"},
    "numpy.core.multiarray": {"scalar", "_reconstruct"},
    "numpy._core.multiarray": {"scalar", "_reconstruct"},
}


@dataclass(frozen=True)
class TensorInfo:
    """What a file says of a tensor without its numbers."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class _Storage:
    dtype: str


class _StandIn:
    """Takes the place of any object: it can be called, filled and given a state, and does nothing."""

    path = ""

    def __new__(cls, *arguments: Any, **options: Any) -> _StandIn:
        """Take any arguments."""
        return super().__new__(cls)

    def __init__(self, *arguments: Any, **options: Any):
        self.state: Any = None

    def __call__(self, *arguments: Any) -> _StandIn:
        """Give another stand-in."""
        return _StandIn()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, value: Any) -> None:
        """Forget the value."""

    def extend(self, values: Any) -> None:
        """Forget the values."""

    def add(self, value: Any) -> None:
        """Forget the value."""


class _Counted(dict):
    """What instructions do, for so many of them: a short file can unpack to a list that takes minutes to read."""

    left = 0

    def __getitem__(self, key: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError("more instructions than any model has")
        return super().__getitem__(key)


class Reader(pickle._Unpickler):  # in Python: the one in C reserves memory for whatever a file says
    """Unpickles stand-ins; ``named`` are the classes and functions that the file asks for beyond tensors."""

    def __init__(self, file: BinaryIO):
        super().__init__(file, encoding="utf-8", errors="replace")
        counted = _Counted(self.dispatch)
        counted.left = _MOST
        self.dispatch = counted  # type: ignore[misc]  # the class's table, for this file alone
        self.named: dict[str, None] = {}
        self._made: dict[str, type[_StandIn]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, except for what makes tensors and ordered dictionaries."""
        module, name = str(module), str(name)
        if module == "collections" and name == "OrderedDict":
            return OrderedDict
        if module.startswith("torch") and name in _TENSORS:
            return _TENSORS[name]
        path = f"{module}.{name}"
        if module != "torch" and not module.startswith("torch.") and name not in PLAIN.get(module, ()):
            self.named[path] = None
        elif module.startswith("torch.nn.") and name != "Parameter":
            self.named[path] = None  # a layer is code, too
        if path not in self._made:
            self._made[path] = type("StandIn", (_StandIn,), {"path": path})
        return self._made[path]

    def get_extension(self, code: int) -> None:
        """Codes of ``copyreg`` stand for classes of this process; a file of tensors has none."""
        raise pickle.UnpicklingError(f"extension code {code}")

    def persistent_load(self, key: Any) -> _Storage:
        """A storage, of which the element type is all that is wanted."""
        kind = key[1] if isinstance(key, tuple) and len(key) > 1 else None
        path = getattr(kind, "path", "")
        return _Storage(path.rpartition(".")[2].removesuffix("Storage").lower())


def _described(storage: Any, offset: Any = 0, size: Any = (), *rest: Any) -> TensorInfo:
    whole = isinstance(size, tuple | list) and all(isinstance(side, int) for side in size)
    return TensorInfo(tuple(size) if whole else (-1,), storage.dtype if isinstance(storage, _Storage) else "")


def _first(value: Any = None, *rest: Any) -> Any:
    return value


_TENSORS: dict[str, Callable[..., Any]] = {
    "_rebuild_tensor": _described,
    "_rebuild_tensor_v2": _described,
    "_rebuild_tensor_v3": _described,
    "_rebuild_parameter": _first,
    "_rebuild_parameter_with_state": _first,
}


def unpickle(file: BinaryIO) -> tuple[Any, list[str]]:
    """One pickle from a file as plain values, `TensorInfo` and stand-ins; and what it names that is no data.

    Raises `ValueError` for what is no pickle, is cut, or is nested so deeply that it cannot be read.
    """
    reader = Reader(file)
    try:
        return reader.load(), list(reader.named)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # whatever a hostile pickle makes its reader stumble over, MemoryError included
        raise ValueError(f"{type(error).__name__}: {str(error)[:120] or 'it ends too early'}") from None
