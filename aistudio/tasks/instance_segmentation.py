"""Instance segmentation: a box x1, y1, x2, y2, a label 1 … C, a score and a mask for every object.

Targets hold masks (K, H, W) uint8 of 0 and 1. In train mode the model gives a dict of losses; in eval mode a list of
{boxes (K, 4), labels (K,), scores (K,), masks (K, 1, H, W) float in [0, 1]}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from aistudio.data.sample import Sample
from aistudio.drawing import colour
from aistudio.drawing.colours import WHITE
from aistudio.tasks import detection_contracts, detection_drawing, metrics
from aistudio.tasks.base import DetectionTask
from aistudio.tasks.drawing import area, canvas


class InstanceSegmentation(DetectionTask):
    """``num_classes`` leaves out the background; the model's last layer has it. The loss is the architecture's own."""

    def target(self, sample: Sample) -> dict[str, Tensor]:
        """``boxes`` (K, 4) float32, ``labels`` (K,) int64 in 1 … C, ``masks`` (K, H, W) uint8."""
        masks = sample.known("masks").to(torch.uint8)
        return {"boxes": sample.known("extents"), "labels": sample.known("labels") + 1, "masks": masks}

    def target_problems(self, images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]]) -> list[str]:
        """Everything in `detection.check_targets`, masks too."""
        return detection_contracts.check_targets(
            images, targets, self.sample_labels, masks=True, channels=self.in_channels
        )

    def output_problems(self, output: Any, inputs: list[Tensor]) -> list[str]:
        """As in object detection, and a mask of the image's size for every box."""
        problems = detection_contracts.output_problems(output, inputs, self.sample_labels)
        return problems or detection_contracts.outside_problems(output, inputs) + detection_contracts.mask_problems(
            output, inputs
        )

    def metrics(self, output: Sequence[dict[str, Tensor]], samples: Sequence[Sample]) -> dict[str, float]:
        """``mask_map_50``: mean average precision at an IoU of .5 of the masks; ``map_50``: that of the boxes."""
        truth = [
            {"boxes": one.known("extents"), "labels": one.known("labels") + 1, "masks": one.known("masks")}
            for one in samples
        ]
        found = [{**objects, "masks": objects["masks"][:, 0] >= 0.5} for objects in map(metrics.on_cpu, output)]
        masks, boxes = metrics.mask_average_precision(found, truth), metrics.box_average_precision(found, truth)
        return {"mask_map_50": masks["map_50"], "map_50": boxes["map_50"]}

    def draw(self, image: Tensor, target: dict[str, Tensor] | None, output: dict[str, Tensor] | None) -> Image.Image:
        """The best of the found objects, a colour each, with class and score; the expected ones are dashed."""
        on = canvas(image, grey=output is not None)
        for instance, mask in enumerate(detection_drawing.best(output)["masks"] if output is not None else ()):
            on.area(area(mask[0]), colour(instance))
        for mask in target["masks"] if target is not None else ():
            on.area(area(mask), WHITE, dashed=True)
        return on.finish(
            detection_drawing.draw(
                on, target, output, detection_drawing.upright_corners, self.class_names, by_instance=True
            )
        )
