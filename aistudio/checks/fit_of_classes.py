"""Which classes of masks are wide enough for the cells in which a segmentation model answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.checks.fit_of_boxes import percent
from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.data import Labelled
from aistudio.data.arrival import spread_over
from aistudio.models.dry_run import dry_run

SIZES = (512, 768, 1024, 1536)  # pixels that are tried where a class is too thin
HALF = 0.5  # of a class's pixels


@dataclass(frozen=True)
class ClassFit:
    """``kept`` maps a class to the share of its pixels in cells that are mostly of it; ``names`` are of all."""

    size: int
    stride: int
    kept: dict[int, float]
    names: list[str]
    advice: str


def fit_of_classes(
    model: nn.Module, classes: int, source: Labelled, size: int, limit: int, hopeless: float
) -> tuple[Outcome, ClassFit | None]:
    """The share of each class's pixels that lie in cells which are mostly of that class; None where nobody can tell."""
    stride = output_stride(model, size)
    if stride is None:
        return skipped(
            f"the output stride of {type(model).__name__} is not known: it has no backbone that gives maps"
        ), None
    dataset = source.dataset(source.split)
    records = spread_over([*range(len(dataset))], limit)
    samples = [dataset[index] for index in records]
    found = [sample.class_mask for sample in samples if not isinstance(sample, str)]
    masks = [mask for mask in found if mask is not None]
    if not masks:
        return skipped("no mask of the split can be read; the audit names them"), None
    kept = surviving(masks, classes, size, stride)
    frequent = max(kept, key=lambda number: sum(int((mask == number).sum()) for mask in masks), default=0)
    names = names_of(source, classes)
    shares = ", ".join(f"{names[number]} {percent(share)}" for number, share in sorted(kept.items()))
    seen = f"at {size} px and an output stride of {stride}, in {len(masks):,} of {len(dataset):,} images: {shares}"
    expected = f"pixels in cells of {stride} x {stride} px that are mostly of their class"
    thin = [number for number, share in kept.items() if share < HALF]
    advice = better_size(masks, classes, size, stride) if thin else ""
    fit = ClassFit(size, stride, kept, names, advice)
    rare = [share for number, share in kept.items() if number != frequent]
    if rare and max(rare) <= hopeless:
        return failed(seen, expected, advice or "the classes are thinner than the output's cells at any size"), fit
    lost = f"{some(names[number] for number in thin)}: most pixels are lost in the output's cells"
    return replace(passed(seen, expected), warning=f"{lost}{advice and f'; {advice}'}" if thin else ""), fit


def output_stride(model: nn.Module, size: int) -> int | None:
    """Pixels of the image to a cell of the finest map that the model's head answers from; None where nobody knows."""
    described: Any = model
    try:
        maps: Any = dry_run(described.backbone, size, size)[1]
    except Exception:  # no backbone, or one that takes something else
        return None
    found = [one for one in (maps.values() if isinstance(maps, dict) else [maps]) if isinstance(one, Tensor)]
    sides = [max(one.shape[-2:]) for one in found if one.dim() == 4]
    return max(1, round(size / max(sides))) if sides else None


def surviving(masks: list[Tensor], classes: int, size: int, stride: int) -> dict[int, float]:
    """For each class that is there, the share of its pixels in cells most of whose pixels are of that class."""
    kept, total = torch.zeros(classes), torch.zeros(classes)
    for mask in masks:
        counts = cells_of(mask, classes, size, stride)
        total += counts.sum(0)
        winner = counts.argmax(1)
        kept.index_add_(0, winner, counts.gather(1, winner[:, None])[:, 0])
    return {number: float(kept[number] / total[number]) for number in total.nonzero()[:, 0].tolist()}


def cells_of(mask: Tensor, classes: int, size: int, stride: int) -> Tensor:
    """(cells, classes) float32: how many pixels of each class are in each cell, for an image fitted into ``size``."""
    height, width = mask.shape
    pixels = stride * max(height, width) / size  # of the mask, a side of a cell
    rows, columns = ((torch.arange(side) / pixels).floor().long() for side in (height, width))
    cell = rows[:, None] * (int(columns[-1]) + 1) + columns
    sound = (mask >= 0) & (mask < classes)
    cells = (int(rows[-1]) + 1) * (int(columns[-1]) + 1)
    return torch.bincount((cell * classes + mask)[sound], minlength=cells * classes).view(cells, classes).float()


def better_size(masks: list[Tensor], classes: int, size: int, stride: int) -> str:
    """The smallest size tried at which no class is too thin, or the largest."""
    larger = [one for one in SIZES if one > size]
    worst = {one: min(surviving(masks, classes, one, stride).values()) for one in larger}
    fitting = [one for one, share in worst.items() if share >= HALF]
    chosen = min(fitting, default=max(larger, default=None))
    return f"task.image_size={chosen} keeps at least {percent(worst[chosen])} of each" if chosen else ""


def names_of(source: Labelled, classes: int) -> list[str]:
    """The names of the ids of a mask."""
    known = source.labels.classes if source.labels.format == "masks" else ["background", *source.labels.classes]
    return [known[number] if number < len(known) else f"class {number}" for number in range(classes)]
