"""What can be known of a tensor's values where there are none: how many are not zero, how many differ, how great.

Masks that are zero but for what is written by index are followed through the operators that samplers use, so that one
which draws 256 of 100 000 anchors gives 256. Integers that were clamped to a range fall evenly into it, as regions do
into the levels of a pyramid.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


@dataclass(frozen=True)
class Fact:
    """At most ``nonzero`` elements are not 0; ``distinct`` integers; none is greater than ``greatest``.

    ``truth`` is what a single bool is taken to be.
    """

    nonzero: int | None = None
    distinct: int | None = None
    greatest: int | None = None
    truth: bool = False


class Facts:
    """What is known of tensors, each for as long as its storage lives.

    ``foreground`` is the share of labels taken to be greater than a number; ``fewest`` makes it a number of
    labels, and is what NMS leaves.
    """

    def __init__(self, foreground: float, fewest: int | None):
        self.foreground, self.fewest = foreground, fewest
        self.asked_for_foreground = False
        self._known: dict[int, tuple[weakref.ref, Fact]] = {}

    def of(self, value: Any) -> Fact:
        """What is known of a tensor."""
        known = self._known.get(value.untyped_storage()._cdata) if isinstance(value, Tensor) else None
        return known[1] if known else Fact()

    def most(self, mask: Tensor) -> int:
        """How many elements of a mask can be true."""
        known = self.of(mask).nonzero
        return mask.numel() if known is None else min(known, mask.numel())

    def note(self, value: Any, fact: Fact | None) -> None:
        """Remember something of a tensor, or forget what was known of it."""
        if not isinstance(value, Tensor):
            return
        storage = value.untyped_storage()
        key = storage._cdata
        if fact is None:
            self._known.pop(key, None)
        else:
            self._known[key] = weakref.ref(storage, lambda _: self._known.pop(key, None)), fact

    def learn(self, function: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Note what follows of an operator's result."""
        lesson = _LESSONS.get(function)
        if lesson is not None and isinstance(result, Tensor):
            self.note(result, lesson(self, args, kwargs, result))


_Lesson = Callable[[Facts, Any, Any, Tensor], Fact | None]


def _clamped(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact | None:
    """Clamped to whole numbers on both sides: so many different integers."""
    low, high = (*args[1:], None, None)[:2]
    low, high = kwargs.get("min", low), kwargs.get("max", high)
    if low is None or high is None or int(low) != low or int(high) != high:
        return None
    return Fact(distinct=int(high) - int(low) + 1, greatest=int(high))


def _equal(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact | None:
    distinct = facts.of(args[0]).distinct
    return Fact(nonzero=ceil(result.numel() / distinct)) if distinct else None


def _unequal(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact | None:
    return Fact(nonzero=facts.of(args[0]).nonzero) if args[1] == 0 else None


def _greater(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact | None:
    """Labels greater than a number are foreground."""
    if args[0].is_floating_point():
        return None
    facts.asked_for_foreground = True
    share = int(facts.foreground * result.numel())
    return Fact(nonzero=share if facts.fewest is None else min(facts.fewest, share))


def _zeros(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact:
    return Fact(nonzero=0)


def _filled(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact | None:
    value = args[1] if len(args) > 1 else kwargs.get("fill_value")
    return Fact(nonzero=0) if isinstance(value, int | float) and value == 0 else None


def _joined(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact | None:
    parts = args[0] if isinstance(args[0], list | tuple) else args[:2]
    if all(facts.of(part).nonzero is None for part in parts):
        return None
    return Fact(nonzero=sum(facts.most(part) for part in parts))


def _both(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact:
    return Fact(nonzero=min(facts.most(part) for part in args[:2]))


def _same(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact:
    return facts.of(args[0])


def _moved(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact | None:
    """A number added to integers leaves as many different ones."""
    other = args[1]
    return Fact(distinct=facts.of(args[0]).distinct) if isinstance(other, int | float) else None


def _counted(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact | None:
    return Fact(greatest=facts.most(args[0])) if args[0].dtype == torch.bool else None


def _place(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact:
    axis = args[1] if len(args) > 1 else kwargs.get("dim")
    return Fact(greatest=(args[0].numel() if axis is None else args[0].shape[axis]) - 1)


def _true(facts: Facts, args: Any, kwargs: Any, result: Tensor) -> Fact:
    return Fact(truth=True)


_LESSONS: dict[Any, _Lesson] = {
    aten.clamp.default: _clamped,
    aten.eq.Scalar: _equal,
    aten.ne.Scalar: _unequal,
    aten.gt.Scalar: _greater,
    aten.ge.Scalar: _greater,
    aten.zeros.default: _zeros,
    aten.zeros_like.default: _zeros,
    aten.new_zeros.default: _zeros,
    aten.zero_.default: _zeros,
    aten.full.default: _filled,
    aten.full_like.default: _filled,
    aten.fill_.Scalar: _filled,
    aten.cat.default: _joined,
    aten.bitwise_or.Tensor: _joined,
    aten.logical_or.default: _joined,
    aten.bitwise_and.Tensor: _both,
    aten.logical_and.default: _both,
    aten.clone.default: _same,
    aten._to_copy.default: _same,
    aten.sub.Tensor: _moved,
    aten.add.Tensor: _moved,
    aten.sum.default: _counted,
    aten.sum.dim_IntList: _counted,
    aten.argmax.default: _place,
    aten.argmin.default: _place,
    aten.all.default: _true,
}
