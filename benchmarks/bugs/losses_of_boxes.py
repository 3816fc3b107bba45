"""A detector's loss that looks right: it falls, and leaves out boxes, images or parts."""

import torch

from bugs.bug import Bug, anchored, detecting, two_staged


def with_targets(change):
    """A detector's loss with its targets changed before."""

    def loss(task, model, inputs, targets):
        return task.loss(model, inputs, [change(dict(target)) for target in targets])

    return loss


def first_box(target):
    return {name: value[:1] for name, value in target.items()}


def last_box_lost(target):
    count = max(len(target["labels"]) - 1, 1)
    return {name: value[:count] for name, value in target.items()}


def one_class(target):
    return {**target, "labels": torch.ones_like(target["labels"])}


def of_the_first(task, model, inputs, targets):
    return task.loss(model, inputs, [targets[0]] * len(targets))


def first_image_of_detector(task, model, inputs, targets):
    return task.loss(model, inputs[:1], targets[:1])


def boxes_left_out(task, model, inputs, targets):
    return {name: part for name, part in task.loss(model, inputs, targets).items() if "class" in name}


def summed_over_images(task, model, inputs, targets):
    return {name: len(targets) * part for name, part in task.loss(model, inputs, targets).items()}


BUGS = [
    Bug("first box only", "loss_is_whole", lambda: detecting(loss=with_targets(first_box))),
    Bug("last box lost", "loss_is_whole", lambda: detecting(anchored, loss=with_targets(last_box_lost))),
    Bug("boxes of the first image for all", "loss_is_whole", lambda: detecting(loss=of_the_first)),
    Bug("first image of the batch", "loss_is_whole", lambda: detecting(loss=first_image_of_detector)),
    Bug("every box of one class", "loss_is_whole", lambda: detecting(loss=with_targets(one_class))),
    Bug("boxes left out of the loss", "gradients", lambda: detecting(loss=boxes_left_out)),
    Bug("summed over images", "loss_is_mean", lambda: detecting(loss=summed_over_images)),
    Bug("first box only, two stages", "loss_is_whole", lambda: detecting(two_staged, loss=with_targets(first_box))),
]
