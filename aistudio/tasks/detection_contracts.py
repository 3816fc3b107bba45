"""What the three detection tasks share: checks of what goes into a detector and of what comes out.

Detectors follow torchvision: they take a list of (3, H, W) images in [0, 1] and, in train mode, a target an image with
``labels`` (K,) int64 in 1 … C (0 is the background), ``boxes`` (K, 4) x1, y1, x2, y2 in pixels, and perhaps
``masks`` (K, H, W) uint8.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def check_images(images: Sequence[Tensor], channels: int = 3) -> list[str]:
    """What is wrong with images that should be (channels, H, W) float in [0, 1], each with its image's index."""
    problems = []
    for index, image in enumerate(images):
        if image.dim() != 3 or image.shape[0] != channels:
            problems.append(f"image {index} has shape {tuple(image.shape)}; expected ({channels}, H, W)")
        elif not image.is_floating_point():
            problems.append(f"image {index} is {image.dtype}; expected float in [0, 1]")
        elif not image.isfinite().all():
            problems.append(f"image {index} has NaN or infinite pixels")
        elif image.min() < 0:
            problems.append(
                f"image {index} goes down to {image.min():.2f}: it is normalised already, which detectors "
                "do themselves; expected [0, 1]"
            )
        elif image.max() > 1:
            problems.append(f"image {index} goes up to {image.max():.0f}; expected [0, 1] (divide by 255)")
    return problems


def _check_labels(targets: Sequence[dict[str, Tensor]], num_classes: int) -> list[str]:
    """What is wrong with ``labels`` that should be (K,) int64 in 1 … ``num_classes``, K boxes."""
    problems = []
    for index, target in enumerate(targets):
        labels, boxes = target["labels"], target["boxes"]
        if labels.shape != boxes.shape[:1]:
            problems.append(f"target {index} has {len(boxes)} boxes and labels of shape {tuple(labels.shape)}")
        elif labels.dtype != torch.int64:
            problems.append(f"target {index} has {labels.dtype} labels; expected torch.int64")
        elif len(labels) and not 1 <= labels.min() <= labels.max() <= num_classes:
            problems.append(
                f"target {index} has labels {labels.min()} … {labels.max()}; expected 1 … {num_classes} "
                "(0 is the background)"
            )
    return problems


def check_targets(
    images: Sequence[Tensor],
    targets: Sequence[dict[str, Tensor]],
    num_classes: int,
    masks: bool = False,
    channels: int = 3,
) -> list[str]:
    """Everything wrong with a batch for a detector of upright boxes; ``num_classes`` without the background.

    torchvision takes most of it without a word: images in 0–255, boxes outside the image or in 0–1 units, label 0.
    """
    problems = _common_problems(
        images, targets, num_classes, channels, {"boxes", "labels"} | ({"masks"} if masks else set())
    )
    for index, (image, target) in enumerate(zip(images, targets, strict=True) if not problems else ()):
        found = _box_problems(target["boxes"], *image.shape[-2:])
        found += _target_mask_problems(target, image) if masks else []
        problems += [f"target {index} {problem}" for problem in found]
    return problems


def check_rotated_targets(
    images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]], num_classes: int, channels: int = 3
) -> list[str]:
    """Everything wrong with a batch for a detector of rotated boxes (K, 5), cx, cy, w, h in pixels and degrees.

    Corners may lie outside the image; a centre may not.
    """
    problems = _common_problems(images, targets, num_classes, channels, {"boxes", "labels"})
    for index, (image, target) in enumerate(zip(images, targets, strict=True) if not problems else ()):
        found = _rotated_problems(target["boxes"], *image.shape[-2:])
        problems += [f"target {index} {problem}" for problem in found]
    return problems


def _common_problems(
    images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]], num_classes: int, channels: int, names: set[str]
) -> list[str]:
    if len(images) != len(targets):
        return [f"{len(images)} images, but {len(targets)} targets"]
    missing = [
        f"target {i} has no {', '.join(sorted(names - set(t)))}" for i, t in enumerate(targets) if names - set(t)
    ]
    return missing or check_images(images, channels) + _check_labels(targets, num_classes)


def _box_problems(boxes: Tensor, height: int, width: int) -> list[str]:
    if boxes.dim() != 2 or boxes.shape[1] != 4:
        return [f"has boxes of shape {tuple(boxes.shape)}; expected (K, 4), x1, y1, x2, y2"]
    if not boxes.is_floating_point() or not boxes.isfinite().all():
        return ["has boxes that are not finite floats"]
    if not len(boxes):
        return []
    if not (boxes[:, 2:] > boxes[:, :2]).all():
        return ["has a box with x2 <= x1 or y2 <= y1 (is it x, y, w, h?)"]
    if boxes.max() <= 1 and min(height, width) > 8:
        return ["has boxes in 0–1 units; expected pixels"]
    if boxes.min() < 0 or boxes[:, 2].max() > width or boxes[:, 3].max() > height:
        return [f"has a box outside its image of {width} x {height}: {[round(v, 1) for v in _worst(boxes)]}"]
    return []


def _rotated_problems(boxes: Tensor, height: int, width: int) -> list[str]:
    if boxes.dim() != 2 or boxes.shape[1] != 5:
        return [f"has boxes of shape {tuple(boxes.shape)}; expected (K, 5), cx, cy, w, h, degrees"]
    if not boxes.is_floating_point() or not boxes.isfinite().all():
        return ["has boxes that are not finite floats"]
    if not len(boxes):
        return []
    if not (boxes[:, 2:4] > 0).all():
        return ["has a box with w <= 0 or h <= 0"]
    if boxes[:, :4].max() <= 1 and min(height, width) > 8:
        return ["has boxes in 0–1 units; expected pixels"]
    if boxes[:, :2].min() < 0 or boxes[:, 0].max() > width or boxes[:, 1].max() > height:
        return [f"has a box whose centre is outside its image of {width} x {height}"]
    return []


def _worst(boxes: Tensor) -> list[float]:
    """The box that reaches out furthest, on any side."""
    reach = torch.stack((-boxes.amin(1), boxes.amax(1))).amax(0)
    return boxes[reach.argmax()].tolist()


def _target_mask_problems(target: dict[str, Tensor], image: Tensor) -> list[str]:
    masks, expected = target["masks"], (len(target["boxes"]), *image.shape[-2:])
    if tuple(masks.shape) != expected:
        return [f"has masks of shape {tuple(masks.shape)}; expected {expected}"]
    if masks.dtype != torch.uint8 or (masks.numel() and masks.max() > 1):
        return [f"has {masks.dtype} masks up to {masks.max()}; expected torch.uint8 of 0 and 1"]
    if not masks.flatten(1).any(1).all():
        return ["has an empty mask"]
    return []


def training_output_problems(output: object) -> list[str]:
    """What is wrong with a train-mode output that should be a dict of scalar losses."""
    if not isinstance(output, dict) or not output:
        return [f"in train mode the output is {type(output).__name__}; expected a dict of losses"]
    return [
        f"loss {name} is no floating-point scalar"
        for name, value in output.items()
        if not isinstance(value, Tensor) or value.dim() or not value.is_floating_point()
    ]


def output_problems(output: object, images: Sequence[Tensor], num_classes: int, columns: int = 4) -> list[str]:
    """What is wrong with an eval output that should be boxes (K, ``columns``), labels (K,), scores (K,) an image."""
    if not isinstance(output, list) or len(output) != len(images):
        return [f"the output is no list of one dict for each of {len(images)} images"]
    problems = [_found_problems(found, num_classes, columns) for found in output]
    return [f"image {index}: {problem}" for index, of_image in enumerate(problems) for problem in of_image]


def _found_problems(found: dict[str, Tensor], num_classes: int, columns: int) -> list[str]:
    missing = {"boxes", "labels", "scores"} - set(found)
    if missing:
        return [f"{', '.join(sorted(missing))} missing"]
    boxes, labels, scores = found["boxes"], found["labels"], found["scores"]
    if boxes.shape != (len(scores), columns) or labels.shape != scores.shape or scores.dim() != 1:
        return [
            f"boxes {tuple(boxes.shape)}, labels {tuple(labels.shape)}, scores {tuple(scores.shape)} do not fit "
            f"(K, {columns}), (K,), (K,)"
        ]
    problems = []
    if not boxes.is_floating_point() or not scores.is_floating_point() or labels.dtype != torch.int64:
        dtypes = f"boxes {boxes.dtype}, scores {scores.dtype}, labels {labels.dtype}"
        problems.append(f"{dtypes}; expected float, float, int64")
    if not boxes.isfinite().all() or not scores.isfinite().all():
        problems.append("boxes or scores are not finite")
    elif len(scores) and not 0 <= scores.min() <= scores.max() <= 1:
        problems.append(f"scores {scores.min():.3g} … {scores.max():.3g} outside [0, 1]")
    # RetinaNet and FCOS have an output for label 0, too, which is never learnt but may lead before training.
    if len(labels) and not 0 <= labels.min() <= labels.max() <= num_classes:
        problems.append(f"labels {labels.min()} … {labels.max()} outside 1 … {num_classes}")
    return problems


def outside_problems(output: Sequence[dict[str, Tensor]], images: Sequence[Tensor]) -> list[str]:
    """Upright boxes that leave their image or are turned inside out; torchvision clips boxes to the image."""
    problems = []
    for index, (found, image) in enumerate(zip(output, images, strict=True)):
        boxes, (height, width) = found["boxes"], image.shape[-2:]
        limits = boxes.new_tensor([width, height, width, height])
        if ((boxes < 0) | (boxes > limits + 1e-3)).any() or (boxes[:, 2:] < boxes[:, :2]).any():
            problems.append(f"image {index}: a box outside 0 … {width} x 0 … {height}, or with x2 < x1")
    return problems


def canonical_problems(output: Sequence[dict[str, Tensor]]) -> list[str]:
    """Rotated boxes (K, 5) that are not in canonical form: w >= h > 0, -90 <= angle < 90."""
    problems = []
    for index, found in enumerate(output):
        w, h, angle = found["boxes"][:, 2:].unbind(1)
        if not ((w >= h) & (h > 0) & (angle >= -90) & (angle < 90)).all():
            problems.append(f"image {index}: a box that is not w >= h > 0, -90 <= angle < 90")
    return problems


def mask_problems(output: Sequence[dict[str, Tensor]], images: Sequence[Tensor]) -> list[str]:
    """Masks that are not (K, 1, H, W) floats in [0, 1]."""
    problems = []
    for index, (found, image) in enumerate(zip(output, images, strict=True)):
        masks, expected = found.get("masks"), (len(found["scores"]), 1, *image.shape[-2:])
        if masks is None or tuple(masks.shape) != expected or not masks.is_floating_point():
            seen = "none" if masks is None else f"{masks.dtype} {tuple(masks.shape)}"
            problems.append(f"image {index}: masks {seen}; expected floats {expected}")
        elif masks.numel() and not 0 <= masks.min() <= masks.max() <= 1:
            problems.append(f"image {index}: masks {masks.min():.3g} … {masks.max():.3g} outside [0, 1]")
    return problems
