"""Whether a detector decodes what its own loss calls right into the boxes that were asked for.

What its head gives is replaced by free numbers, which are fitted to the loss without a backbone and then given to what
follows the head in eval mode. Nothing there is learned, so what comes out must be what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_iou

from aistudio.checks.decoding_masks import overlaps_of_masks
from aistudio.checks.loss_gradients import is_boxes
from aistudio.checks.outcome import Outcome, failed, passed, skipped
from aistudio.checks.subject import Subject
from aistudio.models.nested import map_tensors, tensors_in
from aistudio.oriented import RotatedFCOS, rotated_iou_matrix
from aistudio.tasks.batch import Batch

_DENSE = (FCOS, RetinaNet, SSD, RotatedFCOS)  # whose head gives in training what it gives in eval mode
_LARGER = 1.1  # times an object: the regions that the second stage is given
_ALL = 10_000  # regions an image
_FALLS = 0.9  # of the first loss: else the numbers do not decide it


@dataclass(frozen=True)
class DecodesBoxes:
    """Outputs of the head that are right by the detector's own loss come out as the boxes that were asked for.

    ``steps`` of Adam fit them, at a ``rate`` that falls; ``least`` is the share of the objects that must overlap a box
    of their class by ``overlap`` (IoU), and a mask of it by ``overlap_of_masks``.
    """

    why: str
    steps: int = 40
    rate: float = 0.25
    overlap: float = 0.8
    overlap_of_masks: float = 0.7
    least: float = 0.75

    def __call__(self, subject: Subject) -> Outcome:
        """Nothing of the model is trained: the numbers behind the head are the parameters."""
        if not is_boxes(subject.batch().targets):
            return skipped("this task has no boxes")
        if not subject.paints:
            return skipped("objects of a data set need not be ones that a matcher takes: data_fits_model tells of them")
        classes = subject.task.sample_labels
        labels = [[index % classes, index % classes, (index + 1) % classes] for index in range(subject.batch_size)]
        batch = subject.batch(labels=labels)  # two of a class and one of another, so that none hides behind its class
        model = subject.model()
        detector = next((one for one in model.modules() if isinstance(one, (*_DENSE, FasterRCNN))), None)
        if detector is None:
            return skipped("what stands between its head and its boxes is not known")

        def loss() -> Tensor:
            return cast(Tensor, sum(subject.task.loss(model, batch.inputs, batch.targets).values()))

        try:
            first, last = self._fit(loss, _free_outputs(detector, loss))
            with torch.no_grad():
                found = model.eval()(batch.inputs)
            pairs = [_overlaps(one, other) for one, other in zip(found, batch.targets, strict=True)]
        except Exception as error:  # a detector built otherwise; what really raises fails the checks that run it whole
            return skipped(f"its head cannot be replaced ({type(error).__name__})")
        if not last < _FALLS * first:
            return skipped("the loss does not fall by the outputs of the head alone")
        judged = self._judged(pairs, f"loss {first:.3g} -> {last:.3g}")
        if judged.status == "passed" and all(torch.equal(one["boxes"], one["boxes"].round()) for one in found):
            cause = "boxes are rounded behind the head: strict IoUs, .75 and above, need their fractions"
            return failed("every box has whole numbers of pixels", judged.expected, cause)
        return self._with_masks(subject, batch, judged) if judged.status == "passed" else judged

    def _with_masks(self, subject: Subject, batch: Batch, judged: Outcome) -> Outcome:
        """The same of a detector with masks, whose mask head says what its loss compares with."""
        overlaps = overlaps_of_masks(subject, batch)
        if overlaps is None:
            return judged
        count = int((overlaps >= self.overlap_of_masks).sum())
        seen = f"{count} of {len(overlaps)} right masks come out with IoU >= {self.overlap_of_masks:g}"
        if count >= self.least * len(overlaps):
            return replace(judged, seen=f"{judged.seen}; {seen}")
        cause = "masks are flipped, moved, cut or put beside other boxes behind the head: look where they are pasted"
        return failed(seen, judged.expected, cause)

    def _fit(self, loss: Callable[[], Tensor], free: Sequence[Tensor]) -> tuple[float, float]:
        """The loss before and after."""
        optimizer = torch.optim.Adam(free, lr=self.rate)
        falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, self.steps)
        losses = []
        for _ in range(self.steps):
            optimizer.zero_grad()
            total = loss()
            total.backward()
            optimizer.step()
            falling.step()
            losses.append(float(total.detach()))
        return losses[0], losses[-1]

    def _judged(self, pairs: Sequence[tuple[Tensor, Tensor]], by: str) -> Outcome:
        """What the overlaps of each image's objects say: with boxes of their class, and with any."""
        count = sum(len(own) for own, _ in pairs)
        if not count:
            return skipped("there are no objects in this batch")
        own, any_class = (sum(int((pair[index] >= self.overlap).sum()) for pair in pairs) for index in (0, 1))
        seen = f"{own} of {count} objects have a box of their class with IoU >= {self.overlap:g} ({by})"
        expected = f"at least {self.least:.0%} of them"
        if own >= self.least * count:
            return passed(seen, expected)
        if any_class >= self.least * count:
            cause = (
                "classes are changed behind the head (an offset, other columns, one label for all), or boxes dropped"
            )
            return failed(f"{seen}, {any_class} whatever the class", expected, cause)
        cause = "boxes are scaled, moved, clipped or dropped behind the head, or coded otherwise there than in the loss"
        return failed(seen, expected, cause)


def _free_outputs(detector: Any, loss: Callable[[], Tensor]) -> list[Tensor]:
    """Put free numbers in place of what a detector's head gives, and what its backbone gave once in place of it."""
    two_stages = isinstance(detector, FasterRCNN)
    if two_stages:
        _propose_objects(detector, loss)
    head = detector.roi_heads.box_predictor if two_stages else detector.head
    kept: dict[str, Any] = {}
    hooks = [
        part.register_forward_hook(lambda module, given, output, name=name: kept.__setitem__(name, output))
        for name, part in (("backbone", detector.backbone), ("head", head))
    ]
    try:
        with torch.no_grad():
            loss()
    finally:
        for hook in hooks:
            hook.remove()
    free = map_tensors(lambda output: output.detach().clone().requires_grad_(), kept["head"])
    detector.backbone.forward = lambda *_, **__: kept["backbone"]
    head.forward = lambda *_, **__: dict(free) if isinstance(free, dict) else free
    if two_stages:
        detector.roi_heads.box_head.forward = lambda regions: regions  # which nobody looks at any more
    return [*tensors_in(free)]


def _propose_objects(detector: Any, loss: Callable[[], Tensor]) -> None:
    """Let the first stage propose the objects, a little larger; the second adds them as they are when it trains."""
    seen: list[Sequence[Mapping[str, Tensor]]] = []
    hook = detector.rpn.register_forward_pre_hook(lambda module, given: seen.append(given[2]))
    try:
        with torch.no_grad():
            loss()
    finally:
        hook.remove()
    for name in ("has_mask", "has_keypoint"):  # what costs most and teaches no box
        setattr(detector.roi_heads, name, partial(_in_eval_mode, detector, getattr(detector.roi_heads, name)()))
    detector.roi_heads.fg_bg_sampler = BalancedPositiveNegativeSampler(_ALL, 1.0)
    objects = [one["boxes"] for one in seen[0]]
    larger = [_enlarged(boxes) for boxes in objects]
    both = [torch.cat(pair) for pair in zip(larger, objects, strict=True)]
    detector.rpn.forward = lambda *_, **__: ([*(larger if detector.training else both)], {})


def _in_eval_mode(detector: Any, has: bool) -> bool:
    """Whether a part that a detector has takes part."""
    return has and not detector.training


def _enlarged(boxes: Tensor) -> Tensor:
    """Corners (K, 4) of boxes with the same centres."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return torch.cat([centre - _LARGER * half, centre + _LARGER * half], 1)


def _overlaps(found: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(K,) of each object the largest IoU with a box of its class, and with any box; 0 where there is none."""
    boxes, truth = found["boxes"].float().cpu(), target["boxes"].float().cpu()
    overlap = (rotated_iou_matrix if boxes.shape[1] == 5 else box_iou)(truth, boxes)
    overlap = torch.cat([overlap, overlap.new_zeros(len(truth), 1)], 1)
    same = target["labels"].cpu()[:, None] == torch.cat(
        [found["labels"].cpu(), found["labels"].new_full((1,), -1).cpu()]
    )
    return torch.where(same, overlap, 0.0).amax(1), overlap.amax(1)
