"""Targets that merge, move or reverse what samples tell apart."""

import torch

from bugs.bug import Bug, classifying, detecting, judging, regressing, segmenting


def merged(task, sample):
    return task.target(sample) // 2


def last_two_merged(task, sample):
    return task.target(sample).clamp(max=task.num_outputs - 2)


def shifted(task, sample):
    return (task.target(sample) + 1) % task.num_outputs


def reversed_classes(task, sample):
    return task.num_outputs - 1 - task.target(sample)


def all_one(task, sample):
    return torch.tensor(1)


def one_against_rest(task, sample):
    return (task.target(sample) > 0).long()


def reversed_anomaly(task, sample):
    return 1 - task.target(sample)


def anomaly_everywhere(task, sample):
    return torch.ones_like(task.target(sample))


def all_boxes_one(task, sample):
    target = task.target(sample)
    return {**target, "labels": torch.ones_like(target["labels"])}


def boxes_merged(task, sample):
    target = task.target(sample)
    return {**target, "labels": (target["labels"] + 1) // 2}


def boxes_shifted(task, sample):
    target = task.target(sample)
    return {**target, "labels": target["labels"] % task.sample_labels + 1}


def objects_in_one_class(task, sample):
    mask = task.target(sample)
    return mask.where((mask == 0) | (mask == 255), 1)


def masks_shifted(task, sample):
    mask = task.target(sample)
    return mask.where((mask == 0) | (mask == 255), mask % (task.num_outputs - 1) + 1)


def everything_background(task, sample):
    return task.target(sample) * 0


def constant_values(task, sample):
    return task.target(sample) * 0 + 0.5


BUGS = [
    *(
        Bug(name, checks, lambda target=target: classifying(target=target))
        for name, checks, target in (
            ("classes merged two by two", "targets_differ", merged),
            ("last two classes merged", "targets_differ", last_two_merged),
            ("classes moved on by one", "targets_differ", shifted),
            ("classes reversed", "targets_differ", reversed_classes),
            ("every label one", "targets_differ uses_targets", all_one),
            ("one class against the rest", "targets_differ", one_against_rest),
        )
    ),
    Bug("anomaly and normal swapped", "targets_differ", lambda: judging(target=reversed_anomaly)),
    Bug("everything an anomaly", "targets_differ uses_targets", lambda: judging(target=anomaly_everywhere)),
    Bug("boxes all of class one", "targets_differ uses_targets", lambda: detecting(target=all_boxes_one)),
    Bug("classes of boxes merged", "targets_differ", lambda: detecting(target=boxes_merged)),
    Bug("classes of boxes moved on by one", "targets_differ", lambda: detecting(target=boxes_shifted)),
    Bug("objects all of one class", "targets_differ uses_targets", lambda: segmenting(target=objects_in_one_class)),
    Bug("classes of masks moved on by one", "targets_differ", lambda: segmenting(target=masks_shifted)),
    Bug("everything background", "targets_differ uses_targets", lambda: segmenting(target=everything_background)),
    Bug(
        "values rounded", "targets_differ", lambda: regressing(target=lambda task, sample: task.target(sample).round())
    ),
    Bug("every value the same", "targets_differ uses_targets", lambda: regressing(target=constant_values)),
]
