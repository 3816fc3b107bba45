"""Labelled data as samples: what the audit reads of label files, with the images decoded and both brought to one size.

Images of the tasks that say what is where are scaled until they fit and padded at the right and at the foot; those of
the tasks that say what an image is are scaled and cut to their centre, as `aistudio.data.images` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from aistudio.audit import ImageRecord, Labels, Options, read_labels
from aistudio.data.sample import Sample
from aistudio.data.shapes import centre, decode, letterbox, make_sample
from aistudio.errors import Problem, Refusal

_CROPPED = ("classification", "regression", "anomaly_detection")


@dataclass(frozen=True)
class Labelled(Options):
    """A data set in one of the formats of `aistudio.audit`; ``split`` is the part of it that is learnt from.

    ``workers`` processes decode images beside the one that asks for them. Raises `Refusal` where nothing is labelled.
    """

    split: str = "train"
    workers: int = 0
    labelled: ClassVar[bool] = True

    @cached_property
    def labels(self) -> Labels:
        """What the label files say."""
        return read_labels(self)[1]

    @cached_property
    def warnings(self) -> list[str]:
        """Files that could not be read so far."""
        return []

    @property
    def class_names(self) -> list[str]:
        """What the task's outputs are called, in their order; a detector's have the background before them."""
        if self.task == "regression":
            return [*self.labels.value_names]
        background = self.task == "segmentation" and self.format != "masks"
        return ["background"] * background + self.labels.classes

    @property
    def units(self) -> tuple[Tensor, Tensor] | None:
        """Mean and deviation (V,) of what was measured: targets have mean 0 and deviation 1."""
        dataset = self.dataset(self.split)
        return None if dataset.mean is None else (dataset.mean, dataset.deviation)

    @property
    def description(self) -> str:
        """The format, and how many images there are of the split."""
        named = f" of {self.split}" if any(image.split for image in self.labels.images) else ""
        return f"{self.format}, {len(self.dataset(self.split)):,} labelled images{named}"

    def dataset(self, split: str, size: int | None = None) -> LabelledImages:
        """The images of one split, as a dataset of samples; ``size`` null leaves them as they are."""
        splits = {image.split for image in self.labels.images}
        if splits == {""}:
            split = ""
        if split not in splits:
            there = ", ".join(sorted(splits - {""}))
            raise Refusal([Problem(f"data.split={split} has no images", "", "data.split", there)])
        records = [image for image in self.labels.images if image.split == split and _is_usable(image, self)]
        if not records:
            what = f"no image of data.split={split} has a sound label"
            raise Refusal(
                [Problem(what, "the audit says why: sanity=data", "data.root", "another split, or mended labels")]
            )
        return LabelledImages(self.labels, records, self.task, size)

    def samples(self, count: int, size: int, generator: Generator) -> list[Sample]:
        """So many labelled images of ``size`` x ``size`` pixels, of as many classes as there are; again from the first
        where the set has fewer."""
        dataset = self.dataset(self.split, size)
        order = _varied_order(dataset.records, generator)
        found: list[Sample] = []
        for start in range(0, len(order), max(count, 1)):
            part = Subset(dataset, order[start : start + count])
            for one in DataLoader(part, batch_size=None, num_workers=self.workers, generator=generator):
                if not isinstance(one, str):
                    found.append(one)
                elif one not in self.warnings:
                    self.warnings.append(one)
            if len(found) >= count:
                break
        if not found:
            what = f"none of {len(order)} images of data.root={self.root} can be read"
            raise Refusal([Problem(what, self.warnings[-1], "data.root", "a folder of whole images")])
        return [found[index % len(found)] for index in range(count)]


class LabelledImages(Dataset[Sample | str]):
    """Samples of labelled images, in the order of the label files, values standardised; words for a broken image."""

    def __init__(self, labels: Labels, records: list[ImageRecord], task: str, size: int | None):
        self.labels, self.records, self.task, self.size = labels, records, task, size
        self.mean, self.deviation = spread(records) if task == "regression" else (torch.zeros(1), torch.ones(1))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample | str:
        record = self.records[index]
        try:
            image = decode(self.labels.path(record.name))
        except Exception as error:  # a broken file makes decoders raise anything
            return f"{record.name}: {type(error).__name__}, {(str(error).splitlines() or [''])[0]}"
        sample = make_sample(record, self.labels, self.task, image)
        if sample.values is not None:  # a loss of squares is for numbers about 1
            sample = replace(sample, values=(sample.values - self.mean) / self.deviation)
        if self.size is None:
            return sample
        if self.task in _CROPPED:
            return centre(sample, self.size)
        return letterbox(sample, self.size, self.labels.ignore_index or 0)


def spread(records: Sequence[ImageRecord]) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation of each value; 1 for one that never changes."""
    values = torch.tensor([record.values for record in records], dtype=torch.float64)
    deviation = values.std(0, correction=0)
    return values.mean(0).float(), torch.where(deviation > 0, deviation, torch.ones_like(deviation)).float()


def _is_usable(image: ImageRecord, options: Options) -> bool:
    """Whether an image has what the task learns from."""
    if options.task == "regression":
        return image.values is not None and all(value == value and abs(value) < 1e30 for value in image.values)
    if options.task in _CROPPED:
        return image.label is not None
    return image.mask is not None if options.format == "masks" else image.labelled


def _varied_order(records: Sequence[ImageRecord], generator: Generator) -> list[int]:
    """A random order in which the first images show as many classes as there are."""
    order = torch.randperm(len(records), generator=generator).tolist()
    seen: set[int] = set()
    first: list[int] = []
    rest: list[int] = []
    for index in order:
        record = records[index]
        classes = {one.label for one in record.objects} | {record.label}
        fresh = classes - seen - {None}
        seen |= fresh
        (first if fresh else rest).append(index)
    return first + rest
