"""What a file of weights says about itself: names, shapes and types of its tensors, without reading their numbers.

Standard library only, and no code of the file is run. Formats: torch's zip archives, torch's older files, safetensors.
"""

from __future__ import annotations

import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from aistudio.weights.first_bytes import foreign_format, kind_of_text
from aistudio.weights.no_file import SUFFIXES, why_absent, why_folder
from aistudio.weights.unpickle import TensorInfo, unpickle

_LONGEST_HEADER = 200_000_000  # bytes; that of a large language model's file has some millions
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_ITEM = {"double": 8, "float": 4, "half": 2, "bfloat16": 2, "long": 8, "int": 4, "short": 2, "char": 1, "byte": 1}
_SAFE_TYPES = {
    **{"F64": "double", "F32": "float", "F16": "half", "BF16": "bfloat16", "I64": "long", "I32": "int", "I16": "short"},
    **{"I8": "char", "U8": "byte", "BOOL": "bool"},
}


class Unreadable(Exception):
    """A file that no weights can be read from: ``why``, and what to take ``instead``."""

    def __init__(self, why: str, instead: str = "a file that torch.save has written, or a .safetensors file"):
        self.why, self.instead = why, instead
        super().__init__(why)


@dataclass(frozen=True)
class Header:
    """``content`` is what was saved, with `TensorInfo` for tensors; ``code`` names what torch would have to import."""

    format: str
    content: Any
    size: int
    code: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_header(path: Path) -> Header:
    """The header of a file of weights. Raises `Unreadable` for anything else."""
    try:
        if path.is_dir():
            raise Unreadable(*why_folder(path))
        if not path.exists():
            raise Unreadable(*why_absent(path))
        if not path.is_file():
            raise Unreadable("it is no regular file")
        with path.open("rb") as file:
            return _read(file, path.stat().st_size)
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__, "a file that you may read") from None


def _read(file: BinaryIO, size: int) -> Header:
    start = file.read(512)
    file.seek(0)
    if not start:
        raise Unreadable("it is empty (0 bytes)")
    if start.startswith(b"PK"):
        return _zip(file, size)
    if start[:1] == b"\x80":
        return _pickles(file, size)
    if start[8:9] == b"{":
        return _safetensors(file, size)
    if start[257:262] == b"ustar":
        raise Unreadable("it is a tar archive", "the file inside: " + _first_of_tar(file))
    if found := foreign_format(start) or kind_of_text(start):
        raise Unreadable(f"it is {found[0]}", found[1])
    raise Unreadable(_unknown(start))


def _first_of_tar(file: BinaryIO) -> str:
    try:
        with tarfile.open(fileobj=file) as archive:
            first = archive.next()
            return first.name[:80] if first else "unpack it"
    except tarfile.TarError:
        return "unpack it"


def _unknown(start: bytes) -> str:
    printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in start)
    if printable > 0.95 * len(start):
        return "it is text"
    if not any(start):
        return "it begins with zeros: a download that was never filled"
    return "its first bytes are of no format of weights"


def _zip(file: BinaryIO, size: int) -> Header:
    try:
        archive = zipfile.ZipFile(file)
        names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise Unreadable(f"it is cut or damaged: {size} bytes, without the directory at its end", AGAIN) from None
    pickles = [name for name in names if name.endswith("data.pkl") and name.count("/") <= 1]
    if not pickles:
        raise Unreadable(*_other_zip(names))
    root = pickles[0].removesuffix("data.pkl")
    if any(name.startswith(f"{root}code/") for name in names) or f"{root}constants.pkl" in names:
        raise Unreadable("it is a TorchScript program, which is code", "torch.jit.load(FILE).state_dict(), saved")
    if archive.getinfo(pickles[0]).file_size > _LONGEST_HEADER:
        raise Unreadable("its list of tensors is larger than any model's")
    try:
        content, code = unpickle(BytesIO(archive.read(pickles[0])))
    except (ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise Unreadable(f"its list of tensors cannot be read ({error})", AGAIN) from None
    return Header("torch", content, size, tuple(code))


AGAIN = "the file again, from where it came"


def _other_zip(names: list[str]) -> tuple[str, str]:
    if any(name.endswith(".npy") for name in names):
        return "it is an archive of NumPy's arrays", "torch.save of a state dict"
    if any(name.startswith("word/") or name.startswith("xl/") for name in names):
        return "it is an office document", "a file of weights"
    if "model.weights.h5" in names:
        return "it is a Keras model", "the same model's PyTorch weights"
    if any("com.apple.CoreML" in name for name in names):
        return "it is a Core ML model", "the same model's PyTorch weights"
    if any(name.endswith("archive_format") for name in names):
        return "it is a program of torch.export's", "torch.export.load(FILE).state_dict, saved"
    inside = [name for name in names if name.endswith(SUFFIXES)]
    return "it is a zip archive", f"the file inside: {inside[0][:80]}" if inside else "a file of weights"


def _pickles(file: BinaryIO, size: int) -> Header:
    """torch's older files: three short pickles, the object, the names of the storages, then the storages."""
    try:
        first, code = unpickle(file)
        if first != _TORCH_MAGIC:
            return _one_pickle(first, code, size)
        unpickle(file)  # the version
        unpickle(file)  # the machine
        content, code = unpickle(file)
        keys, _ = unpickle(file)
    except ValueError as error:
        raise Unreadable(f"it is cut or damaged, or no pickle of torch's ({error})", AGAIN) from None
    numbers = sum(count(one.shape) * _ITEM.get(one.dtype, 1) for one in _tensors_of(content))
    if isinstance(keys, list) and len(keys) == len({*map(str, keys)}) and size - file.tell() < 0.5 * numbers:
        raise Unreadable(f"it is cut: {size} bytes, and its tensors alone need {numbers}", AGAIN)
    return Header("torch (before 1.6)", content, size, tuple(code))


def _one_pickle(content: Any, code: list[str], size: int) -> Header:
    if code:
        shown = ", ".join(code[:3])
        raise Unreadable(f"it is a pickle that wants to run {shown}; nothing of it was run")
    raise Unreadable("it is a pickle that torch has not written", "torch.save of a state dict")


def _safetensors(file: BinaryIO, size: int) -> Header:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(_LONGEST_HEADER, size - 8):
        raise Unreadable(f"it is cut: its header alone has {length} bytes, the file {size}", AGAIN)
    try:
        header = json.loads(file.read(length))
        metadata = {str(key): str(value) for key, value in (header.pop("__metadata__", None) or {}).items()}
        content = {str(name): TensorInfo(*_shape_and_type(one)) for name, one in header.items()}
        ends = [_end(one, length + 8) for one in header.values()]
        gapless = _is_gapless([one["data_offsets"] for one in header.values()])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"its header cannot be read ({type(error).__name__})", AGAIN) from None
    if ends and max(ends) != size:
        raise Unreadable(f"it is cut or damaged: {size} bytes, and its header speaks of {max(ends)}", AGAIN)
    if not gapless:
        raise Unreadable("its header lies: tensors overlap, or there are gaps between them", AGAIN)
    return Header("safetensors", content, size, (), metadata)


def _is_gapless(offsets: list[list[int]]) -> bool:
    """Whether each tensor begins where another ends, as the format asks."""
    ends = sorted(offsets)
    return all(one[0] == before for one, before in zip(ends, [0, *(last for _, last in ends)], strict=False))


def _shape_and_type(entry: Mapping[str, Any]) -> tuple[tuple[int, ...], str]:
    shape = tuple(entry["shape"])
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError("shape")
    return shape, _SAFE_TYPES.get(entry["dtype"], str(entry["dtype"]).lower())


def _end(entry: Mapping[str, Any], start: int) -> int:
    first, last = entry["data_offsets"]
    shape, dtype = _shape_and_type(entry)
    if not 0 <= first <= last or dtype in _ITEM and last - first != count(shape) * _ITEM[dtype]:
        raise ValueError("offsets")
    return start + last


def count(shape: tuple[int, ...]) -> int:
    """How many numbers a shape holds."""
    numbers = 1
    for side in shape:
        numbers *= side
    return numbers


def _tensors_of(content: Any, depth: int = 4) -> list[TensorInfo]:
    """The tensors in a nest of mappings."""
    if isinstance(content, TensorInfo):
        return [content]
    if not isinstance(content, Mapping) or not depth:
        return []
    return [one for value in content.values() for one in _tensors_of(value, depth - 1)]
