"""Segmentation: a class for every pixel. Targets (H, W) int64 in 0 … C-1, 0 being the background, or the ignore index.

The output is a dict, the same in train and eval mode: ``out`` and, from architectures with an auxiliary head,
``aux``: logits (N, C, H, W) of the size of the images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from aistudio.data.sample import Sample
from aistudio.drawing import Canvas, colour
from aistudio.errors import Problem, Refusal
from aistudio.tasks import metrics
from aistudio.tasks.base import StackTask
from aistudio.tasks.contracts import tensor_problems
from aistudio.tasks.drawing import area, canvas, class_name
from aistudio.tasks.losses import apply

_IGNORED = (240, 240, 240)  # the colour of ignored pixels


class Segmentation(StackTask):
    """``num_classes`` counts the background. ``loss`` takes logits (N, C, H, W) and masks (N, H, W).

    The training loss is ``loss(out) + aux_weight * loss(aux)``. Raises `Refusal` if ``loss`` ignores another index.
    """

    max_objects = 3
    allows_empty = True
    class_names: Sequence[str] = ()  # of 0, the background, and on

    def __init__(
        self,
        num_classes: int,
        loss: Callable[[Tensor, Tensor], Tensor],
        aux_weight: float = 0.4,
        ignore_index: int = 255,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
    ):
        counted = getattr(loss, "ignore_index", ignore_index)
        if counted != ignore_index:
            what = f"task.loss ignores {counted}, task.ignore_index is {ignore_index}"
            why = "pixels marked with the one would be taken for a class by the other"
            raise Refusal([Problem(what, why, "task.loss.ignore_index", f"task.loss.ignore_index={ignore_index}")])
        self.num_outputs = num_classes
        self.sample_labels = max(num_classes - 1, 1)
        self.criterion = loss
        self.aux_weight = aux_weight
        self.ignore_index = ignore_index
        self.image_mean, self.image_std = image_mean, image_std

    def target(self, sample: Sample) -> Tensor:
        """(H, W) int64: 0, label + 1 inside objects, the ignore index in a ring around each, as in VOC.

        A mask that people drew is taken as it is.
        """
        return _true_mask(sample, self.num_outputs, self.ignore_index)

    def target_problems(self, images: Sequence[Tensor], targets: Tensor) -> list[str]:
        """Masks of another size than their images, or with values that are no class."""
        expected = (len(images), *images[0].shape[-2:])
        if targets.dtype != torch.int64 or targets.shape != expected:
            return [f"masks are {targets.dtype} {tuple(targets.shape)}; expected torch.int64 {expected}"]
        values = targets[targets != self.ignore_index]
        if not len(values):
            return ["every pixel is to be ignored"]
        if not 0 <= values.min() <= values.max() < self.num_outputs:
            expected_values = f"0 … {self.num_outputs - 1} or {self.ignore_index}"
            return [f"masks hold {values.min()} … {values.max()}; expected {expected_values}"]
        return []

    def loss(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """``targets`` (N, H, W) int64."""
        output = model(inputs)
        losses = {"out": apply(self.criterion, output["out"], targets)}
        if "aux" in output:
            losses["aux"] = self.aux_weight * apply(self.criterion, output["aux"], targets)
        return losses

    def raw_outputs(self, model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
        """``out`` and perhaps ``aux`` (N, C, H, W)."""
        return dict(model(inputs))

    def output_problems(self, output: object, inputs: Tensor) -> list[str]:
        """``out`` and ``aux``, if there, are (N, C, H, W), floating point, finite."""
        if not isinstance(output, dict) or "out" not in output or set(output) - {"out", "aux"}:
            names = ", ".join(map(str, output)) if isinstance(output, dict) else type(output).__name__
            return [f"the output is {names}; expected a dict with out, and aux at most"]
        shape = (len(inputs), self.num_outputs, *inputs.shape[-2:])
        return [f"{name}: {problem}" for name in output for problem in tensor_problems(output[name], shape)]

    def metrics(self, output: dict[str, Tensor], samples: Sequence[Sample]) -> dict[str, float]:
        """``miou``: the mean IoU of the classes over all pixels that are not to be ignored."""
        found = output["out"].detach().argmax(1).cpu()
        truth = torch.stack([_true_mask(sample, self.num_outputs, self.ignore_index) for sample in samples])
        return {"miou": metrics.mean_intersection_over_union(found, truth, self.num_outputs, self.ignore_index)}

    def enlarge(self, values: Tensor | dict[str, Tensor], factor: float) -> Tensor | dict[str, Tensor]:
        """A target (H, W) or an output (C, H, W) for an image ``factor`` times as large."""
        if isinstance(values, dict):
            return {name: F.interpolate(v[None], scale_factor=factor, mode="bilinear")[0] for name, v in values.items()}
        return F.interpolate(values[None, None].float(), scale_factor=factor, mode="nearest")[0, 0].long()

    def draw(self, image: Tensor, target: Tensor | None, output: dict[str, Tensor] | None) -> Image.Image:
        """Predicted classes as colours over the image, beside the expected ones, and a legend of the classes seen."""
        found = None if output is None else output["out"].float().max(0).indices  # argmax(0) takes 20 times as long
        given = {"found": found, "expected" if output is not None else "target": target}
        masks = {word: mask for word, mask in given.items() if mask is not None}
        labels = {word: set(mask.unique().tolist()) - {0} for word, mask in masks.items()}
        drawn = {word: self._tinted(image, mask, labels[word]) for word, mask in masks.items()}
        if len(drawn) == 2:
            for word, on in drawn.items():
                on.corner(word)
        first, *others = drawn.values() or [canvas(image)]
        for other in others:
            first = first.beside(other)
        legend = [(self._named(label), self._shade(label)) for label in sorted(set().union(*labels.values()))]
        return first.finish([*self._judged(found, target), "no colour: background"], legend)

    def _tinted(self, image: Tensor, mask: Tensor, labels: set[int]) -> Canvas:
        on = canvas(image, grey=True)
        for label in sorted(labels):
            on.area(area(mask == label), self._shade(label))
        return on

    def _judged(self, found: Tensor | None, target: Tensor | None) -> list[str]:
        if found is None or target is None:
            return []
        counted = target != self.ignore_index
        right = (found == target)[counted].float().mean() if counted.any() else torch.tensor(1.0)
        return [f"{100 * right:.0f} % of the pixels right"]

    def _named(self, label: int) -> str:
        return "ignored" if label == self.ignore_index else class_name(self.class_names, label)

    def _shade(self, label: int) -> tuple[int, int, int]:
        return _IGNORED if label == self.ignore_index else colour(label)


def _true_mask(sample: Sample, classes: int, ignore_index: int) -> Tensor:
    """(H, W) int64: what people drew, else label + 1 inside objects and ``ignore_index`` in a ring around each."""
    if sample.class_mask is not None:
        return sample.class_mask
    mask = torch.zeros(sample.image.shape[-2:], dtype=torch.int64)
    masks = sample.known("masks")
    for label, inside in zip(sample.known("labels"), masks, strict=True):
        mask[inside] = min(int(label) + 1, classes - 1)
    if len(masks):
        objects = masks.any(0)
        ring = 1 + min(mask.shape) // 256
        near = F.max_pool2d(objects[None].float(), (2 * ring + 1, 1), stride=1, padding=(ring, 0))
        near = F.max_pool2d(near, (1, 2 * ring + 1), stride=1, padding=(0, ring))[0] > 0
        mask[near & ~objects] = ignore_index
    return mask
