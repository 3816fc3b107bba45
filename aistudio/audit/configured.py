"""The audit that a configuration asks for: which data set, for which task, with how many classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aistudio.audit.audit import READERS, Audit, audit, name_classes, read_labels
from aistudio.audit.options import Options, options_from, refuse
from aistudio.audit.records import Labels

LABELLED = "aistudio.data.Labelled"
TASKS = {  # the tasks that a format has labels for
    "image_folder": ("classification",),
    "csv": ("classification", "anomaly_detection", "regression"),
    "mvtec": ("anomaly_detection",),
    "coco": ("object_detection", "instance_segmentation", "oriented_object_detection", "segmentation"),
    "yolo": ("object_detection", "instance_segmentation"),
    "voc": ("object_detection",),
    "dota": ("oriented_object_detection",),
    "yolo_obb": ("oriented_object_detection",),
    "masks": ("segmentation",),
}
TASKS["own"] = (*dict.fromkeys(task for tasks in TASKS.values() for task in tasks),)
_OWN = "aistudio.tasks."  # a task of a user's own, of a class of ours, learns from what that class learns from


def is_labelled(config: Mapping[str, Any]) -> bool:
    """Whether a configuration names data with labels that can be audited."""
    return config["data"].get("_target_") == LABELLED


def configured_options(config: Mapping[str, Any], stated: int | None = None) -> Options:
    """The options of a resolved configuration; ``stated`` is the number of classes that it insists on."""
    data, task = config["data"], task_of(config)
    if not is_labelled(config):
        why = "the audit reads labels, and this source has none that it knows"
        refuse(
            f"data={data.get('_target_')} cannot be audited", why, "data", ", ".join(f"data={one}" for one in READERS)
        )
    given = str(data.get("format"))
    if given not in TASKS:
        refuse(f"data.format={given} is unknown", "", "data.format", ", ".join(TASKS))
    if task not in TASKS[given]:
        fitting = [name for name, tasks in TASKS.items() if task in tasks]
        instead = f"{' or '.join(f'data={name}' for name in fitting)}; task={' or task='.join(TASKS[given])}"
        refuse(f"data={given} has no labels for task={task}", "", "data.format", instead)
    return options_from(data, task, stated)


def task_of(config: Mapping[str, Any]) -> str:
    """The shipped task that a configuration's task is, or is built on."""
    target = str(config["task"].get("_target_", ""))
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in target.removeprefix(_OWN))
    return words.lstrip("_") if target.startswith(_OWN) else str(config["task"].get("name"))


def outputs_key(config: Mapping[str, Any]) -> str | None:
    """The key of the number of outputs that data can tell: none where it is always one."""
    return next((key for key in ("num_classes", "num_outputs") if key in config["task"]), None)


def audit_configured(
    config: Mapping[str, Any], stated: int | None = None, tell: Callable[[str], object] = len
) -> Audit:
    """The audit of a resolved configuration's data; refused where ``stated`` contradicts it."""
    done = audit(configured_options(config, stated), tell)
    _refuse_contradiction(config, done.labels, stated)
    return done


def outputs_found(labels: Labels, task: str) -> int:
    """How many outputs a task needs for this data: classes, with the background where the task counts it, or values."""
    if task == "regression":
        return len(labels.value_names)
    return len(labels.classes) + (task == "segmentation" and labels.format != "masks")


def labels_configured(config: Mapping[str, Any], stated: int | None = None) -> Labels:
    """The labels alone, with the classes that masks hold. Refused where ``stated`` contradicts them."""
    options = configured_options(config, stated)
    tree, labels = read_labels(options)
    if labels.format == "masks":
        name_classes(tree, labels, options)
    _refuse_contradiction(config, labels, stated)
    return labels


def _refuse_contradiction(config: Mapping[str, Any], labels: Labels, stated: int | None) -> None:
    """Refuse a number of classes or values that the data does not have."""
    found, key = outputs_found(labels, task_of(config)), f"task.{outputs_key(config)}"
    if stated is None or stated == found:
        return
    named = ", ".join(labels.value_names or labels.classes)
    what = "values" if labels.value_names else "classes"
    why = f"it has {found} {what}: {named}" if len(named) < 400 else f"it has {found} {what}"
    refuse(f"{key}={stated} is not what the data has", why, key, f"{key}={found}, or nothing, for it is found")
