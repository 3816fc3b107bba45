"""What the drawings of several tasks share: tensors as images, and the names of classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from aistudio.data.channels import as_rgb
from aistudio.drawing import Canvas


def canvas(image: Tensor, grey: bool = False) -> Canvas:
    """An image (C, H, W) float in [0, 1] to draw on."""
    pixels = (as_rgb(image).detach().cpu().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return Canvas(Image.fromarray(pixels.contiguous().numpy()), grey)


def area(mask: Tensor) -> Image.Image:
    """A mask (H, W), bool or a probability, as an image of grey values."""
    values = (mask.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.contiguous().numpy())


def class_name(names: Sequence[str], index: int) -> str:
    """What a class is called: its number where nobody has named it."""
    return names[index] if 0 <= index < len(names) else f"class {index}"
