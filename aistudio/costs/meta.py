"""Models and batches that have shapes and no numbers: on torch's meta device, at any size, without a download."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.models.nested import map_tensors, tensors_in


class Weights(dict):
    """What stands for the numbers of pretrained weights where only their shapes matter."""


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """The model that ``build`` makes, on the meta device; weights it asks torchvision for are not fetched.

    Where a builder reads numbers that it has just made, it builds on the CPU, and the model is moved then. Random state
    and default device stay as they were.
    """
    with untouched(), without_weights():
        try:
            with torch.device("meta"):
                model = build()
        except (NotImplementedError, RuntimeError) as error:
            if "meta" not in str(error):
                raise
            model = build()
        return model.to("meta")


@contextmanager
def untouched() -> Iterator[None]:
    """Put Python's, torch's and (where it is there) numpy's random state back afterwards."""
    python = random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)


@contextmanager
def without_weights() -> Iterator[None]:
    """Let torchvision's builders act on their weights' names (frozen layers, classes) and load nothing."""
    from torchvision.models import WeightsEnum

    fetch, load = WeightsEnum.get_state_dict, nn.Module.load_state_dict

    def load_if_there(self: nn.Module, state: Any, *args: Any, **kwargs: Any) -> Any:
        return None if isinstance(state, Weights) else load(self, state, *args, **kwargs)

    WeightsEnum.get_state_dict = lambda self, *args, **kwargs: Weights()
    setattr(nn.Module, "load_state_dict", load_if_there)  # noqa: B010
    try:
        yield
    finally:
        WeightsEnum.get_state_dict = fetch
        setattr(nn.Module, "load_state_dict", load)  # noqa: B010


def grown(one: Any, two: Any, count: int) -> Any:
    """A nest of meta tensors as it would be for ``count`` images, told from those for one image and for two.

    Axes that grow from one image to two grow on alike; lists that are longer for two have an entry an image.
    """
    if isinstance(one, list | tuple) and len(one) == 1 and len(two) == 2:
        many = [_shapes(one[0]) for _ in range(count)]
        return tuple(many) if isinstance(one, tuple) else many
    if len(tensors_in(one)) != len(tensors_in(two)):
        raise ValueError("the batch of two images is built otherwise than that of one")
    return map_tensors(lambda a, b: _grown(a, b, count), one, two)


def _grown(one: Tensor, two: Tensor, count: int) -> Tensor:
    sizes = [a + (count - 1) * (b - a) for a, b in zip(one.shape, two.shape, strict=True)]
    return torch.empty(sizes, dtype=one.dtype, device="meta")


def _shapes(value: Any) -> Any:
    return map_tensors(lambda tensor: tensor.detach().to("meta"), value)
