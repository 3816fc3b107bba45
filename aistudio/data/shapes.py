"""Samples of records: pixels, boxes, rotated boxes and masks of one image, moved together when its size changes."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision.transforms.v2.functional as v2
from PIL import Image, ImageOps
from torch import Tensor
from torchvision import tv_tensors

from aistudio.audit import ImageRecord, Labels, ObjectRecord
from aistudio.audit.rle import read_counts, to_mask
from aistudio.data.images import FORMATS, to_rgb
from aistudio.data.sample import Sample
from aistudio.errors import Problem, Refusal
from aistudio.oriented.boxes import boxes_to_corners, canonical_boxes

LEAST = 1e-3  # pixels a side of a box that detectors take


def decode(path: str | Path) -> Tensor:
    """(3, H, W) float32 in [0, 1], turned as EXIF says. Raises whatever the decoder raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as file:
            ImageOps.exif_transpose(file, in_place=True)  # without a copy where there is nothing to turn
            image = to_rgb(file)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div_(255)


def make_sample(record: ImageRecord, labels: Labels, task: str, image: Tensor) -> Sample:
    """What a record says of its image. Objects that no detector could learn from are left out; the audit names them."""
    height, width = image.shape[-2:]
    if task == "regression":
        return known(image, record, values=torch.tensor(record.values, dtype=torch.float32))
    if labels.format == "masks":
        return known(image, record, class_mask=read_mask(labels.path(record.mask or ""), height, width))
    if record.label is not None and not record.objects:
        return known(image, record, labels=torch.tensor([record.label]))
    scale = (width, height) if labels.relative else (1.0, 1.0)
    objects = [one for one in record.objects if one.label is not None and not one.crowd and _is_finite(one)]
    numbers = torch.tensor([one.label for one in objects], dtype=torch.int64)
    if task == "segmentation":
        crowd = [one for one in record.objects if one.crowd]
        return known(image, record, class_mask=paint(objects, crowd, scale, height, width, labels.ignore_index or 255))
    rotated = [_rotated_box(one, scale) for one in objects]
    if all(one is not None for one in rotated) and task == "oriented_object_detection":
        boxes = torch.tensor(rotated, dtype=torch.float32).view(-1, 5)
        keep = (boxes[:, 2:4] > LEAST).all(1)
        return known(image, record, labels=numbers[keep], boxes=canonical_boxes(boxes[keep]))
    boxes = torch.tensor([_upright_box(one, scale) for one in objects], dtype=torch.float32).view(-1, 4)
    boxes = boxes.clamp(min=0).minimum(torch.tensor([width, height, width, height]))
    keep = (boxes[:, 2:] - boxes[:, :2] > LEAST).all(1)
    masks = None
    if task == "instance_segmentation":
        drawn = [draw(one, scale, height, width) for one in objects]
        masks = torch.stack(drawn) if drawn else torch.zeros((0, height, width), dtype=torch.bool)
        keep &= masks.flatten(1).any(1)
        masks = masks[keep]
    return known(image, record, labels=numbers[keep], boxes=lying(boxes[keep]), extents=boxes[keep], masks=masks)


def known(image: Tensor, record: ImageRecord, **what: Any) -> Sample:
    """A sample of which only this is known."""
    return Sample(image=image, name=record.name, **what)


def lying(boxes: Tensor) -> Tensor:
    """Upright boxes (K, 4) as rotated ones (K, 5), canonical."""
    size = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, 2:] + boxes[:, :2]) / 2
    return canonical_boxes(torch.cat((centre, size, torch.zeros((len(boxes), 1))), 1))


def _is_finite(one: ObjectRecord) -> bool:
    """Whether all coordinates of an object are numbers."""
    numbers = [
        *(one.box or ()),
        *(one.corners or ()),
        *(one.rotated or ()),
        *(v for p in one.polygons or () for v in p),
    ]
    return all(map(math.isfinite, numbers))


def _upright_box(one: ObjectRecord, scale: tuple[float, float]) -> list[float]:
    """x1, y1, x2, y2 in pixels: as written, or around what else is known."""
    if one.box is not None:
        return [value * scale[i % 2] for i, value in enumerate(one.box)]
    points = one.corners or (boxes_to_corners(torch.tensor(one.rotated)).tolist() if one.rotated else None)
    points = points or [value for polygon in one.polygons or () for value in polygon] or [0.0, 0.0]
    xs, ys = [x * scale[0] for x in points[::2]], [y * scale[1] for y in points[1::2]]
    return [min(xs), min(ys), max(xs), max(ys)]


def _rotated_box(one: ObjectRecord, scale: tuple[float, float]) -> list[float] | None:
    """cx, cy, w, h, degrees in pixels: as written, or of the rectangle through four corners."""
    if one.rotated is not None:
        return [*one.rotated]
    if one.corners is None:
        return None
    x, y = [v * scale[0] for v in one.corners[::2]], [v * scale[1] for v in one.corners[1::2]]
    along = (x[1] - x[0] + x[2] - x[3]) / 2, (y[1] - y[0] + y[2] - y[3]) / 2
    across = (x[3] - x[0] + x[2] - x[1]) / 2, (y[3] - y[0] + y[2] - y[1]) / 2
    angle = math.degrees(math.atan2(-along[1], along[0]))
    return [sum(x) / 4, sum(y) / 4, math.hypot(*along), math.hypot(*across), angle]


def draw(one: ObjectRecord, scale: tuple[float, float], height: int, width: int) -> Tensor:
    """(H, W) bool: the pixels of polygons or of run lengths, by pycocotools; none where they are broken."""
    nothing = torch.zeros((height, width), dtype=torch.bool)
    if one.rle is not None:
        try:
            mask = to_mask(read_counts(one.rle.get("counts")), *one.rle["size"])
        except (ValueError, KeyError, TypeError):
            return nothing
        return torch.from_numpy(mask.copy()) if mask.shape == (height, width) else nothing
    polygons = [
        [v * scale[i % 2] for i, v in enumerate(p)] for p in one.polygons or () if len(p) >= 6 and len(p) % 2 == 0
    ]
    if not polygons:
        return nothing
    try:
        from pycocotools import mask as coco
    except ImportError:
        what, why = "polygons need pycocotools to become masks", "it is not installed"
        raise Refusal([Problem(what, why, "data.format", "pip install 'aistudio[coco]'")]) from None
    runs = coco.merge(coco.frPyObjects(polygons, height, width))
    return torch.from_numpy(coco.decode(runs).astype(bool))


def paint(
    objects: list[ObjectRecord],
    crowd: list[ObjectRecord],
    scale: tuple[float, float],
    height: int,
    width: int,
    ignore: int,
) -> Tensor:
    """(H, W) int64: the background 0, each object's class from 1, the largest first, and crowds to be ignored."""
    mask = torch.zeros((height, width), dtype=torch.int64)
    for one in crowd:
        mask[draw(one, scale, height, width)] = ignore
    drawn = [(draw(one, scale, height, width), one.label or 0) for one in objects]
    for inside, label in sorted(drawn, key=lambda pair: -int(pair[0].sum())):
        mask[inside] = label + 1
    return mask


def read_mask(path: str, height: int, width: int) -> Tensor:
    """(H, W) int64 ids of a mask file, brought to the image's size where it has another; the audit says so."""
    with Image.open(path, formats=FORMATS) as file:
        values = np.asarray(file)
    values = values[..., 0] if values.ndim == 3 else values
    mask = torch.from_numpy(values.astype(np.int64))
    return (
        mask
        if mask.shape == (height, width)
        else v2.resize(tv_tensors.Mask(mask[None]), [height, width])[0].as_subclass(Tensor)
    )


def letterbox(sample: Sample, size: int, ignore: int) -> Sample:
    """The whole image in a square: scaled until its longer side fits, the rest black and without objects."""
    height, width = sample.image.shape[-2:]
    scale = size / max(height, width)
    new = [max(1, min(size, round(height * scale))), max(1, min(size, round(width * scale)))]
    pad = [0, 0, size - new[1], size - new[0]]
    sx, sy = new[1] / width, new[0] / height
    found = replace(sample, image=v2.pad(v2.resize(sample.image, new, antialias=True), pad))
    by = torch.tensor([sx, sy, math.sqrt(sx * sy), math.sqrt(sx * sy), 1.0])
    if sample.boxes is not None:
        found = replace(found, boxes=sample.boxes * by)
    if sample.extents is not None:
        boxes = tv_tensors.BoundingBoxes(sample.extents, format="XYXY", canvas_size=(height, width))
        found = replace(found, extents=v2.resize(boxes, new).as_subclass(Tensor))
    if sample.masks is not None:
        masks = v2.resize(tv_tensors.Mask(sample.masks), new)
        found = replace(found, masks=v2.pad(masks, pad).as_subclass(Tensor))
    if sample.class_mask is not None:
        mask = v2.resize(tv_tensors.Mask(sample.class_mask[None]), new)
        found = replace(found, class_mask=v2.pad(mask, pad, fill=ignore)[0].as_subclass(Tensor))
    return found


def centre(sample: Sample, size: int) -> Sample:
    """The centre of the image: the shorter side scaled to ``size``, the longer one cut."""
    height, width = sample.image.shape[-2:]
    scale = size / min(height, width)
    new = [max(size, round(height * scale)), max(size, round(width * scale))]
    return replace(sample, image=v2.center_crop(v2.resize(sample.image, new, antialias=True), [size, size]))
