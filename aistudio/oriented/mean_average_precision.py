"""Mean average precision of rotated detections (or of others, given their IoU), by the rules of DOTA and PASCAL VOC.

For each class and IoU threshold, all detections of all images are taken in order of score. Each looks at
the true box of its class and image that it overlaps most. If that IoU exceeds the threshold, the first to
come is a hit and later ones are false; if the true box is *difficult*, the detection counts for nothing;
any other detection is false. Average precision is the area under precision over recall, precision being the
best reached at that recall or beyond.

COCO's tool differs in one point: there a detection whose best true box is taken may turn to the next best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from aistudio.oriented.iou import rotated_iou_matrix

_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))

Interpolation = Literal["area", "11 points"]
Overlap = Callable[[dict[str, Tensor], dict[str, Tensor]], Tensor]  # K detections, N true objects → IoU (K, N)


def rotated_mean_average_precision(
    predictions: list[dict[str, Tensor]],
    targets: list[dict[str, Tensor]],
    thresholds: tuple[float, ...] = _THRESHOLDS,
    interpolation: Interpolation = "area",
) -> dict[str, float | dict[int, float]]:
    """Average precision of rotated boxes in a list of images; see `mean_average_precision`.

    ``boxes`` of predictions and targets are (K, 5), cx, cy, w, h, degrees.
    """
    return mean_average_precision(predictions, targets, _rotated_overlap, thresholds, interpolation)


def _rotated_overlap(prediction: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
    return rotated_iou_matrix(prediction["boxes"], target["boxes"].to(prediction["boxes"]))


def mean_average_precision(
    predictions: list[dict[str, Tensor]],
    targets: list[dict[str, Tensor]],
    overlap: Overlap,
    thresholds: tuple[float, ...] = _THRESHOLDS,
    interpolation: Interpolation = "area",
) -> dict[str, float | dict[int, float]]:
    """Average precision of detections in a list of images.

    Args:
        predictions: for each image ``labels`` (K,), ``scores`` (K,) and what ``overlap`` compares, as the detector
            gives them.
        targets: for each image ``labels`` (N,), what ``overlap`` compares and, if some are to be passed over,
            ``difficult`` (N,) bool.
        overlap: IoU (K, N) of the detections and the true objects of one image.
        thresholds: IoU thresholds; all are averaged into ``map``.
        interpolation: ``area`` under the curve (VOC since 2010), or the mean over recall 0, 0.1 … 1 (``11 points``:
            VOC 2007, and DOTA's published numbers).

    Returns:
        ``map`` over all thresholds (0.50:0.95 by default), ``map_<percent>`` for each one (``map_50``,
        ``map_75``), and ``per_class``, the average over the thresholds by label. Means are over the classes
        that have a true box that is not difficult; without any, they are nan.

    Raises:
        ValueError: the lists differ in length, or interpolation is neither of the two.
    """
    if len(predictions) != len(targets):
        raise ValueError(f"{len(predictions)} predictions but {len(targets)} targets")
    if interpolation not in ("area", "11 points"):
        raise ValueError(f"interpolation must be 'area' or '11 points', not {interpolation!r}")
    labels = sorted({int(label) for target in targets for label in target["labels"].unique()})
    found = {label: _of_class(label, predictions, targets, overlap, thresholds, interpolation) for label in labels}
    rows = {label: row for label, row in found.items() if row is not None}
    table = torch.stack(list(rows.values())) if rows else torch.full((1, len(thresholds)), torch.nan)
    result: dict[str, float | dict[int, float]] = {"map": table.mean().item()}
    for threshold, value in zip(thresholds, table.mean(dim=0).tolist(), strict=True):
        result[f"map_{threshold * 100:g}"] = value
    result["per_class"] = {label: row.mean().item() for label, row in rows.items()}
    return result


def average_precision(hits: Tensor, truths: int, interpolation: Interpolation = "area") -> Tensor:
    """Average precision (float64 scalar) of detections in order of score: hits (K,) bool, of truths to find."""
    found = hits.double().cumsum(0)
    recall = found / truths
    precision = found / torch.arange(1, len(hits) + 1, device=hits.device)
    best = precision.flip(0).cummax(0).values.flip(0)  # at this recall or beyond
    if interpolation == "area":
        return (best * hits).sum() / truths  # recall rises by one truth at each hit
    stops = torch.arange(11, device=hits.device).double() / 10
    reached = recall >= stops[:, None] - 1e-12
    return torch.where(reached, best, 0.0).amax(dim=1).mean() if len(hits) else stops.sum() * 0


def _of_class(
    label: int,
    predictions: list[dict],
    targets: list[dict],
    overlap: Overlap,
    thresholds: tuple[float, ...],
    how: Interpolation,
) -> Tensor | None:
    """Average precision (thresholds,) of one class, or None if it has nothing to find."""
    scores, overlaps, owners, difficult = [], [], [], []
    count = owned = 0
    for prediction, target in zip(predictions, targets, strict=True):
        true, detected = target["labels"] == label, prediction["labels"] == label
        passed_over = target.get("difficult", torch.zeros_like(true))[true].bool()
        count += int((~passed_over).sum())
        iou = overlap(_rows(prediction, detected), _rows(target, true))
        # One more owner that nothing overlaps, so that an image without a true box is no special case.
        best, owner = nn.functional.pad(iou, (0, 1)).max(dim=1)
        scores.append(prediction["scores"][detected])
        overlaps.append(best)
        owners.append(owner + owned)
        difficult.append(nn.functional.pad(passed_over, (0, 1)))
        owned += len(difficult[-1])
    if count == 0:
        return None
    order = torch.cat(scores).argsort(descending=True, stable=True)
    best_iou, owner, passed_over = torch.cat(overlaps)[order], torch.cat(owners)[order], torch.cat(difficult)
    aps = []
    for threshold in thresholds:
        reached = best_iou > threshold
        counted = ~(reached & passed_over[owner])
        hits = _first_of_each(owner, reached, len(passed_over))
        aps.append(average_precision(hits[counted], count, how))
    return torch.stack(aps).cpu()


def _rows(objects: dict[str, Tensor], chosen: Tensor) -> dict[str, Tensor]:
    return {name: value[chosen] for name, value in objects.items()}


def _first_of_each(owner: Tensor, reached: Tensor, owners: int) -> Tensor:
    """Whether each detection (K,) is the first that reached its owner."""
    position = torch.arange(len(owner), device=owner.device)
    first = position.new_full((owners,), len(owner))
    first = first.scatter_reduce(0, owner[reached], position[reached], "amin")
    return reached & (first[owner] == position)
