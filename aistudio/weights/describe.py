"""A file of weights in words: who wrote it, what is in it, what its first and last layers take and give."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from aistudio.weights.header import Header, count
from aistudio.weights.layouts import recognise
from aistudio.weights.match import is_counter, plain_names
from aistudio.weights.parts import Part, find_part, is_averaged
from aistudio.weights.unpickle import TensorInfo

_LAST = re.compile(
    r"(^|\.)(fc|classifier|head|heads|cls_score|cls_logits|logits|conv_seg|class_embed|linear|last_layer)\b"
)
_MOST_SHOWN = 3
_WHOLE = {"char", "byte", "short", "int", "long", "bool", "qint8", "quint8", "qint32"}


def part_of(header: Header) -> Part | None:
    """The state dict in a file that would be taken."""
    return find_part(header.content, lambda value: isinstance(value, TensorInfo))


def keys_of(header: Header) -> str:
    """What is in a file without tensors, in a few words."""
    content = header.content
    if not isinstance(content, Mapping) or not content:
        return ""
    names = [str(name)[:40] for name in content]
    if {"state", "param_groups"} <= {*names}:
        return ": it is an optimizer's state, not a model's"
    if any("_packed_params" in str(name) for name in content):
        return ": they are packed into a quantised model's own form"
    return f": {', '.join(names[:4])}{' …' * (len(names) > 4)}"


def whole_numbers(part: Part) -> tuple[str, str] | None:
    """Why weights that were rounded to whole numbers cannot be loaded, and what can; None for others."""
    kernels = [one.dtype for one in part.tensors.values() if len(one.shape) > 1]
    whole = [kind for kind in kernels if kind in _WHOLE]
    if 2 * len(whole) <= len(kernels) or not whole:
        return None
    why = f"its weights are whole numbers ({whole[0]}): quantised, or saved by mistake"
    return why, "the weights before quantisation"


def shapes_of(part: Part) -> dict[str, tuple[int, ...]]:
    """The shapes of a part's tensors by name."""
    return {name: one.shape for name, one in part.tensors.items()}


def facts(path: Path, header: Header, part: Part | None, sha256: str) -> dict[str, str]:
    """What can be said of a file without a model to compare it with; a line each."""
    said = {"file": f"{path}, {header.size / 1e6:.1f} MB, {header.format}, SHA-256 {sha256[:8]}…"}
    if header.code:
        more = f" and {len(header.code) - _MOST_SHOWN} more" if len(header.code) > _MOST_SHOWN else ""
        said["code"] = f"it asks for {', '.join(header.code[:_MOST_SHOWN])}{more}; it was not run, and is never loaded"
    if part is None:
        return {**said, "holds": f"no tensors by name{keys_of(header)}"}
    types = Counter(one.dtype or "unknown" for name, one in part.tensors.items() if not is_counter(name))
    numbers = sum(count(one.shape) for one in part.tensors.values())
    kinds = " and ".join(kind for kind, _ in types.most_common(2))
    said["holds"] = f"{len(part.tensors)} tensors, {numbers / 1e6:.2f} M numbers, {kinds}"
    said["taken from"] = _place(part)
    said["written by"] = recognise(plain_names(part.tensors)).framework
    said["wrappers"] = _wrappers(part)
    said["channels"], said["classes"] = _first_layer(shapes_of(part)), _last_layer(shapes_of(part))
    return {name: text for name, text in said.items() if text}


def _place(part: Part) -> str:
    if not part.place and not part.others:
        return ""
    kind = ", a moving average" if is_averaged(part.place) else ""
    others = f"; also there: {', '.join(part.others[:_MOST_SHOWN])}" if part.others else ""
    return f"{part.place or 'the file itself'}{kind}{others}"


def _wrappers(part: Part) -> str:
    changed = [(name, plain) for plain, name in plain_names(part.tensors).items() if plain != name]
    return f"{changed[0][0]} is read as {changed[0][1]}" if changed else ""


def _first_layer(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The input channels of the first convolution."""
    found = next(((name, shape) for name, shape in shapes.items() if len(shape) == 4), None)
    return f"{found[1][1]} ({found[0]})" if found else ""


def _last_layer(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The outputs of the layers that tell classes apart, by their usual names."""
    found = [
        (name, shape)
        for name, shape in shapes.items()
        if name.endswith("weight") and len(shape) in (2, 4) and _LAST.search(name)
    ]
    if not found:
        return "no layer that tells classes apart: a backbone alone"
    name, shape = found[-1]
    return f"{shape[0]} outputs ({name})"
