"""One backward pass of the loss to images, maps and outputs; several checks read it.

Random layers are off and batch norms keep the statistics of the batch, so that no image can reach the loss through
another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.models.anatomy import named_backbone
from aistudio.tasks.batch import Batch


@dataclass
class LossGradients:
    """Largest absolute gradients of the loss; ``images`` (N, 3, H, W), ``maps`` (N, C, h, w) or None.

    ``outputs`` are those of the model's tensors, by name, None where the loss never asks for one.
    """

    images: list[Tensor]
    maps: Tensor | None = None
    values: Tensor | None = None
    outputs: dict[str, Tensor | None] = field(default_factory=dict)


def loss_gradients(model: nn.Module, task: Any, batch: Batch, seed: int) -> LossGradients:
    """One pass, forward and backward, of a calibrated model whose own code is in train mode; it stays as it was."""
    inputs = batch.inputs
    leaves = [one.detach().clone().requires_grad_() for one in (inputs if isinstance(inputs, list) else [inputs])]
    maps: list[Tensor] = []
    outputs: dict[str, Tensor] = {}

    def keep_maps(module: nn.Module, args: object, output: Any) -> None:
        last = list(output.values())[-1] if isinstance(output, dict) and output else output
        if isinstance(last, Tensor) and last.dim() == 4 and last.requires_grad:
            last.retain_grad()
            maps.append(last)

    def keep_outputs(module: nn.Module, args: object, output: Any) -> None:
        named = output if isinstance(output, dict) else {"output": output}
        for name, value in named.items():
            if isinstance(value, Tensor) and value.dim() >= 2 and value.requires_grad:
                value.retain_grad()
                outputs[str(name)] = value

    hooks = [named_backbone(model)[1].register_forward_hook(keep_maps), model.register_forward_hook(keep_outputs)]
    torch.manual_seed(seed)
    try:
        with torch.enable_grad():
            total = sum(task.loss(model, leaves if isinstance(inputs, list) else leaves[0], batch.targets).values())
            if total.requires_grad:
                total.backward()
    finally:
        model.zero_grad(set_to_none=True)
        for hook in hooks:
            hook.remove()
    found = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad.abs() for leaf in leaves]
    images = found if isinstance(inputs, list) else list(found[0])
    last = maps[-1] if maps else None
    ends = {name: None if value.grad is None else value.grad.abs() for name, value in outputs.items()}
    if last is None or last.grad is None:
        return LossGradients(images, None, None, ends)
    return LossGradients(images, last.grad.abs(), last.detach(), ends)
