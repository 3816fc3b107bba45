"""Rotation augmentation for rotated boxes, as a ``torchvision.transforms.v2`` pipeline.

The pipeline takes ``(image, target)``: an image tensor and a dict with ``boxes``, a ``CXCYWHR`` tv_tensor,
and ``labels``. It keeps clear of what torchvision does to rotated boxes by default: the clamping mode
"soft" shrinks a box that reaches beyond the border and never restores it, and SanitizeBoundingBoxes drops a
box for one corner outside. Here boxes keep their full size, and one is dropped when its centre leaves the
image.
"""

from __future__ import annotations

from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from aistudio.oriented.boxes import canonical_boxes


class _KeepCentresInside(v2.Transform):
    """Drop the boxes whose centre lies outside the image, and give those that stay their canonical names.

    per_box names the other entries of the target that hold one row a box; absent ones are passed over.
    """

    def __init__(self, per_box: tuple[str, ...] = ("labels", "difficult")):
        super().__init__()
        self.per_box = per_box

    def forward(self, image: Tensor, target: dict) -> tuple[Tensor, dict]:
        """The image as it is and a new target."""
        boxes = target["boxes"]
        height, width = boxes.canvas_size
        plain = boxes.as_subclass(Tensor)
        x, y = plain[:, 0], plain[:, 1]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        kept = {name: target[name][inside] for name in self.per_box if name in target}
        return image, {**target, **kept, "boxes": tv_tensors.wrap(canonical_boxes(plain[inside]), like=boxes)}


def rotation_augmentation(
    degrees: float = 180.0,
    scale: tuple[float, float] = (0.75, 1.33),
    flip: float = 0.5,
    fill: float = 0.0,
    per_box: tuple[str, ...] = ("labels", "difficult"),
) -> v2.Compose:
    """Flip, turn by any angle within ±degrees and scale about the image's centre; the canvas keeps its size.

    Args:
        degrees: the largest turn; 180 is every direction, right for images from above, where no side is up.
        scale: the range of the zoom.
        flip: probability of a horizontal flip.
        fill: brightness of what comes in from beyond the border.
        per_box: entries of the target, besides ``boxes``, that lose the rows of dropped boxes.
    """
    bilinear = v2.InterpolationMode.BILINEAR
    return v2.Compose(
        [
            v2.SetClampingMode(None),
            v2.RandomHorizontalFlip(flip),
            v2.RandomAffine(degrees, scale=scale, interpolation=bilinear, fill=fill),
            _KeepCentresInside(per_box),
        ]
    )
