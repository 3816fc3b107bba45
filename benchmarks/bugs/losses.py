"""A loss that looks right: it falls, and is not the loss of the task."""

import torch
import torch.nn.functional as F

from bugs.bug import Bug, classifying, judging, regressing


def half_the_batch(task, model, inputs, targets):
    half = len(targets) // 2
    return {"loss": task.criterion(model(inputs)[:half], targets[:half])}


def first_image(task, model, inputs, targets):
    return {"loss": task.criterion(model(inputs)[:1], targets[:1])}


def last_left_out(task, model, inputs, targets):
    return {"loss": task.criterion(model(inputs)[:-1], targets[:-1])}


def hardest_image(task, model, inputs, targets):
    return {"loss": F.cross_entropy(model(inputs), targets, reduction="none").max()}


def first_output(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs)[:, 0], targets[:, 0])}


def last_output_lost(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs)[:, :-1], targets[:, :-1])}


def sorted_values(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs).sort(1).values, targets.sort(1).values)}


def sorted_images(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs).sort(0).values, targets.sort(0).values)}


def mean_of_outputs(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs).mean(1), targets.mean(1))}


def summed(task, model, inputs, targets):
    return {"loss": F.cross_entropy(model(inputs), targets, reduction="sum")}


def summed_values(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs), targets, reduction="sum")}


def divided_by_batch_twice(task, model, inputs, targets):
    return {"loss": task.criterion(model(inputs), targets) / len(targets)}


def log_softmax_over_batch(task, model, inputs, targets):
    return {"loss": F.nll_loss(F.log_softmax(model(inputs), 0), targets)}


def softmax_first(task, model, inputs, targets):
    return {"loss": F.cross_entropy(model(inputs).softmax(1), targets)}


def sigmoid_first(task, model, inputs, targets):
    return {"loss": F.binary_cross_entropy_with_logits(model(inputs).sigmoid(), targets)}


def relu_first(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs).relu(), targets)}


def swapped_binary(task, model, inputs, targets):
    return {"loss": F.binary_cross_entropy_with_logits(targets, model(inputs).sigmoid())}


def swapped(task, model, inputs, targets):
    answer = model(inputs)
    return {"loss": F.cross_entropy(F.one_hot(targets, answer.shape[1]).float(), answer.softmax(1))}


def flipped_sign(task, model, inputs, targets):
    return {name: -part for name, part in task.loss(model, inputs, targets).items()}


def unbounded(task, model, inputs, targets):
    return {"loss": 1 - model(inputs).gather(1, targets[:, None]).mean()}


def probability_without_log(task, model, inputs, targets):
    return {"loss": -model(inputs).softmax(1).gather(1, targets[:, None]).mean()}


def detached(task, model, inputs, targets):
    return {name: part.detach() for name, part in task.loss(model, inputs, targets).items()}


def without_targets(task, model, inputs, targets):
    return {"loss": model(inputs).pow(2).mean()}


def uniform(task, model, inputs, targets):
    return {"loss": F.cross_entropy(model(inputs), targets, label_smoothing=1.0)}


def one_too_many(task, model, inputs, targets):
    return {"loss": F.cross_entropy(model(inputs), targets + 1)}


def class_as_number(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs)[:, 0], targets.float())}


def argmax_as_number(task, model, inputs, targets):
    return {"loss": F.l1_loss(model(inputs).argmax(1).float(), targets.float()) + 0 * model(inputs).sum()}


def forgiving(task, model, inputs, targets):
    """A focal weight the wrong way round."""
    losses = F.cross_entropy(model(inputs), targets, reduction="none")
    return {"loss": ((-losses).exp() ** 2 * losses).mean()}


def yes_to_all(task, model, inputs, targets):
    answer = model(inputs)
    return {"loss": -(F.one_hot(targets, answer.shape[1]) * F.logsigmoid(answer)).sum(1).mean()}


def rounded(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs), targets.round())}


def either_sign(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs).abs(), targets.abs())}


def class_without_weight(task, model, inputs, targets):
    answer = model(inputs)
    weight = torch.ones(answer.shape[1], device=answer.device)
    weight[0] = 0
    return {"loss": F.cross_entropy(answer, targets, weight=weight)}


def shuffled(task, model, inputs, targets):
    return {"loss": task.criterion(model(inputs), targets[torch.randperm(len(targets))])}


def sorted_targets(task, model, inputs, targets):
    return {"loss": task.criterion(model(inputs), targets.sort()[0])}


def broadcast(task, model, inputs, targets):
    """(N, 1) against (N,) is (N, N): every image is drawn towards the mean."""
    return {"loss": F.mse_loss(model(inputs)[:, :1], targets[:, 0])}


def huge_targets(task, model, inputs, targets):
    return {"loss": (model(inputs)[:, 0] - 100.0 * (1 + targets)).pow(2).mean()}


def standardised_by_batch(task, model, inputs, targets):
    return {"loss": F.mse_loss(model(inputs), (targets - targets.mean(0)) / targets.std(0))}


BUGS = [
    *(
        Bug(name, checks, lambda loss=loss: classifying(loss=loss))
        for name, checks, loss in (
            ("half the batch", "loss_is_whole", half_the_batch),
            ("first image only", "loss_is_whole", first_image),
            ("last image left out", "loss_is_whole", last_left_out),
            ("hardest image only", "loss_is_whole", hardest_image),
            ("reduction=sum", "loss_is_mean", summed),
            ("divided by the batch size twice", "loss_is_mean", divided_by_batch_twice),
            ("log_softmax over the batch", "loss_rewards_truth loss_is_mean loss_is_whole", log_softmax_over_batch),
            ("softmax before cross-entropy", "loss_rewards_truth overfits_one_batch", softmax_first),
            ("arguments of cross-entropy swapped", "loss_rewards_truth overfits_one_batch loss_is_whole", swapped),
            ("sign flipped", "loss_rewards_truth overfits_one_batch", flipped_sign),
            ("unbounded below", "loss_rewards_truth overfits_one_batch", unbounded),
            ("probability without its logarithm", "loss_rewards_truth overfits_one_batch", probability_without_log),
            ("detached from the model", "gradients", detached),
            ("targets not used", "uses_targets", without_targets),
            ("label smoothing of 1", "loss_rewards_truth uses_targets", uniform),
            ("labels off by one", "loss_rewards_truth edge_labels uses_targets all_finite", one_too_many),
            ("class regressed as a number", "loss_rewards_truth loss_is_whole gradients", class_as_number),
            ("class of the argmax as a number", "loss_rewards_truth gradients loss_is_whole", argmax_as_number),
            ("a class without weight", "loss_is_whole edge_labels all_finite", class_without_weight),
            (
                "targets shuffled in every step",
                "loss_rewards_truth loss_is_mean overfits_one_batch side_effects",
                shuffled,
            ),
            ("targets sorted", "loss_rewards_truth loss_is_mean", sorted_targets),
            ("a focal weight that forgives what is wrong", "loss_rewards_truth", forgiving),
            ("yes to every class costs nothing", "loss_rewards_truth", yes_to_all),
            ("targets not standardised", "loss_rewards_truth overfits_one_batch", huge_targets),
        )
    ),
    *(
        Bug(name, checks, lambda loss=loss: regressing(loss=loss))
        for name, checks, loss in (
            ("first output of three", "loss_is_whole gradients", first_output),
            ("last output lost", "loss_is_whole gradients", last_output_lost),
            ("outputs sorted", "loss_rewards_truth", sorted_values),
            ("values rounded in the loss", "loss_rewards_truth", rounded),
            ("values without their sign", "loss_rewards_truth", either_sign),
            ("images sorted", "loss_rewards_truth loss_is_mean", sorted_images),
            ("mean of the outputs", "loss_rewards_truth", mean_of_outputs),
            ("reduction=sum of values", "loss_is_mean", summed_values),
            ("(N, 1) against (N,)", "loss_rewards_truth loss_is_mean overfits_one_batch loss_is_whole", broadcast),
            ("ReLU before the loss", "loss_rewards_truth overfits_one_batch loss_is_whole", relu_first),
            ("standardised by the batch", "loss_rewards_truth loss_is_mean batch_of_one", standardised_by_batch),
        )
    ),
    Bug("sigmoid before BCE with logits", "loss_rewards_truth overfits_one_batch", lambda: judging(loss=sigmoid_first)),
    Bug(
        "arguments of BCE swapped",
        "loss_rewards_truth loss_is_whole overfits_one_batch",
        lambda: judging(loss=swapped_binary),
    ),
]
