"""Oriented object detection: boxes cx, cy, w, h in pixels and degrees (see `aistudio.oriented`), labels 1 … C, scores.

In train mode the model gives a dict of losses; in eval mode a list of {boxes (K, 5), labels (K,), scores (K,)}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from PIL import Image
from torch import Tensor

from aistudio.data.sample import Sample
from aistudio.oriented import boxes_to_corners, rotated_mean_average_precision
from aistudio.tasks import detection_contracts, detection_drawing, metrics
from aistudio.tasks.base import DetectionTask
from aistudio.tasks.drawing import canvas


class OrientedObjectDetection(DetectionTask):
    """``num_classes`` leaves out the background; the model's last layer has it. The loss is the architecture's own."""

    def target(self, sample: Sample) -> dict[str, Tensor]:
        """``boxes`` (K, 5) float32, ``labels`` (K,) int64 in 1 … C."""
        return {"boxes": sample.known("boxes"), "labels": sample.known("labels") + 1}

    def target_problems(self, images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]]) -> list[str]:
        """Everything in `detection.check_rotated_targets`."""
        return detection_contracts.check_rotated_targets(images, targets, self.sample_labels, channels=self.in_channels)

    def output_problems(self, output: Any, inputs: list[Tensor]) -> list[str]:
        """Boxes, labels, scores of matching lengths; w >= h > 0, -90 <= angle < 90, labels 1 … C, scores in [0, 1]."""
        problems = detection_contracts.output_problems(output, inputs, self.sample_labels, columns=5)
        return problems or detection_contracts.canonical_problems(output)

    def metrics(self, output: Sequence[dict[str, Tensor]], samples: Sequence[Sample]) -> dict[str, float]:
        """``rotated_map_50``: mean average precision at a rotated IoU of .5; ``rotated_map_75``: at .75."""
        truth = [{"boxes": sample.known("boxes"), "labels": sample.known("labels") + 1} for sample in samples]
        measured = rotated_mean_average_precision([metrics.on_cpu(one) for one in output], truth, (0.5, 0.75))
        return {f"rotated_{name}": cast(float, measured[name]) for name in ("map_50", "map_75")}

    def draw(self, image: Tensor, target: dict[str, Tensor] | None, output: dict[str, Tensor] | None) -> Image.Image:
        """The best of the found boxes with class and score, and a tick along w; the expected ones are dashed."""
        on = canvas(image)
        return on.finish(detection_drawing.draw(on, target, output, _corners, self.class_names))


def _corners(boxes: Tensor) -> list[list[list[float]]]:
    return boxes_to_corners(boxes.float()).view(-1, 4, 2).tolist()
