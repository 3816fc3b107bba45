"""Answers what depends on data where there is none: sizes that only a run would know get an upper bound.

On the meta device ``.item()``, ``nonzero``, boolean indices, ``unique`` and NMS raise. Here they answer with the most
that they could give, told from what is known of the tensors (`aistudio.costs.facts`).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.models.detection import roi_heads

from aistudio.costs.facts import Fact, Facts
from aistudio.models.nested import tensors_in

aten = torch.ops.aten
_UNIQUE = 64  # values that `unique` gives at most: code that loops over them would hardly end otherwise
LIBRARIES = tuple(str(Path(module.__file__ or "").parent) for module in (torch, torchvision))


class CannotFollow(RuntimeError):
    """What comes next depends on data, and nothing bounds it. The message names the operator and the line."""


class DataDependent(TorchDispatchMode):
    """Enter it around the mode that counts, so that it stands below it. The arguments are those of `Facts`."""

    def __init__(self, foreground: float = 1.0, fewest: int | None = None):
        super().__init__()
        self.facts = Facts(foreground, fewest)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        answer = _ANSWERS.get(function)
        if answer is not None and any(value.is_meta for value in tensors_in(args)):
            return answer(self.facts, function, args, kwargs)
        try:
            result = function(*args, **kwargs)
        except (NotImplementedError, RuntimeError) as error:
            if not needs_data(error):
                raise
            raise CannotFollow(f"{function} cannot run on shapes alone{_line()}: {error}") from error
        self.facts.learn(function, args, kwargs, result)
        return result


def needs_data(error: Exception) -> bool:
    """Whether an error says that tensors on the meta device hold no numbers."""
    text = str(error).lower()
    return isinstance(error, NotImplementedError) or "meta" in text or "data-dependent" in text


@contextmanager
def pasting_whole_masks() -> Iterator[None]:
    """Let torchvision paste masks into images without asking where: they are as large as the image anyway."""
    paste = roi_heads.paste_masks_in_image

    def whole(masks: Tensor, boxes: Tensor, size: tuple[int, int], padding: int = 1) -> Tensor:
        one_by_one = [masks.new_empty(size) for _ in range(len(masks))]
        return torch.stack(one_by_one)[:, None] if one_by_one else masks.new_empty((0, 1, *size))

    transform = torchvision.models.detection.transform
    roi_heads.paste_masks_in_image = transform.paste_masks_in_image = whole
    try:
        yield
    finally:
        roi_heads.paste_masks_in_image = transform.paste_masks_in_image = paste


def _line() -> str:
    """The line of whoever asked: the innermost that is neither torch's nor torchvision's nor this package's."""
    for frame in reversed(traceback.extract_stack()):
        inside = (*LIBRARIES, str(Path(__file__).parent))
        if not frame.filename.startswith(inside):
            return f", in line {frame.lineno} of {Path(frame.filename).name}"
    return ""


def _as_numbers(facts: Facts, indices: Any) -> tuple[list[Any], bool]:
    """Indices whose boolean ones became integers, as many as they can have true elements; whether any was."""
    found: list[Any] = []
    masks = [index for index in indices if isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)]
    for index in indices:
        if any(index is mask for mask in masks):
            count = facts.most(index)
            found += [index.new_empty((count,), dtype=torch.int64) for _ in range(index.dim())]
        else:
            found.append(index)
    return found, bool(masks)


def _index(facts: Facts, function: Any, args: Any, kwargs: Any) -> Tensor:
    found, _ = _as_numbers(facts, args[1])
    return function(args[0], found, *args[2:], **kwargs)


def _write(facts: Facts, function: Any, args: Any, kwargs: Any) -> Tensor:
    """The target itself; a mask that was all zero has at most so many ones more."""
    target = args[0]
    found, boolean = _as_numbers(facts, args[1])
    before = facts.of(target).nonzero
    if before is not None:
        rows = max(index.numel() for index in found if isinstance(index, Tensor))
        facts.note(target, Fact(nonzero=min(before + rows, target.numel())))
    if not boolean:
        return function(*args, **kwargs)
    return torch.empty_like(target) if function is aten.index_put.default else target


def _nonzero(facts: Facts, function: Any, args: Any, kwargs: Any) -> Tensor:
    mask = args[0]
    places = mask.new_empty((facts.most(mask), mask.dim()), dtype=torch.int64)
    facts.note(places, Fact(greatest=max(mask.shape, default=1) - 1))
    return places


def _masked_select(facts: Facts, function: Any, args: Any, kwargs: Any) -> Tensor:
    value, _ = torch.broadcast_tensors(args[0], args[1])
    return value.new_empty((facts.most(args[1]) * (value.numel() // max(args[1].numel(), 1)),))


def _unique(facts: Facts, function: Any, args: Any, kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    values = args[0]
    count = min(values.numel(), facts.of(values).distinct or _UNIQUE)
    whole = values.new_empty(values.shape, dtype=torch.int64)
    return values.new_empty((count,)), whole, values.new_empty((count,), dtype=torch.int64)


def _keep(facts: Facts, function: Any, args: Any, kwargs: Any) -> Tensor:
    left = len(args[0]) if facts.fewest is None else min(facts.fewest, len(args[0]))
    return args[0].new_empty((left,), dtype=torch.int64)


def _item(facts: Facts, function: Any, args: Any, kwargs: Any) -> bool | int | float:
    """One number: the greatest that an integer can be, 1 for other numbers, false where nothing says true."""
    value, known = args[0], facts.of(args[0])
    if value.dtype == torch.bool:
        return known.truth
    if value.is_floating_point():
        return 1.0
    if known.greatest is None:
        raise CannotFollow(f"{function} reads an integer that nothing bounds{_line()}")
    return known.greatest


def _equal(facts: Facts, function: Any, args: Any, kwargs: Any) -> bool:
    return True


_ANSWERS: dict[Any, Callable[[Facts, Any, Any, Any], Any]] = {
    aten._local_scalar_dense.default: _item,
    aten.nonzero.default: _nonzero,
    aten.index.Tensor: _index,
    aten.index_put_.default: _write,
    aten.index_put.default: _write,
    aten._index_put_impl_.default: _write,
    aten.masked_select.default: _masked_select,
    aten._unique2.default: _unique,
    aten.equal.default: _equal,
    torch.ops.torchvision.nms.default: _keep,
}
