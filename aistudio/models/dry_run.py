"""One pass of a model for the sake of its shapes: on torch's meta device, which computes nothing.

A model that cannot go there (it holds tensors that are neither parameters nor buffers, or looks at values) is run on a
black image instead. Every pass is in eval mode and leaves the model as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

SIZES = (
    64,
    96,
    128,
    160,
    192,
    224,
    240,
    256,
    288,
    299,
    320,
    336,
    384,
    448,
    480,
    512,
)  # pixels, what models are made for


class _Entry(nn.Module):
    """A model that is entered by another of its methods."""

    def __init__(self, model: nn.Module, method: str):
        super().__init__()
        self.model, self.method = model, method

    def forward(self, x: Tensor) -> object:
        """What the method gives."""
        return getattr(self.model, self.method)(x)


def dry_run(
    model: nn.Module,
    height: int,
    width: int,
    method: str = "forward",
    starting: Callable[[], None] = lambda: None,
    channels: int = 3,
) -> tuple[Tensor, object]:
    """An image (1, channels, height, width) and what the model gives for it. Raises what the model raises on one.

    ``starting`` is called before each attempt: on meta, and on a black image if that raised.
    """
    named = [*model.named_parameters(), *model.named_buffers()]
    tensors = {f"model.{name}": value.to("meta") for name, value in named}
    entered, x = _Entry(model, method), torch.empty((1, channels, height, width), device="meta")
    device = named[0][1].device if named else torch.device("cpu")
    with _evaluating(model), torch.no_grad():
        starting()
        try:
            return x, torch.func.functional_call(entered, tensors, (x,))
        except Exception:  # a shape that does not fit, which it will say again, or a model that meta is nothing for
            if device.type == "meta":
                raise
        starting()
        x = torch.zeros((1, channels, height, width), device=device)
        return x, entered(x)


def runs_at(model: nn.Module, size: int, least_side: int = 1, channels: int = 3) -> bool:
    """Whether a model takes square images of ``size`` pixels; maps that it gives have at least ``least_side``."""
    try:
        result = dry_run(model, size, size, channels=channels)[1]
    except Exception:  # whatever a model raises, it does not run
        return False
    if not isinstance(result, Tensor) or result.dim() != 4:
        return True
    return min(result.shape[2:]) >= least_side


def size_to_check_at(model: nn.Module, wanted: int, configured: int, channels: int = 3) -> int:
    """The least size from ``wanted`` to ``configured`` that a model runs at and that leaves 2 x 2 places of its map.

    A model that no dry run can follow, such as a detector, is checked at ``wanted``.
    """
    sizes = [wanted, *(size for size in SIZES if wanted < size < configured)]
    least = configured if runs_at(model, configured, channels=channels) else wanted
    return next((size for size in sizes if runs_at(model, size, 2, channels)), least)


def materialise(model: nn.Module, inputs: Callable[[], Tensor | list[Tensor]]) -> None:
    """Let lazy layers (``nn.LazyLinear``) find their widths, by one pass; nothing happens where there are none."""
    if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
        with _evaluating(model), torch.no_grad():
            model(inputs())


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, and then every module back in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
