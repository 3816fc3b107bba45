"""Pictures of what a detector found beside what was expected.

A polygon is four points (x, y) in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from aistudio.tasks.drawing import TRUTH, Sheet, colour

SHOWN = 8  # boxes drawn at most: an untrained detector answers with a hundred
FEW = 3  # boxes drawn where none is confident
CONFIDENT = 0.5  # the score from which a box is drawn
Corners = Sequence[Sequence[float]]


def best(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """What to draw of the objects found in an image: the confident ones, at most `SHOWN`; else the three best."""
    order = found["scores"].argsort(descending=True)
    confident = int((found["scores"] >= CONFIDENT).sum())
    chosen = order[: min(confident, SHOWN) or FEW]
    return {name: value[chosen] for name, value in found.items()}


def draw_found(sheet: Sheet, corners: Sequence[Corners], found: dict[str, Tensor], by_instance: bool = False) -> None:
    """An outline (``corners``, one an object) and a tag with class and score; a colour a class, or an instance."""
    for index, points in reversed(list(enumerate(corners))):  # the best one last, on top
        label, score = int(found["labels"][index]), float(found["scores"][index])
        shade = colour(index if by_instance else label)
        sheet.polygon(points, shade)
        if found["boxes"].shape[1] == 5:
            sheet.tick(points, shade)
        x, y = min(points, key=lambda point: (point[1], point[0]))
        sheet.tag(x, y, f"{label}  {score:.2f}", shade)


def draw_truth(sheet: Sheet, corners: Sequence[Corners], labels: Tensor) -> None:
    """The target's outlines, white and dashed, each with its class."""
    for points, label in zip(corners, labels.tolist(), strict=True):
        sheet.polygon(points, TRUTH, dashed=True)
        x, y = max(points, key=lambda point: (point[1], point[0]))
        sheet.tag(x, y, f"{label}", TRUTH, right=True)


def upright_corners(boxes: Tensor) -> list[Corners]:
    """``boxes`` (K, 4) x1, y1, x2, y2 → K polygons of four points."""
    return [[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in boxes.tolist()]


def summary(shown: dict[str, Tensor], found: dict[str, Tensor], target: dict[str, Tensor]) -> list[str]:
    """The caption below a detector's picture."""
    return [f"{len(shown['scores'])} of {len(found['scores'])} found shown; dashed: {len(target['labels'])} expected"]
