"""Object detection: boxes x1, y1, x2, y2 in pixels, labels 1 … C (0 is the background), and scores.

In train mode the model gives a dict of losses; in eval mode a list of {boxes (K, 4), labels (K,), scores (K,)}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor

from aistudio.data.sample import Sample
from aistudio.tasks import detection_contracts, detection_drawing, metrics
from aistudio.tasks.base import DetectionTask
from aistudio.tasks.drawing import canvas


class ObjectDetection(DetectionTask):
    """``num_classes`` leaves out the background; the model's last layer has it. The loss is the architecture's own."""

    def target(self, sample: Sample) -> dict[str, Tensor]:
        """``boxes`` (K, 4) float32, ``labels`` (K,) int64 in 1 … C."""
        return {"boxes": sample.known("extents"), "labels": sample.known("labels") + 1}

    def target_problems(self, images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]]) -> list[str]:
        """Everything in `detection.check_targets`."""
        return detection_contracts.check_targets(images, targets, self.sample_labels, channels=self.in_channels)

    def output_problems(self, output: Any, inputs: list[Tensor]) -> list[str]:
        """Boxes, labels, scores of matching lengths; boxes inside their image, labels 1 … C, scores in [0, 1]."""
        problems = detection_contracts.output_problems(output, inputs, self.sample_labels)
        return problems or detection_contracts.outside_problems(output, inputs)

    def metrics(self, output: Sequence[dict[str, Tensor]], samples: Sequence[Sample]) -> dict[str, float]:
        """``map_50``: the mean over classes of the average precision at IoU .5; ``map_75``: at .75."""
        truth = [{"boxes": sample.known("extents"), "labels": sample.known("labels") + 1} for sample in samples]
        return metrics.box_average_precision([metrics.on_cpu(one) for one in output], truth)

    def draw(self, image: Tensor, target: dict[str, Tensor] | None, output: dict[str, Tensor] | None) -> Image.Image:
        """The best of the found boxes with class and score; the expected ones are dashed."""
        on = canvas(image)
        return on.finish(
            detection_drawing.draw(on, target, output, detection_drawing.upright_corners, self.class_names)
        )
