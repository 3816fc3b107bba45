"""What the backbone of an assembled model really receives, found by stopping at its first convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.data.imagenet import normalize
from aistudio.models.anatomy import named_backbone

_SURE = 0.1  # normalised values: resizing and padding move mean and deviation by less, any mistake by more


class _Arrived(Exception):
    """Carries the first convolution's input out of a forward pass that need not go on."""


def received(model: nn.Module, inputs: Tensor | list[Tensor]) -> Tensor:
    """What the backbone's first convolution receives, (N, 3, H, W), without computing anything behind it.

    Where that is no image any more (some models turn blocks of pixels into channels first), it is what the backbone
    itself receives.
    """
    return arrivals(model, inputs)[1]


def arrivals(model: nn.Module, inputs: Tensor | list[Tensor]) -> tuple[Tensor, Tensor]:
    """What the backbone itself receives, and its first convolution, if that is images still."""
    entered: list[Tensor] = []
    channels = inputs[0].shape[0]

    def note(module: nn.Module, args: tuple[Any, ...]) -> None:
        entered.extend(value.detach() for value in args[:1] if is_image(value, channels))

    def stop(module: nn.Module, args: tuple[Any, ...]) -> None:
        raise _Arrived(args[0].detach())

    backbone = named_backbone(model)[1]
    layers = [m for m in backbone.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [backbone.register_forward_pre_hook(note)]
    hooks += [layer.register_forward_pre_hook(stop) for layer in layers]
    try:
        with torch.no_grad():
            model(inputs)
    except _Arrived as arrived:
        first = _images_alone(arrived.args[0], inputs)
        return (entered or [first])[0], first if is_image(first, channels) or not entered else entered[0]
    finally:
        for hook in hooks:
            hook.remove()
    if entered:
        return entered[0], entered[0]
    raise RuntimeError("the forward pass never reached the backbone's first layer")


def _images_alone(value: Tensor, inputs: Tensor | list[Tensor]) -> Tensor:
    """Of a stack to which a model added channels (coordinates, for one) the images, if they are as they were given."""
    if isinstance(inputs, Tensor) and value.dim() == 4 and value.shape[1] > inputs.shape[1]:
        ends = (value[:, : inputs.shape[1]], value[:, -inputs.shape[1] :])
        return next((one for one in ends if torch.equal(one, inputs)), value)
    return value


def is_image(value: object, channels: int = 3) -> bool:
    """Whether this is a stack of images, (N, channels, H, W)."""
    return isinstance(value, Tensor) and value.dim() == 4 and value.shape[1] == channels


def arrival(values: Tensor) -> str:
    """A tensor in words: shape, type, statistics, layout."""
    last = values.is_contiguous(memory_format=torch.channels_last) and not values.is_contiguous()
    numbers = values.float()
    return (
        f"{tuple(values.shape)} {str(values.dtype).removeprefix('torch.')}, "
        f"mean {numbers.mean():.3f}, std {numbers.std():.3f}, "
        f"from {numbers.min():.2f} to {numbers.max():.2f}, {'channels last' if last else 'contiguous'}"
    )


def histogram(values: Tensor, bins: int = 48) -> dict[str, Any]:
    """How often which values arrive, between the least and the greatest; nothing where they are not finite."""
    numbers = values.float().flatten()
    if not numbers.isfinite().all():
        return {}
    counts = torch.histc(numbers.cpu(), bins)
    return {"low": float(numbers.min()), "high": float(numbers.max()), "counts": [int(count) for count in counts]}


def arrival_warnings(
    values: Tensor, images: Sequence[Tensor], mean: Sequence[float] = (), std: Sequence[float] = ()
) -> list[str]:
    """What is wrong with images (N, C, H, W) as the backbone receives them, where it cannot be otherwise.

    ``images`` (C, H, W) in [0, 1] are what was given. White images arrive above 0 and black ones do not vary, so values
    alone tell nothing: their mean and deviation are compared with those that each mistake would give to these images.
    """
    given = torch.stack([image.float() for image in images]).to(values.device)
    once = normalize(given, mean, std)
    mistakes = {
        "not normalised": given,
        "normalised twice": normalize(once, mean, std),
        "divided by 255 twice": normalize(given / 255, mean, std),
        "divided by 255 twice, and not normalised": given / 255,
        "in 0 to 255, and not normalised": given * 255,
        "normalised in 0 to 255": normalize(given * 255, mean, std),
    }
    low, high = float(values.min()), float(values.max())
    far = {words: apart(values, expected) for words, expected in mistakes.items()}
    words = min(far, key=far.__getitem__)
    if apart(values, once) > _SURE and far[words] < _SURE:
        return [f"the backbone receives {low:.2f} to {high:.2f}: the images are {words}"]
    if not mean and (low < -2.2 or high > 2.7):
        return [f"the backbone receives {low:.1f} to {high:.1f}, not -2.12 to 2.64: are the images normalised twice?"]
    return []


def apart(values: Tensor, expected: Tensor) -> float:
    """How far mean and deviation of two tensors are apart, in units of the expected deviation where that is above 1."""
    size = max(1.0, float(expected.std()))
    return max(abs(float(values.mean() - expected.mean())), abs(float(values.std() - expected.std()))) / size
