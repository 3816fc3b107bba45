"""A loss of segmentation that looks right: it falls, and leaves out pixels, classes, images or outputs."""

import torch.nn.functional as F

from bugs.bug import Bug, Segmenter, segmenting


def summed_pixels(task, model, inputs, targets):
    return {"loss": F.cross_entropy(model(inputs)["out"], targets, ignore_index=255, reduction="sum")}


def log_softmax_over_rows(task, model, inputs, targets):
    return {"out": F.nll_loss(F.log_softmax(model(inputs)["out"], 2), targets, ignore_index=255)}


def counts_ignored(task, model, inputs, targets):
    return {"out": F.cross_entropy(model(inputs)["out"], targets.where(targets != 255, 0))}


def mean_over_objects(task, model, inputs, targets):
    loss = F.cross_entropy(model(inputs)["out"], targets, ignore_index=255, reduction="none")
    objects = (targets > 0) & (targets != 255)
    return {"out": (loss * objects).sum() / objects.sum() + 0.1 * loss.mean()}


def left_pixels(task, model, inputs, targets):
    half = targets.shape[-1] // 2
    return {"out": task.criterion(model(inputs)["out"][..., :half], targets[..., :half])}


def upper_pixels(task, model, inputs, targets):
    half = targets.shape[-2] // 2
    return {"out": task.criterion(model(inputs)["out"][:, :, :half], targets[:, :half])}


def objects_alone(task, model, inputs, targets):
    return {"out": task.criterion(model(inputs)["out"], targets.where(targets != 0, 255))}


def first_mask(task, model, inputs, targets):
    return {"out": task.criterion(model(inputs)["out"][:1], targets[:1])}


class TwoOutputs(Segmenter):
    """A second output that gradients reach only through its layer's weight decay."""

    def forward(self, x):
        out = super().forward(x)["out"]
        return {"out": out, "aux": out * 0.5}


def auxiliary_alone(task, model, inputs, targets):
    return {"aux": task.criterion(model(inputs)["aux"].detach() + model(inputs)["out"] * 0 + 0, targets)}


BUGS = [
    *(
        Bug(name, checks, lambda loss=loss: segmenting(loss=loss))
        for name, checks, loss in (
            ("reduction=sum of pixels", "loss_is_mean", summed_pixels),
            ("log_softmax over rows", "loss_rewards_truth overfits_one_batch loss_is_whole", log_softmax_over_rows),
            ("ignore index counted", "ignored_pixels", counts_ignored),
            ("divided by the number of objects", "no_objects", mean_over_objects),
            ("left half of the pixels", "loss_is_whole", left_pixels),
            ("upper half of the pixels", "loss_is_whole", upper_pixels),
            ("background left out", "no_objects loss_is_whole all_finite", objects_alone),
            ("first mask only", "loss_is_whole", first_mask),
        )
    ),
    Bug("main output without gradient", "gradients", lambda: segmenting(TwoOutputs, loss=auxiliary_alone)),
]
