"""Whether labelled data, as it arrives at ``task.image_size``, is something that this model can learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aistudio.checks.fit_of_boxes import DetectorFit, fit_of_boxes
from aistudio.checks.fit_of_classes import fit_of_classes
from aistudio.checks.fit_of_crops import fit_of_crops
from aistudio.checks.outcome import Outcome, failed, passed, skipped
from aistudio.checks.subject import Subject
from aistudio.data import Labelled
from aistudio.data.arrival import Arrival, arrival


@dataclass(frozen=True)
class DataFitsModel:
    """Objects can be matched, classes are wider than the output's cells, and the crop leaves what is to be seen.

    Of at most ``images`` images headers and labels are read, of ``masks`` the pixels. It fails only where at most
    ``hopeless`` of the boxes, or of every class but the most frequent, could be learnt; where another size would reach
    ``worth`` more, it passes and a warning says which.
    """

    why: str
    images: int = 1000
    masks: int = 64
    hopeless: float = 0.05  # 19 of 20 objects teach nothing but background
    worth: float = 0.05

    def __call__(self, subject: Subject) -> Outcome:
        """Look at labels and headers alone; no image is decoded, but for masks."""
        source, size = subject.source, subject.image_size or subject.size
        if not isinstance(source, Labelled):
            return skipped("nobody has labelled these images (data=coco, data=image_folder, … are labelled)")
        if source.task == "segmentation":
            classes = subject.task.num_outputs
            outcome, subject.fit = fit_of_classes(subject.built, classes, source, size, self.masks, self.hopeless)
            return outcome
        arrived = arrival(source, self.images)
        if not len(arrived.sizes):
            return skipped("no image of the split can be opened; the audit names them")
        if source.task in ("classification", "regression", "anomaly_detection"):
            outcome, subject.fit = fit_of_crops(arrived, size)
            return outcome
        return self.boxes(subject, arrived, size)

    def boxes(self, subject: Subject, arrived: Arrival, size: int) -> Outcome:
        """What the detector's matcher makes of the boxes, and whether another size would do better."""
        if not len(arrived.boxes):
            return skipped(f"no object is marked in {len(arrived.sizes)} images")
        found = fit_of_boxes(subject.built, arrived, size, self.worth)
        if found is None:
            name = type(subject.built).__name__
            return skipped(f"how {name} matches boxes is not known (a method levels_of(boxes, sizes, alone) tells)")
        subject.fit = found
        seen, expected = found.in_words(), f"boxes that the detector learns from: each {found.rule}"
        if found.reached <= self.hopeless:
            return failed(seen, expected, found.advice() or "the objects do not fit the anchors at any size")
        return replace(passed(seen, expected), warning=_warning_of(found, self.worth))


def _warning_of(found: DetectorFit, worth: float) -> str:
    """What is worth knowing of a fit that is not hopeless, or ""."""
    said = [found.advice()] if found.best - found.matched >= worth else []
    if found.overfull:
        said.append(f"{found.overfull_in_words()}: {found.detections_key}={found.most} or more")
    return "; ".join(filter(None, said))
