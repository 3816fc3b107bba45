"""The check of what the backbone receives: images normalised exactly once, and otherwise as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aistudio.checks.backbone_input import arrivals, is_image
from aistudio.checks.outcome import Outcome, failed, passed
from aistudio.checks.subject import Subject
from aistudio.data.channels import with_channels
from aistudio.data.imagenet import adapted_statistics

_SHRUNK = 0.8  # of an image's side: what arrives smaller was cropped or shrunk
_DULL = 0.02  # of white, five levels of 255: a batch that spans less is divided by 255 twice, or the like
_VAGUE = ": a crop, a mask, a blur, a stretch of contrast, an augmentation that is always on"
COARSE = 0.5  # units by which an image that was resized inside may differ: it is only known roughly
_OTHERWISE: dict[str, Callable[[Tensor], Tensor]] = {  # (2, 3, H, W) in [0, 1], as a mistake would have it
    "with red and blue swapped (BGR)": lambda images: images.flip(1),
    "grey": lambda images: images.mean(1, keepdim=True).expand_as(images),
    "inverted": lambda images: 1 - images,
    "mirrored": lambda images: images.flip(3),
    "upside down": lambda images: images.flip(2),
    "turned by 180 degrees": lambda images: images.flip(2, 3),
    "transposed": lambda images: images.transpose(2, 3),
    "in reverse order": lambda images: images.flip(0),
    "the first one for all": lambda images: images[:1].expand_as(images),
}


@dataclass(frozen=True)
class InputRange:
    """The backbone receives images normalised exactly once, whoever normalises them.

    An image that is black on its left and white on its right must arrive as (0 - mean) / std … (1 - mean) / std of
    each channel, and two coloured ones, alike nowhere, at every pixel; ``tolerance`` is in those units. ``mean`` and
    ``std`` are of red, green and blue; other channels have theirs by `aistudio.data.imagenet.adapted_statistics`, or
    ``backbone.image_mean`` and ``image_std``.
    """

    why: str
    mean: Sequence[float] = (0.485, 0.456, 0.406)
    std: Sequence[float] = (0.229, 0.224, 0.225)
    tolerance: float = 0.02

    def __call__(self, subject: Subject) -> Outcome:
        """Stops the forward pass at the first convolution of the backbone and looks at what arrives there."""
        given = [sample.image.float() for sample in subject.batch().samples]
        least, most = min(float(one.min()) for one in given), max(float(one.max()) for one in given)
        if least < -self.tolerance or most > 1 + self.tolerance:
            cause = "divide by 255 in the source, and normalise in the task's inputs() alone"
            return failed(f"the source gives images from {least:.3g} to {most:.3g}", "samples in [0, 1]", cause)
        if 0 < most - least <= _DULL:
            cause = "divide by 255 once, files of 16 bits by the largest value that they hold, and keep the contrast"
            return failed(f"the source gives images from {least:.3g} to {most:.3g}", "samples that fill [0, 1]", cause)
        image = torch.zeros(subject.channels, subject.size, subject.size)
        image[:, :, subject.size // 2 :] = 1
        seen = self._arrived(subject, [image, image])
        if not is_image(seen, subject.channels):
            cause = "the backbone is called with something else: give it the images, or leave this check out"
            return failed(f"{tuple(seen.shape)} arrives", f"images (N, {subject.channels}, H, W)", cause)
        mean, std = self._normal(subject)
        low, high = seen.amin((0, 2, 3)).tolist(), seen.amax((0, 2, 3)).tolist()
        black = [(0 - m) / s for m, s in zip(mean, std, strict=True)]
        white = [(1 - m) / s for m, s in zip(mean, std, strict=True)]
        off = max(abs(a - b) for a, b in zip(low + high, black + white, strict=True))
        text = f"black arrives as {min(low):.2f}, white as {max(high):.2f}"
        expected = f"black {min(black):.2f}, white {max(white):.2f}"
        found = next(self._of_pixels(subject, mean, std), None)
        if found and (off <= self.tolerance or not found[1].endswith(_VAGUE)):
            return failed(found[0], "every pixel where it was, normalised", found[1])
        if not off <= self.tolerance:
            return failed(text, expected, _wrong_range_because(min(low), max(high)))
        own = (
            "" if not _turned_inside(subject.built) else "; the model's own transform_input brings images to that range"
        )
        return passed(f"{text}, every pixel in its place{own}", expected)

    def _arrived(self, subject: Subject, images: list[Tensor]) -> Tensor:
        """What the first convolution receives, or the backbone where that works at a smaller size first."""
        entered, first = arrivals(subject.looked_at, moved(subject.task.inputs(images), subject))
        both = is_image(first, subject.channels) and is_image(entered, subject.channels)
        smaller = both and min(first.shape[2:]) < _SHRUNK * min(entered.shape[2:])
        return (entered if smaller else first).float()

    def _normal(self, subject: Subject) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel as they arrive."""
        if _turned_inside(subject.built):
            return (0.5,) * subject.channels, (0.5,) * subject.channels
        mean = subject.image_mean or adapted_statistics(self.mean, subject.channels)
        return tuple(mean), tuple(subject.image_std or adapted_statistics(self.std, subject.channels))

    def _of_pixels(self, subject: Subject, mean: Sequence[float], std: Sequence[float]) -> Iterator[tuple[str, str]]:
        """What is wrong with two coloured images as they arrive, and its cause."""
        images = torch.stack([with_channels(image, subject.channels) for image in coloured(subject.size)])
        seen = self._arrived(subject, list(images)).cpu()
        if len(seen) != len(images):
            return
        if min(seen.shape[2:]) < _SHRUNK * subject.size:
            arrived = " x ".join(map(str, seen.shape[2:]))
            cause = "they are cropped or shrunk on the way: what is outside, or finer, is never seen"
            yield f"images of {subject.size} px arrive at {arrived}", cause
            return
        shape = lambda value: torch.tensor(value).view(-1, 1, 1)  # noqa: E731
        margin = min(seen.shape[2] - subject.size, seen.shape[3] - subject.size)
        padded = margin >= 0 and max(seen.shape[2:]) < subject.size + 32
        limit = (self.tolerance if padded else COARSE) * max(std)
        starts = sorted({0, margin // 2, margin}) if padded else [0]
        views = [seen[:, :, s : s + subject.size, s : s + subject.size] for s in starts]
        views = [(view if padded else resized(seen, subject.size)) * shape(std) + shape(mean) for view in views]
        off, seen = min(((float((view - images).abs().max()), view) for view in views), key=lambda pair: pair[0])
        if off <= limit:
            return
        words = next((w for w, change in _OTHERWISE.items() if bool((seen - change(images)).abs().max() <= limit)), "")
        cause = "something changes images in front of the backbone: in task.inputs or in the model"
        yield f"images arrive {words or f'changed, by up to {off:.2f} of white'}", cause + ("" if words else _VAGUE)


def _turned_inside(model: nn.Module) -> bool:
    """Whether a model turns ImageNet's statistics into 0.5 itself, as GoogLeNet and Inception do."""
    return any(getattr(module, "transform_input", False) is True for module in model.modules())


def coloured(size: int) -> Tensor:
    """(2, 3, size, size) in [0, 1]: slopes of colours with a fine texture, alike in no mirror and no order."""
    x = (torch.arange(size) + 0.5) / size
    across, down = x.expand(size, size), x[:, None].expand(size, size)
    texture = 0.04 * (torch.arange(size) // 2 % 2) * (torch.arange(size)[:, None] // 2 % 2)
    first = torch.stack((0.3 + 0.3 * across, 0.25 + 0.3 * down, 0.55 - 0.2 * across * down)) + texture
    second = torch.stack((0.6 - 0.3 * down, 0.3 + 0.2 * across * across, 0.35 + 0.25 * down)) + texture
    return torch.stack((first, second))


def resized(images: Tensor, size: int) -> Tensor:
    """Images brought to another size."""
    return nn.functional.interpolate(images, (size, size), mode="bilinear", antialias=True)


def _wrong_range_because(low: float, high: float) -> str:
    """The usual mistake behind a range, in words."""
    if low < -4 or high > 4:
        scaled = abs(low) > 20 or high > 20
        return "values in 0-255: divide by 255 first" if scaled else "normalised twice: a model or a task does it again"
    if low >= -0.01:
        return "not normalised: ImageNet's mean and standard deviation are expected"
    if high - low < 1:
        return "divided by 255 twice"
    return "other means and deviations than the ones expected"


def moved(inputs: Tensor | list[Tensor], subject: Subject) -> Tensor | list[Tensor]:
    """Images on the device of the subject."""
    return [image.to(subject.device) for image in inputs] if isinstance(inputs, list) else inputs.to(subject.device)
