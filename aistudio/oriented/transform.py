"""What happens to images and boxes before the network, and to boxes after it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform


class RotatedTransform(GeneralizedRCNNTransform):
    """torchvision's normalising, resizing and batching, for boxes (N, 5) and with one scale for both axes.

    torchvision rounds the new height and width and then stretches the image to fit, by up to a percent
    more along one axis: that shears rotated rectangles, and no rectangle is then right. Here the scale is
    kept and the size rounded, so a rectangle stays a rectangle, squares included, and mapping back is
    exact.
    """

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict | None]:
        """Resize one image (3, H, W) and its target; in training, min_size is drawn if several are given."""
        side = self.torch_choice(self.min_size) if self.training else self.min_size[-1]
        scale = self._scale(image.shape[-2:], side)
        # The size is rounded down: a hair more keeps 130 · (128 / 130) from ending at 127.
        image = nn.functional.interpolate(image[None], scale_factor=scale * (1 + 1e-9), mode="bilinear")[0]
        if target is not None:
            target["boxes"] = _scaled(target["boxes"], scale)
        return image, target

    def postprocess(
        self,
        result: list[dict[str, Tensor]],
        image_shapes: list[tuple[int, int]],
        original_image_sizes: list[tuple[int, int]],
    ) -> list[dict[str, Tensor]]:
        """Map boxes found in the resized images back to the pixels of the images that came in."""
        for detections, size in zip(result, original_image_sizes, strict=True):
            detections["boxes"] = _scaled(detections["boxes"], 1 / self._scale(size, self.min_size[-1]))
        return result

    def _scale(self, size: Sequence[int], side: int) -> float:
        height, width = int(size[0]), int(size[1])  # plain numbers, also in a trace, which is of images of one size
        return min(side / min(height, width), self.max_size / max(height, width))


def _scaled(boxes: Tensor, scale: float) -> Tensor:
    return torch.cat((boxes[:, :4] * scale, boxes[:, 4:]), dim=1)
