"""The answer to a model that raises on an image: what it says, which of its parts says it, and the sizes it takes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import nn

from aistudio.errors import Problem, Refusal, first_line
from aistudio.models.dry_run import SIZES, dry_run, runs_at
from aistudio.models.nested import copied

_STATED = ("img_size", "image_size", "input_size")  # where models and their configurations say what they are made for
_CONFIGURATIONS = ("pretrained_cfg", "default_cfg", "config")
_MUTE = "no message"


def does_not_run(model: nn.Module, name: str, side: int, error: Exception) -> Refusal:
    """A model that raises: because of the size, if it runs at another, or at any."""
    why = _in_words(model, error)
    sizes = sorted({*SIZES, *stated_sizes(model)} - {side}, key=lambda size: abs(size - side))
    fitting = _fitting(model, side, sizes, error)
    if fitting:
        what = f"backbone={name} does not run on images of {side} x {side}"
        tried = ", ".join(str(size) for size in fitting[:3])
        return Refusal([Problem(what, why, "task.image_size", f"task.image_size={tried} ({_of_how_many(fitting)})")])
    what = f"backbone={name} cannot be followed through an image of {side} x {side}"
    why += f"; {len(sizes)} other sizes from {min(sizes)} to {max(sizes)} px were tried, and raise, too"
    instead = (
        "a model that takes one image alone; or, where only its classifier raises, the maps of strides 4, 8, 16, 32 "
    )
    instead += "and their channels in backbone.taps"
    return Refusal([Problem(what, why, "backbone.model", instead)])


def stated_sizes(model: nn.Module) -> set[int]:
    """The sides in pixels that a model or a part of it says that it is made for."""
    owners: list[object] = list(model.modules())
    owners += [getattr(model, name, None) for name in _CONFIGURATIONS]
    found = (side for owner in owners for name in _STATED for side in _sides(_value(owner, name)))
    return {side for side in found if SIZES[0] <= side <= 2 * SIZES[-1]}


def _of_how_many(fitting: list[int]) -> str:
    if len(fitting) == 1:
        return "the only size that it takes of those that were tried"
    return "each was tried"


def _fitting(model: nn.Module, side: int, sizes: list[int], error: Exception) -> list[int]:
    """The sizes that the model runs at; asked on the meta device alone where that says the same, which costs less."""
    on_meta = copied(model).to("meta")
    try:
        dry_run(on_meta, side, side)
    except Exception as other:  # whatever a model raises
        if type(other) is type(error) and first_line(other) == first_line(error):
            found = [size for size in sizes if runs_at(on_meta, size)]
            if found:
                return found
    return [size for size in sizes if runs_at(model, size)]


def _in_words(model: nn.Module, error: Exception) -> str:
    """What was raised, and the innermost part of the model that was at work; an error without words shows its line."""
    paths = {id(module): path for path, module in model.named_modules() if path}
    place, line = "", ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        owner = frame.f_locals.get("self")
        if not isinstance(owner, nn.Module) or Path(torch.__file__).parent in Path(frame.f_code.co_filename).parents:
            continue
        summary = traceback.FrameSummary(frame.f_code.co_filename, number, frame.f_code.co_name)
        line = f": {summary.line} ({Path(summary.filename).name}:{number})" if summary.line else ""
        place = f" in {paths[id(owner)]}, a {type(owner).__name__}" if id(owner) in paths else place
    said = first_line(error)
    return f"{type(error).__name__}{place}{line}" if said == _MUTE else f"{type(error).__name__}{place}: {said}"


def _value(owner: object, name: str) -> object:
    return owner.get(name) if isinstance(owner, Mapping) else getattr(owner, name, None)


def _sides(value: object) -> Iterator[int]:
    """The side of a square as it is written down: a number, a pair, or channels and a pair."""
    last = value[-1] if isinstance(value, tuple | list) and value else value
    if isinstance(last, int) and not isinstance(last, bool):
        yield last
