"""Regression: one or more numbers for an image. Output (N, num_outputs), no activation, in train and eval mode.

Targets are standardised, (value - mean) / std: networks start near 0 and do not learn far away from it. Synthetic
values are taken from where the objects lie (`quantities`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from aistudio.data.sample import Sample
from aistudio.drawing import NEUTRAL
from aistudio.tasks import metrics
from aistudio.tasks.base import StackTask
from aistudio.tasks.contracts import tensor_problems
from aistudio.tasks.drawing import canvas
from aistudio.tasks.losses import apply

LISTED = 4  # values written on an image at most


class Regression(StackTask):
    """``loss`` takes values and targets, both (N, ``num_outputs``) and standardised.

    ``mean`` and ``std`` are those of the values in the user's own units, into which images map them back.
    """

    sample_labels = 3  # labels do not matter
    max_objects = 1
    allows_empty = False
    class_names: Sequence[str] = ()  # of the values

    mean: float | Tensor
    std: float | Tensor

    def __init__(
        self,
        num_outputs: int,
        loss: Callable[[Tensor, Tensor], Tensor],
        mean: float = 0.0,
        std: float = 1.0,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
    ):
        self.num_outputs = num_outputs
        self.criterion = loss
        self.mean, self.std = mean, std
        self.image_mean, self.image_std = image_mean, image_std

    def target(self, sample: Sample) -> Tensor:
        """(num_outputs,) float32: what people measured, else the sample's quantities, in turn."""
        return true_values(sample, self.num_outputs)

    def target_problems(self, images: Sequence[Tensor], targets: Tensor) -> list[str]:
        """Targets that are not finite, or not standardised."""
        if not targets.is_floating_point() or targets.shape != (len(images), self.num_outputs):
            return [
                f"targets are {targets.dtype} {tuple(targets.shape)}; expected floats {(len(images), self.num_outputs)}"
            ]
        if not targets.isfinite().all():
            return ["targets are not all finite"]
        if targets.abs().max() > 20:
            return [f"targets up to {targets.abs().max():.3g}; expected standardised ones, (value - mean) / std"]
        return []

    def loss(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """``targets`` (N, num_outputs) float, standardised."""
        return {"regression": apply(self.criterion, model(inputs), targets)}

    def raw_outputs(self, model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
        """``values`` (N, num_outputs), standardised."""
        return {"values": model(inputs)}

    def output_problems(self, output: object, inputs: Tensor) -> list[str]:
        """Values are (N, num_outputs), floating point, finite."""
        return tensor_problems(output, (len(inputs), self.num_outputs))

    def metrics(self, output: Tensor, samples: Sequence[Sample]) -> dict[str, float]:
        """``mae``: the mean absolute error in the user's units; ``r2``: 1 is perfect, 0 what a constant gets.

        Both are means over the values; of several ``r2_least`` is that of the value that is told worst.
        """
        values, truth = output.detach().cpu(), torch.stack([true_values(one, self.num_outputs) for one in samples])
        error = metrics.mean_absolute_error(values * self.std, truth * self.std)  # std may be one a value
        each = metrics.coefficient_of_determination(values, truth)
        least = (
            {"r2_least": each[~each.isnan()].min().item()} if self.num_outputs > 1 and not each.isnan().all() else {}
        )
        return {"mae": error, "r2": each.nanmean().item(), **least}

    def draw(self, image: Tensor, target: Tensor | None, output: Tensor | None) -> Image.Image:
        """The predicted values in the user's units; below, those that were expected."""
        on = canvas(image)
        if output is None:
            return on.finish([] if target is None else [f"target: {self._written(target)}"])
        on.badge(self._written(output), NEUTRAL)
        if target is None:
            return on.finish([])
        error = ((output.float() - target) * self.std).abs().tolist()
        apart = ", ".join(f"{value:.3g}" for value in error[:LISTED]) + " …" * (len(error) > LISTED)
        return on.finish([f"expected: {self._written(target)}", f"off by {apart}"])

    def _written(self, values: Tensor) -> str:
        shown = (values.float() * self.std + self.mean).tolist()[: LISTED + 1]
        names = [f"{name} " for name in self.class_names[: len(shown)]] or [""] * len(shown)
        words = [f"{name}{value:.4g}" for name, value in zip(names, shown, strict=True)]
        return ", ".join(words[:LISTED]) + " …" * (len(words) > LISTED)


def true_values(sample: Sample, count: int) -> Tensor:
    """(count,) float32, standardised: what people measured, else the sample's quantities, in turn."""
    if sample.values is not None:
        return sample.values
    values = quantities(sample)
    return values[torch.arange(count) % len(values)]


def quantities(sample: Sample) -> Tensor:
    """(5,) float32 about -2 … 2: the first object's cx, cy, w, h and the cosine of its doubled angle, standardised.

    The constants are mean and standard deviation over painted samples of one object, as shares of the image.
    """
    height, width = sample.image.shape[-2:]
    boxes = sample.known("boxes")
    if not len(boxes):
        return torch.zeros(5)
    cx, cy, w, h, degrees = boxes[0]
    side = min(height, width)
    shares = torch.stack((cx / width, cy / height, w / side, h / side, (2 * degrees).deg2rad().cos()))
    return (shares - torch.tensor([0.5, 0.5, 0.72, 0.43, 0.0])) / torch.tensor([0.105, 0.105, 0.12, 0.107, 0.7])
