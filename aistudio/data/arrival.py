"""What of labelled data arrives at a model: sizes of images, and boxes, without decoding a pixel."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from aistudio.audit import ImageRecord
from aistudio.data.images import FORMATS
from aistudio.data.labelled import Labelled, LabelledImages
from aistudio.data.shapes import make_sample

ORIENTATION = 0x0112  # of EXIF


@dataclass(frozen=True)
class Arrival:
    """A sample of labelled images: their ``sizes`` (I, 2) as width, height, and ``boxes`` (B, 4) x1, y1, x2, y2 or
    (B, 5) cx, cy, w, h, degrees, both in pixels of the image file; ``counts`` boxes are in each image.

    ``of`` is how many images there are to take from.
    """

    sizes: Tensor
    boxes: Tensor
    counts: list[int]
    of: int

    def boxes_at(self, size: int) -> Tensor:
        """The boxes in pixels of the square of ``size`` pixels into which each image is fitted."""
        scale = torch.tensor([_letterbox_scale(w, h, size) for w, h in self.sizes.long().tolist()]).view(-1, 2)
        each = scale.repeat_interleave(torch.tensor(self.counts, dtype=torch.int64), 0)
        if self.boxes.shape[1] == 4:
            return self.boxes * torch.cat((each, each), 1)
        both = each.prod(1, keepdim=True).sqrt()
        return self.boxes * torch.cat((each, both, both, torch.ones_like(both)), 1)


def _letterbox_scale(width: int, height: int, size: int) -> tuple[float, float]:
    """By how much `aistudio.data.shapes.letterbox` scales an image along x and y."""
    scale = size / max(height, width)
    new = [max(1, min(size, round(side * scale))) for side in (width, height)]
    return new[0] / width, new[1] / height


def arrival(source: Labelled, limit: int) -> Arrival:
    """At most ``limit`` images of the split that is learnt from, evenly spread, without those that cannot be opened."""
    dataset = source.dataset(source.split)
    width = 5 if source.task == "oriented_object_detection" else 4
    task = "object_detection" if width == 4 else source.task
    sizes, boxes = [], []
    for record in spread_over(dataset.records, limit):
        size = _shown_size(dataset.labels.path(record.name))
        if size is not None:
            sizes.append(size)
            boxes.append(boxes_of(record, dataset, task, size, width))
    found = torch.cat(boxes) if boxes else torch.zeros((0, width))
    counts = [len(one) for one in boxes]
    return Arrival(torch.tensor(sizes, dtype=torch.float32).view(-1, 2), found, counts, len(dataset))


def boxes_of(record: ImageRecord, dataset: LabelledImages, task: str, size: tuple[int, int], width: int) -> Tensor:
    """The boxes that a detector would be given of an image of this size (width, height)."""
    if not record.objects:
        return torch.zeros((0, width))
    blank = torch.zeros(1).expand(3, size[1], size[0])
    sample = make_sample(record, dataset.labels, task, blank)
    return sample.known("boxes" if width == 5 else "extents")


def _shown_size(path: str | Path) -> tuple[int, int] | None:
    """Width and height of an image as it is shown, turned where EXIF says so; None where its header is unreadable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as file:
                turned = file.getexif().get(ORIENTATION) in range(5, 9)
                return (file.size[1], file.size[0]) if turned else file.size
    except Exception:  # a broken file makes decoders raise anything; the audit names it
        return None


def spread_over(records: Sequence[Any], limit: int) -> list[Any]:
    """At most so many records, evenly spread over the list."""
    many = len(records)
    return [records[index * many // limit] for index in range(limit)] if many > limit else [*records]
