"""Feature maps of a model that was watched on two images of different sizes: their layout, strides and taps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from typing import TypeGuard

from torch import Tensor

from aistudio.models.watch import Call, Pass

STRIDES = (4, 8, 16, 32)


@dataclass(frozen=True)
class TwoPasses:
    """A square image, and one that is higher and wider; ``second`` is None for a model that takes one size alone."""

    first: Pass
    second: Pass | None

    def other(self, path: str | None) -> object:
        """What the module of ``path`` gave for the second image; None is the model's own result."""
        if self.second is None:
            return None
        return self.second.last_of(path) if path else self.second.result

    def add(self, path: str, gave: Tensor, other: object) -> None:
        """One more map, of a module that the model itself does not have."""
        for seen, value in ((self.first, gave), (self.second, other)):
            if seen is not None:
                seen.calls.append(Call(path, None, value, len(seen.operations.seen), 0, 0))

    def is_nhwc(self, call: Call, final: bool) -> bool:
        """Whether channels come last in the map of a call; where that cannot be told, as in the ``final`` one."""
        found = layout(call.gave, self.other(call.path)) if is_map(call.gave) else ""
        return found == "nhwc" if found else final

    def stride_of(self, call: Call, nhwc: bool) -> int:
        """The stride, one of `STRIDES`, that a map has in both images, with as many channels; or 0."""
        return self.stride(call.gave, self.other(call.path), nhwc)

    def stride(self, value: object, other: object, nhwc: bool) -> int:
        """The same of a map and what it is in the second image."""
        given = [(self.first.x, value)]
        if self.second is not None:
            given.append((self.second.x, other))
        pairs = [(x, value) for x, value in given if is_map(value)]
        if len(pairs) < len(given) or len({channels(value, nhwc) for _, value in pairs}) > 1:
            return 0
        return next((s for s in STRIDES if all(_has_stride(x, value, s, nhwc) for x, value in pairs)), 0)


def is_map(value: object) -> TypeGuard[Tensor]:
    """Whether this is one feature map, (N, C, H, W) or (N, H, W, C), with more than one place."""
    return isinstance(value, Tensor) and value.dim() == 4 and min(value.shape[2:]) > 1


def maps_in(result: object) -> list[Tensor]:
    """Every tensor of four axes in what a model gives, in order: in dicts, lists, tuples and objects with fields."""
    if isinstance(result, Tensor):
        return [result] if result.dim() == 4 else []
    if isinstance(result, Mapping):
        return [one for value in result.values() for one in maps_in(value)]
    if isinstance(result, list | tuple):
        return [one for value in result for one in maps_in(value)]
    return maps_in(vars(result)) if is_dataclass(result) else []


def channels(value: Tensor, nhwc: bool) -> int:
    """The width of a map."""
    return value.shape[3 if nhwc else 1]


def layout(value: Tensor, other: object) -> str:
    """``nchw``, ``nhwc``, or "" where it cannot be told, of a map and the same map of a higher and wider image.

    Channels are the axis that stays. Where the image leaves no mark, or only one can be had, the two equal sides of
    a square image's map tell.
    """
    shape = value.shape
    if is_map(other) and other.shape != shape:
        same = [axis for axis in (1, 2, 3) if other.shape[axis] == shape[axis]]
        return {1: "nchw", 3: "nhwc"}.get(same[0], "") if len(same) == 1 else ""
    if shape[1] == shape[2] == shape[3]:
        return ""
    return "nchw" if shape[2] == shape[3] else "nhwc" if shape[1] == shape[2] else ""


def find_taps(
    passes: TwoPasses, maps: list[Call], final: Tensor, nhwc: bool
) -> tuple[dict[str, int], tuple[str, ...], str]:
    """The last map of each stride with its channels, looked for as few levels deep as will do; or why there are none.

    The last one must be the final map, and nothing may be done to any of them in place later. Beside them, those that
    are (N, H, W, C).
    """
    maps = [call for call in maps if is_map(call.gave) and call.gave._version == call.version]
    last = {id(call): passes.is_nhwc(call, nhwc) for call in maps}
    strides = {id(call): passes.stride_of(call, last[id(call)]) for call in maps}
    taps: dict[str, Call] = {}
    why = "it has no map between its layers"
    for depth in range(1, 2 + max((call.path.count(".") for call in maps), default=0)):
        shallow = [call for call in maps if call.path.count(".") < depth]
        taps, why = _taps(shallow, strides, final)
        if not why:
            break
    if why:
        return {}, (), why
    widths = {path: channels(call.gave, last[id(call)]) for path, call in taps.items() if is_map(call.gave)}
    return widths, tuple(path for path, call in taps.items() if last[id(call)]), ""


def _taps(maps: list[Call], strides: dict[int, int], final: Tensor) -> tuple[dict[str, Call], str]:
    taps: dict[str, Call] = {}
    for stride in STRIDES:
        same = [call for call in maps if strides[id(call)] == stride]
        inside = [call for call in same if not any(tap.startswith(call.path + ".") for tap in taps)]
        if not inside or (stride == STRIDES[-1] and inside[-1].gave is not final):
            return {}, f"none of its layers ends with a map (N, C, H/{stride}, W/{stride}), as feat1 … feat4 need"
        outermost = [call for call in inside if call.gave is inside[-1].gave]
        taps[min((call.path for call in outermost), key=lambda path: path.count("."))] = inside[-1]
    return taps, ""


def _has_stride(x: Tensor, value: Tensor, stride: int, nhwc: bool) -> bool:
    """Whether the sides of a map are those of the image divided by the stride, rounded either way."""
    sides = value.shape[1:3] if nhwc else value.shape[2:]
    return all(abs(pixels / stride - side) < 1 for pixels, side in zip(x.shape[2:], sides, strict=True))
