"""What rounding alone does to an output: the model in float32, every layer's output off by a random rounding error.

An untrained net of a hundred layers multiplies the error of its first layer many times over. How far half precision
may stray can therefore be no constant: it is what errors of that size do to this very model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Raw = dict[str, Tensor]


def straying(exact: Raw, other: Raw) -> dict[str, float]:
    """For every output the norm of the difference, relative to the norm of the exact output."""
    return {name: float((other[name].float() - value).norm() / value.norm()) for name, value in exact.items()}


def rounding_noise(
    model: nn.Module, run: Callable[[], Raw], dtype: torch.dtype, seed: int, draws: int = 4
) -> dict[str, float]:
    """Root mean square, over ``draws``, of how far each output strays when every layer rounds as ``dtype`` does.

    ``run`` runs the model. One draw may leave a single number as it was by luck; four rarely do.
    """
    exact = run()
    strayed: list[dict[str, float]] = []
    for draw in range(draws):
        torch.manual_seed(seed + draw)
        with _layers_rounded(model, torch.finfo(dtype).eps / 2):
            strayed.append(straying(exact, run()))
    return {name: (sum(draw[name] ** 2 for draw in strayed) / draws) ** 0.5 for name in exact}


@contextmanager
def _layers_rounded(model: nn.Module, unit: float) -> Iterator[None]:
    """Inside, the output of every layer without children is off by a relative error drawn from [-unit, unit]."""

    def perturb(module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, Tensor) and output.is_floating_point():
            return output * (1 + unit * (2 * torch.rand_like(output) - 1))
        return output

    hooks = [layer.register_forward_hook(perturb) for layer in model.modules() if not any(layer.children())]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
