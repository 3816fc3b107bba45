"""Drawings of what a detector gives beside what is expected. A polygon is four points (x, y) in pixels of the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from aistudio.drawing import Canvas, colour
from aistudio.drawing.colours import WHITE

MOST = 6  # boxes drawn: an untrained detector gives a hundred
SHARE = 0.5  # of the best score: boxes below it are not drawn
LEAST = 0.3  # a best score below it says that the detector has found nothing yet
Corners = Sequence[Sequence[float]]


def enlarge(values: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
    """``boxes`` (K, 4) or (K, 5) and ``masks`` (…, H, W) for an image ``factor`` times as large."""
    larger = dict(values)
    if factor != 1:
        larger["boxes"] = values["boxes"].clone()
        larger["boxes"][:, :4] *= factor
    return larger  # masks are enlarged as they are drawn


def best(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The few objects that are drawn: none where no score is `LEAST`, else those with a share of the best score."""
    order = found["scores"].argsort(descending=True, stable=True)
    scores = found["scores"][order]
    top = float(scores[0]) if len(scores) else 0.0
    count = min(MOST, int((scores >= SHARE * top).sum())) if top >= LEAST else 0
    return {name: value[order[:count]] for name, value in found.items()}


def summary(drawn: dict[str, Tensor], found: dict[str, Tensor]) -> str:
    """What is drawn of an output, and what is not."""
    total = len(found["scores"])
    if not total:
        return "nothing found"
    top = float(found["scores"].max())
    if not len(drawn["scores"]):
        return f"nothing found yet: the best of {total} scores is {top:.2f}, so no output is drawn"
    left = total - len(drawn["scores"])
    low = float(drawn["scores"].min())
    scores = f"score {top:.2f}" if top == low else f"scores {top:.2f} to {low:.2f}"
    return f"{len(drawn['scores'])} of {total} outputs drawn, {scores}" + (
        f"; {left} lower ones are not" if left else ""
    )


def draw(
    on: Canvas,
    target: dict[str, Tensor] | None,
    output: dict[str, Tensor] | None,
    corners: Callable[[Tensor], Sequence[Corners]],
    names: Sequence[str],
    by_instance: bool = False,
) -> list[str]:
    """Draw the target dashed and the best of the output in colours; the caption's lines.

    ``corners`` makes polygons of boxes; ``names`` are of labels 1, 2, … A colour is a class's, or an instance's.
    """
    lines = []
    if output is not None:
        shown = best(output)
        _draw_found(on, corners(shown["boxes"]), shown, names, by_instance)
        lines.append(summary(shown, output))
    if target is not None:
        for points, label in zip(corners(target["boxes"]), target["labels"].tolist(), strict=True):
            if "masks" not in target:  # which are outlined instead
                on.polygon(points, WHITE, dashed=True)
            x, y = max(points, key=lambda point: (point[1], point[0]))
            on.tag(x, y, named(names, label), WHITE)
        lines.append(f"dashed: {len(target['labels'])} expected" if output is not None else "dashed: targets")
    return lines


def _draw_found(
    on: Canvas, corners: Sequence[Corners], found: dict[str, Any], names: Sequence[str], by_instance: bool
) -> None:
    """An outline and a tag with class and score for each object; the best one last, on top."""
    for index, points in reversed(list(enumerate(corners))):
        label, score = int(found["labels"][index]), float(found["scores"][index])
        shade = colour(index if by_instance else label)
        on.polygon(points, shade)
        if found["boxes"].shape[1] == 5:
            on.tick(points, shade)
        x, y = min(points, key=lambda point: (point[1], point[0]))
        on.tag(x, y, f"{named(names, label)} {score:.2f}", shade)


def named(names: Sequence[str], label: int) -> str:
    """What the class of a label, from 1, is called."""
    return names[label - 1] if 0 < label <= len(names) else f"class {label}"


def upright_corners(boxes: Tensor) -> list[Corners]:
    """``boxes`` (K, 4) x1, y1, x2, y2 → K polygons of four points."""
    return [[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in boxes.tolist()]
