"""Checks of detectors: whether their settings leave them anything to find, and whether boxes follow the image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator

from aistudio.checks.loss_gradients import is_boxes
from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import Subject

_SCORE = re.compile(r"(score|conf|confidence)_?(thr|thresh|thres|threshold)$")
_SUPPRESSION = re.compile(r"nms_?(thr|thresh|thres|threshold)$")
COUNT = re.compile(
    r"(detections?_per_im(g|age)|max_det(ections)?|max_per_im(g|age)|topk_candidates|_(pre|post)_nms_top_n)$"
)
_MATCHED = re.compile(r"^(high_threshold|fg_iou_thresh)$")
_MANY = 8  # boxes whose order says something
_LEAST_SAMPLED = 4  # regions an image to train on
_LEAST_SHARE = 0.3  # that an anchor's shape must share with an object's, of the objects' median


@dataclass(frozen=True)
class DetectorSettings:
    """Thresholds, limits, anchors and the size inside leave a detector something to find and to learn.

    ``score`` is the highest threshold of a score, ``suppression`` the overlaps between which boxes may be suppressed,
    ``matched`` the highest overlap from which a region may count as an object, ``resized`` the largest factor by which
    images may be resized inside.
    """

    why: str
    score: float = 0.85
    suppression: tuple[float, float] = (0.05, 0.98)
    matched: float = 0.9
    resized: float = 1.5

    def __call__(self, subject: Subject) -> Outcome:
        """Reads the model as built, and measures its anchors on the objects of the shared batch."""
        if not is_boxes(subject.batch().targets):
            return skipped("this task has no boxes")
        found = [one for name, module in subject.built.named_modules() for one in self._read(name, module, subject)]
        found += [*self._inside(subject), *_anchors_that_cannot_match(subject)]
        expected = "settings under which every object of an image can be found"
        if found:
            seen, causes = zip(*found, strict=True)
            return failed(some(seen), expected, "; ".join(dict.fromkeys(causes)))
        return passed("thresholds, limits, anchors and size", expected)

    def _read(self, path: str, module: nn.Module, subject: Subject) -> Iterator[tuple[str, str]]:
        """Settings of one module that leave nothing, each with its cause."""
        parts = {name: one for name, one in vars(module).items() if hasattr(one, "high_threshold") or "sampler" in name}
        owners: list[tuple[str, Mapping[str, Any]]] = [("", vars(module))]
        owners += [(f"{name}.", vars(one)) for name, one in parts.items() if hasattr(one, "__dict__")]
        for prefix, settings in owners:
            for name, value in settings.items():
                for each in value.values() if isinstance(value, dict) else [value]:
                    if isinstance(each, int | float) and not isinstance(each, bool):
                        cause = self._cause(name, float(each), subject, settings)
                        if cause:
                            yield f"{path}.{prefix}{name}={each:g}".lstrip("."), cause

    def _cause(self, name: str, value: float, subject: Subject, beside: Mapping[str, Any]) -> str:
        """What is wrong with a setting, or ""; ``beside`` are the others of its module."""
        if _SCORE.search(name) and value >= self.score:
            return "no score reaches this threshold early in a training: 0.05 is usual"
        if _SUPPRESSION.search(name) and not self.suppression[0] <= value <= self.suppression[1]:
            none = "no box suppresses another, so each object is found many times"
            return f"{none if value > 0.5 else 'one box suppresses all that it touches'}: 0.5 is usual"
        if COUNT.search(name) and 0 <= value < max(int(subject.task.max_objects), 2):
            return f"fewer boxes are kept than an image may have objects ({subject.task.max_objects})"
        if _MATCHED.search(name) and value >= self.matched:
            return "hardly any region overlaps an object so far: all is background; 0.5 is usual"
        if name == "batch_size_per_image" and value < _LEAST_SAMPLED:
            return "too few regions of an image are trained on: 256 or 512 are usual"
        if name == "positive_fraction" and value <= 0:
            return "no region of an object is trained on: 0.25 or 0.5 is usual"
        if name == "min_size" and "nms_thresh" in beside and value > subject.full_size / 2:
            return "regions below this size, in pixels, are dropped"
        return ""

    def _inside(self, subject: Subject) -> Iterator[tuple[str, str]]:
        """A size inside that is another than the configured one."""
        transform, size = getattr(subject.built, "transform", None), subject.full_size
        if transform is None or not hasattr(transform, "min_size"):
            return
        was, transform.training = transform.training, False
        try:
            inside = max(transform.resize(torch.zeros(3, size, size), None)[0].shape[-2:])
        finally:
            transform.training = was
        if not 1 / self.resized <= inside / size <= self.resized:
            cause = "the model resizes inside, to min_size and max_size: set both to task.image_size"
            yield f"images of {size} px become {inside} px inside", cause


def _anchors_that_cannot_match(subject: Subject) -> Iterator[tuple[str, str]]:
    """Anchors whose shapes have little in common with the objects' at the configured size."""
    makers = [module for module in subject.built.modules() if isinstance(module, AnchorGenerator)]
    points = any(hasattr(module, "center_sampling_radius") for module in subject.built.modules())
    boxes = torch.cat([target["boxes"].float().cpu() for target in subject.batch().targets])
    if not makers or points or not len(boxes):
        return
    sides = (boxes[:, 2:4] - boxes[:, :2] if boxes.shape[1] == 4 else boxes[:, 2:4]) * subject.full_size / subject.size
    anchors = torch.cat([cell.float().cpu() for cell in makers[0].cell_anchors])
    share = _shared_shape(sides, anchors[:, 2:] - anchors[:, :2]).amax(1).median()
    if share < _LEAST_SHARE:
        lengths = anchors[:, 2:] - anchors[:, :2]
        seen = f"anchors of {lengths.min():.0f} to {lengths.max():.0f} px share {share:.2f} with objects of about "
        yield (
            f"{seen}{sides.median():.0f} px",
            "anchors of these sizes match no object: sizes are in pixels of the image inside",
        )


def _shared_shape(one: Tensor, other: Tensor) -> Tensor:
    """(K, 2) and (A, 2) widths and heights → (K, A): intersection over union, corner upon corner."""
    common = torch.minimum(one[:, None], other[None]).prod(2)
    return common / (one.prod(1)[:, None] + other.prod(1)[None] - common)


def _without_order(scores: list[Tensor]) -> Outcome | None:
    """What is found of the scores of several images: all alike, or the worst first."""
    if scores and all(bool((one == one[0]).all()) for one in scores):
        cause = "scores are overwritten or rounded behind the head: no metric can put boxes in order"
        return failed(f"all boxes have the score {float(scores[0][0]):.3g}", "scores that differ", cause)
    if scores and all(bool((one.diff() > 0).all()) for one in scores):
        cause = "scores are inverted (1 - score), or in another order than their boxes: the best box comes first"
        return failed("scores go up from box to box in every image", "the best box first", cause)
    return None


@dataclass(frozen=True)
class BoxesFollowTheImage:
    """The boxes of an image twice as large are twice as large, and those of a tall image are inside it."""

    why: str
    least: float = 1.4
    most: float = 3.2

    def __call__(self, subject: Subject) -> Outcome:
        """One eval output for an image, for the same enlarged, and for its left half; the size inside is the same."""
        if not is_boxes(subject.batch().targets):
            return skipped("this task has no boxes")
        image = subject.batch().inputs[0]
        large = nn.functional.interpolate(image[None], scale_factor=2, mode="nearest")[
            0
        ]  # halved inside, it is the same again
        tall = image[:, :, : image.shape[2] // 2].contiguous()
        with torch.no_grad():
            found = subject.looked_at([image, large, tall])
        small, enlarged, narrow = (one["boxes"].float() for one in found)
        expected = "boxes in pixels of the image that was given"
        counts = [len(small), len(enlarged), len(narrow)]
        if max(counts) == 0:
            return skipped("the untrained model finds nothing, even without a threshold")
        if max(counts) == 1:
            cause = "all but one are dropped after the head: look at its suppression and slices"
            return failed("one box for an image, without any threshold", "several boxes", cause)
        if unordered := _without_order([one["scores"].float() for one in found if len(one["scores"]) >= _MANY]):
            return unordered
        if min(counts[:2]) == 0:
            return skipped("the untrained model finds nothing in one of two sizes")
        reach = float(small.abs().amax())
        if reach <= 1.5:
            return failed(
                f"boxes reach to {reach:.2g}", expected, "they are in units of the image: multiply by its size"
            )
        ratio = float(centres(enlarged).median() / centres(small).median())
        seen = f"twice the size, {ratio:.2f} times the boxes"
        if not self.least <= ratio <= self.most:
            cause = "boxes stay in pixels of the size inside: scale them back (transform.postprocess)"
            return failed(seen, f"2 times the boxes, {expected}", cause)
        height, width = tall.shape[-2:]
        across, down = centres(narrow).amax(0).tolist() if len(narrow) else (0.0, 0.0)
        if narrow.shape[1] == 4 and (across > width * 1.05 or down > height * 1.05):  # turned boxes are not clipped
            cause = "x and y are swapped, or width and height: boxes are x1, y1, x2, y2"
            return failed(f"an image {width} px wide has boxes around x = {across:.0f}", expected, cause)
        return passed(seen, expected)


def centres(boxes: Tensor) -> Tensor:
    """(K, 4) corners or (K, 5) rotated boxes → (K, 2)."""
    return (boxes[:, :2] + boxes[:, 2:4]) / 2 if boxes.shape[1] == 4 else boxes[:, :2]
