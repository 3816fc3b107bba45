"""Where programs count classes differently, and a number that somebody wrote down shows which way they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aistudio.config.stated import names_labelled

_DETECTION = ("aistudio.tasks.ObjectDetection", "aistudio.tasks.InstanceSegmentation")
_WITH_BACKGROUND = {  # what people write who count the background, as torchvision's detectors do
    91: "COCO has 80 classes (ids 1 … 90 with gaps); torchvision's 91 counts the background: "
    "task.num_classes=80, or 90 where labels are COCO's ids",
    81: "COCO has 80 classes, and 81 with the background: task.num_classes=80",
    21: "VOC has 20 classes, and 21 with the background: task.num_classes=20",
}
_ONLY_OBJECTS = {20: "VOC has 20 classes and the background: task.num_classes=21"}


def label_warnings(config: Mapping[str, Any]) -> list[str]:
    """What looks like another program's way to count classes: here detection leaves out the background.

    ``config`` is resolved. Labelled data knows its classes, and is asked about them elsewhere.
    """
    task = config["task"]
    target, count = task.get("_target_"), task.get("num_classes")
    if names_labelled(config) or isinstance(count, bool) or not isinstance(count, int):
        return []
    known, does = {}, ""
    if target in _DETECTION:
        known, does = _WITH_BACKGROUND, "leaves out the background"
    elif target == "aistudio.tasks.Segmentation":
        known, does = _ONLY_OBJECTS, "counts the background, class 0"
    return [f"task.num_classes={count} {does}; {known[count]}"] if count in known else []
