"""Oriented object detection: boxes cx, cy, w, h in pixels and degrees (see `aistudio.oriented`), labels 1 … C, scores.

In train mode the model gives a dict of losses; in eval mode a list of {boxes (K, 5), labels (K,), scores (K,)}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor, nn

from aistudio.data.sample import Sample
from aistudio.oriented import boxes_to_corners, rotated_mean_average_precision
from aistudio.tasks import detection_contracts, detection_drawing, metrics
from aistudio.tasks.drawing import canvas


class OrientedObjectDetection:
    """``num_classes`` leaves out the background; the model's last layer has it. The loss is the architecture's own."""

    max_objects = 3
    allows_empty = True
    in_channels = 3
    class_names: Sequence[str] = ()  # of labels 1, 2, …

    def __init__(self, num_classes: int, in_channels: int = 3):
        self.in_channels = in_channels
        self.sample_labels = num_classes
        self.num_outputs = num_classes + 1

    def inputs(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The images as they are: detectors take a list in [0, 1], of any sizes, and normalise inside."""
        return list(images)

    def target(self, sample: Sample) -> dict[str, Tensor]:
        """``boxes`` (K, 5) float32, ``labels`` (K,) int64 in 1 … C."""
        return {"boxes": sample.known("boxes"), "labels": sample.known("labels") + 1}

    def collate(self, targets: Sequence[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
        """The list itself."""
        return list(targets)

    def target_problems(self, images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]]) -> list[str]:
        """Everything in `detection.check_rotated_targets`."""
        return detection_contracts.check_rotated_targets(images, targets, self.sample_labels, channels=self.in_channels)

    def loss(self, model: nn.Module, inputs: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The architecture's own losses."""
        return model(inputs, targets)

    def raw_outputs(self, model: nn.Module, inputs: list[Tensor]) -> dict[str, Tensor]:
        """The head's maps, before anything is decoded."""
        return detection_contracts.raw_maps(model, inputs)

    def output_problems(self, output: Any, inputs: list[Tensor]) -> list[str]:
        """Boxes, labels, scores of matching lengths; w >= h > 0, -90 <= angle < 90, labels 1 … C, scores in [0, 1]."""
        problems = detection_contracts.output_problems(output, inputs, self.sample_labels, columns=5)
        return problems or detection_contracts.canonical_problems(output)

    def training_output_problems(self, output: object, inputs: list[Tensor]) -> list[str]:
        """Scalar losses."""
        return detection_contracts.training_output_problems(output)

    def metrics(self, output: Sequence[dict[str, Tensor]], samples: Sequence[Sample]) -> dict[str, float]:
        """``rotated_map_50``: the mean over classes of the average precision at a rotated IoU of .5."""
        truth = [{"boxes": sample.known("boxes"), "labels": sample.known("labels") + 1} for sample in samples]
        found = [metrics.on_cpu(one) for one in output]
        return {"rotated_map_50": rotated_mean_average_precision(found, truth, (0.5,))["map"]}

    def enlarge(self, values: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
        """A target or an output for an image ``factor`` times as large."""
        return detection_drawing.enlarge(values, factor)

    def draw(self, image: Tensor, target: dict[str, Tensor] | None, output: dict[str, Tensor] | None) -> Image.Image:
        """The best of the found boxes with class and score, and a tick along w; the expected ones are dashed."""
        on = canvas(image)
        return on.finish(detection_drawing.draw(on, target, output, _corners, self.class_names))


def _corners(boxes: Tensor) -> list[list[list[float]]]:
    return boxes_to_corners(boxes.float()).view(-1, 4, 2).tolist()
