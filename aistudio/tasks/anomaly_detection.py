"""Anomaly detection: is an image anomalous? Targets 0. or 1., output one logit (N, 1) in train and eval mode."""

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
from aistudio.tasks.drawing import canvas
from aistudio.tasks.losses import apply

NAMES = ("normal", "anomalous")


class AnomalyDetection(StackTask):
    """``loss`` takes logits (N, 1) and targets (N, 1) of 0. and 1."""

    num_outputs = 1
    sample_labels = 2  # 1 is anomalous
    max_objects = 1
    allows_empty = False

    def __init__(
        self,
        loss: Callable[[Tensor, Tensor], Tensor],
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
    ):
        self.criterion = loss
        self.image_mean, self.image_std = image_mean, image_std

    def target(self, sample: Sample) -> Tensor:
        """1. if the sample's object is of class 1, else 0.: float32 scalar."""
        return (sample.known("labels")[0] == 1).float()

    def collate(self, targets: Sequence[Tensor]) -> Tensor:
        """(N, 1) float32, as the logits are."""
        return torch.stack(list(targets)).unsqueeze(1)

    def target_problems(self, images: Sequence[Tensor], targets: Tensor) -> list[str]:
        """Targets that are neither 0. nor 1."""
        if not targets.is_floating_point() or targets.shape != (len(images), 1):
            return [f"targets are {targets.dtype} {tuple(targets.shape)}; expected floats ({len(images)}, 1)"]
        if not ((targets == 0) | (targets == 1)).all():
            return ["targets are not all 0. (normal) or 1. (anomalous)"]
        return []

    def loss(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """``targets`` (N, 1) float."""
        return {"anomaly": apply(self.criterion, model(inputs), targets)}

    def raw_outputs(self, model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
        """``logit`` (N, 1)."""
        return {"logit": model(inputs)}

    def output_problems(self, output: object, inputs: Tensor) -> list[str]:
        """The logit is (N, 1), floating point, finite; its sigmoid is the anomaly score."""
        return tensor_problems(output, (len(inputs), 1))

    def metrics(self, output: Tensor, samples: Sequence[Sample]) -> dict[str, float]:
        """``auroc``: the chance that an anomalous image has a higher logit than a normal one."""
        truth = torch.stack([sample.known("labels")[0] == 1 for sample in samples])
        return {"auroc": metrics.area_under_roc(output.detach().cpu()[:, 0], truth)}

    def draw(self, image: Tensor, target: Tensor | None, output: Tensor | None) -> Image.Image:
        """A badge, normal or anomalous, with the anomaly score; below, what was expected."""
        on = canvas(image)
        if output is None:
            return on.finish([] if target is None else [f"target: {NAMES[int(target)]}"])
        score = float(output.float().sigmoid())
        found = int(score >= 0.5)
        shade = NEUTRAL if target is None else BAD if found else GOOD  # no colour judges where nothing is known
        on.badge(f"{NAMES[found]}   score {score:.2f}", shade)
        if target is None:
            return on.finish([])
        return on.finish([f"expected: {NAMES[int(target)]} ({'right' if found == int(target) else 'wrong'})"])
