"""Classification: one class for an image. Targets int64 in 0 … C-1, output logits (N, C) in train and eval mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from aistudio.data.sample import Sample
from aistudio.drawing import BAD, GOOD, NEUTRAL
from aistudio.tasks import metrics
from aistudio.tasks.base import StackTask
from aistudio.tasks.contracts import tensor_problems
from aistudio.tasks.drawing import canvas, class_name
from aistudio.tasks.losses import apply


class Classification(StackTask):
    """``loss`` takes logits (N, ``num_classes``) and class ids (N,)."""

    max_objects = 1
    allows_empty = False
    class_names: Sequence[str] = ()

    def __init__(
        self,
        num_classes: int,
        loss: Callable[[Tensor, Tensor], Tensor],
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
    ):
        self.num_outputs = self.sample_labels = num_classes
        self.criterion = loss
        self.image_mean, self.image_std = image_mean, image_std

    def target(self, sample: Sample) -> Tensor:
        """The label of the sample's object: int64 scalar."""
        return sample.known("labels")[0]

    def target_problems(self, images: Sequence[Tensor], targets: Tensor) -> list[str]:
        """Class ids that are none of 0 … C-1."""
        if targets.dtype != torch.int64 or targets.shape != (len(images),):
            return [f"targets are {targets.dtype} {tuple(targets.shape)}; expected torch.int64 ({len(images)},)"]
        if not 0 <= targets.min() <= targets.max() < self.num_outputs:
            return [f"class ids {targets.min()} … {targets.max()}; expected 0 … {self.num_outputs - 1}"]
        return []

    def loss(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """``targets`` (N,) int64."""
        return {"classification": apply(self.criterion, model(inputs), targets)}

    def raw_outputs(self, model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
        """``logits`` (N, C)."""
        return {"logits": model(inputs)}

    def output_problems(self, output: object, inputs: Tensor) -> list[str]:
        """Logits are (N, C), floating point, finite."""
        return tensor_problems(output, (len(inputs), self.num_outputs))

    def metrics(self, output: Tensor, samples: Sequence[Sample]) -> dict[str, float]:
        """``accuracy``: the share of images whose largest logit is that of their class."""
        truth = torch.stack([sample.known("labels")[0] for sample in samples])
        return {"accuracy": metrics.accuracy(output.detach().cpu(), truth)}

    def draw(self, image: Tensor, target: Tensor | None, output: Tensor | None) -> Image.Image:
        """A badge with the predicted class and its probability; below, the class that was expected."""
        on = canvas(image)
        if output is None:
            return on.finish([] if target is None else [f"target: {class_name(self.class_names, int(target))}"])
        confidence, label = output.float().softmax(0).max(0)
        right = None if target is None else bool(label == target)
        shade = NEUTRAL if right is None else GOOD if right else BAD
        on.badge(f"{class_name(self.class_names, int(label))}   {100 * confidence:.0f} %", shade)
        if target is None:
            return on.finish([])
        return on.finish([f"expected: {class_name(self.class_names, int(target))} ({'right' if right else 'wrong'})"])
