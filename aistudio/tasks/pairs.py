"""Pairs of image and target as they are trained on: put through a user's transform, and read back as samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torchvision import tv_tensors

from aistudio.data.sample import Sample
from aistudio.tasks.base import Task
from aistudio.tasks.batch import Batch

Transform = Callable[[Tensor, Any], tuple[Tensor, Any]]
_BOX_FORMATS = {4: "XYXY", 5: "CXCYWHR"}  # by columns


def transform_batch(task: Task, samples: list[Sample], transform: Transform) -> Batch:
    """A batch whose images and targets went through ``transform(image, target)`` one by one.

    Boxes and masks are tv_tensors, as `torchvision.transforms.v2` wants them; other targets are plain. The batch's
    samples are what the targets say, or the given ones where targets have a form that `read_back` does not know.
    """
    pairs = [transform(tv_tensors.Image(one.image), _wrap(task.target(one), one.image)) for one in samples]
    images, targets = [plain(image) for image, _ in pairs], [plain(target) for _, target in pairs]
    said = [read_back(image, target) for image, target in zip(images, targets, strict=True)]
    known = [one for one in said if one is not None]
    return Batch(known if len(known) == len(said) else samples, task.inputs(images), task.collate(targets))


def read_back(image: Tensor, target: Any) -> Sample | None:
    """What a target of one of the seven tasks says of its image; None for a target of another form."""
    if isinstance(target, dict) and {"boxes", "labels"} <= set(target):
        boxes, masks = target["boxes"], target.get("masks")
        places = {"extents": boxes} if boxes.shape[-1] == 4 else {"boxes": boxes}
        return Sample(image, labels=target["labels"] - 1, masks=None if masks is None else masks.bool(), **places)
    if not isinstance(target, Tensor):
        return None
    if target.dim() == 2:
        return Sample(image, class_mask=target)
    if target.dim() == 1 and target.is_floating_point():
        return Sample(image, values=target)
    return Sample(image, labels=target.long()[None]) if target.dim() == 0 else None


def _wrap(target: Any, image: Tensor) -> Any:
    if isinstance(target, dict):
        return {name: _wrap_one(name, value, image) for name, value in target.items()}
    return _wrap_one("mask" if isinstance(target, Tensor) and target.dim() == 2 else "", target, image)


def _wrap_one(name: str, value: Any, image: Tensor) -> Any:
    if name == "boxes" and value.shape[-1] in _BOX_FORMATS:
        form = _BOX_FORMATS[value.shape[-1]]
        return tv_tensors.BoundingBoxes(value, format=form, canvas_size=tuple(image.shape[-2:]))
    return tv_tensors.Mask(value) if name in ("mask", "masks") else value


def plain(value: Any) -> Any:
    """The same nest without tv_tensors."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value.as_subclass(Tensor) if isinstance(value, Tensor) else value
