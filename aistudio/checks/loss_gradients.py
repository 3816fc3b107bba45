"""Checks of what has a say in the loss: places and colours of the images, channels, outputs, pixels, boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from aistudio.checks.check_mode import starting_at_zero
from aistudio.checks.edges import is_mask
from aistudio.checks.hidden_units import silent_units
from aistudio.checks.loss_truth import Says
from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.places import blind_parts, elsewhere, in_cells, is_mixed, lines
from aistudio.checks.right_outputs import one_hot
from aistudio.checks.sensitivity import LossGradients
from aistudio.checks.subject import Subject

COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class UsesEveryPlace:
    """Every place and every colour of an image, and every channel of the backbone's last map, has a say in the loss.

    ``faint`` is the least share of the strongest place's gradient, ``silent`` the largest share of channels that may
    have none.
    """

    why: str
    faint: float = 1e-4
    silent: float = 0.2

    def __call__(self, subject: Subject) -> Outcome:
        """Reads the gradients of the loss with respect to the images, in 8 x 8 cells, and to the last map.

        A shortcut of a stride leaves places out, which the branch beside it sees: one that starts at zero is opened. A
        recurrent layer over places forgets the first ones until it has learnt: to it any gradient at all is one.
        """
        if any(isinstance(module, nn.RNNBase) for module in subject.built.modules()):
            return replace(self, faint=0.0)._looked(subject)
        return self._looked(subject)

    def _looked(self, subject: Subject) -> Outcome:
        outcome = self._judged(subject.loss_gradients)
        if outcome.status == "passed":
            return self._of_units(subject, outcome)
        if not starting_at_zero(subject.built):
            return outcome
        outcome = self._judged(subject.open_loss_gradients)
        return replace(outcome, seen=f"{outcome.seen}, once branches that start at zero are open")

    def _of_units(self, subject: Subject, outcome: Outcome) -> Outcome:
        """The outcome, unless hidden layers behind the backbone have units that nothing asks."""
        if is_boxes(subject.batch().targets):  # of a class without object no layer is asked
            return outcome
        moved = elsewhere(subject)
        if moved:
            cause = "output maps are turned or mirrored against the images: look for transpose(), flip() and view()"
            return failed(f"a place of the output is decided by the image {moved}", outcome.expected, cause)
        found = silent_units(subject, self.silent)
        if not found:
            return outcome
        seen = some(f"{silent} of {count} units of {name} have no say" for name, silent, count in found)
        cause = "a mask or a slice behind a hidden layer: look for a multiplication by zeros, [:, :n] and topk"
        return failed(f"{seen}, whatever they hold", outcome.expected, cause)

    def _judged(self, gradients: LossGradients) -> Outcome:
        expected = "a gradient from every place, colour and channel"
        if not any(bool(image.any()) for image in gradients.images):
            return skipped("the loss has no gradient with respect to the images")
        cells = torch.stack([in_cells(image) for image in gradients.images]).sum(0)
        blind = blind_parts(cells, self.faint)
        if blind:
            cause = "a crop, a mask or a fade before the first layer, or a head that reads a part: look for slices"
            return failed(f"the loss does not see {blind} of the images", expected, cause)
        colours = torch.stack([image.amax((1, 2)) for image in gradients.images]).amax(0)
        lost = [name for name, value in zip(COLOURS, colours, strict=False) if value <= self.faint * colours.max()]
        if lost:
            return failed(
                f"the loss does not see {some(lost)}",
                expected,
                "a channel of the images is dropped or masked: look at what inputs() and forward do to dim 1",
            )
        return self._of_maps(gradients, expected, float(cells.min() / cells.max()))

    def _of_maps(self, gradients: LossGradients, expected: str, least: float) -> Outcome:
        seen = f"the faintest place has {least:.2g} of the strongest one's gradient"
        maps = gradients.maps
        if maps is None:
            return passed(seen, expected)
        blind = blind_parts(maps.amax((0, 1)), min(1e-6, self.faint), scattered=1.0) if min(maps.shape[2:]) > 1 else ""
        if blind:
            cause = "the head reads some places only: pool over all of them, x.mean((2, 3))"
            return failed(
                f"the loss does not see {blind} of the last map ({maps.shape[2]} x {maps.shape[3]})", expected, cause
            )
        if is_mixed(maps):
            cause = "view() where permute() is meant: x.flatten(2).transpose(1, 2) gives (N, H * W, C)"
            return failed("channels and places of the last map are mixed", expected, cause)
        quiet = int((maps.amax((0, 2, 3)) == 0).sum())
        if quiet > self.silent * maps.shape[1]:
            cause = (
                "the head reads some channels only (look for slices of dim 1), masks them, or their ReLU never opens"
            )
            return failed(f"{quiet} of {maps.shape[1]} channels of the last map have no say", expected, cause)
        return passed(f"{seen}; {maps.shape[1] - quiet} of {maps.shape[1]} channels have a say", expected)


@dataclass(frozen=True)
class LossIsWhole:
    """Every image of the batch, every output, every labelled pixel and every box has a say in the loss."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Reads the gradients of the loss; for boxes, leaves one out and looks whether the loss is another."""
        gradients, batch = subject.loss_gradients, subject.batch()
        expected = "a gradient from every image, output, pixel and box"
        strengths = [float(image.max()) for image in gradients.images]
        if not any(strengths):
            return skipped("the loss has no gradient with respect to the images")
        silent = [str(index) for index, value in enumerate(strengths) if value <= 1e-9 * max(strengths)]
        if silent:
            cause = "the loss takes a part of the batch, or leaves some classes out: look for [:1], [0], max, weights"
            return failed(f"images {some(silent)} of {len(strengths)} have no say", expected, cause)
        if self._pixels(gradients, batch.targets):
            gradients = _also_where_wrong(subject, gradients)
        found = [*self._outputs(gradients, subject.task.num_outputs), *self._pixels(gradients, batch.targets)]
        if found:
            cause = "the loss takes a part of the output, or leaves some classes out: look for slices in it"
            return failed(some(found), expected, cause)
        lost = _lost_boxes(subject)
        if lost:
            cause = "the loss takes a part of the objects, or those of another image: look for [:1] or [0] on targets"
            return failed(some(lost), expected, cause)
        return passed(f"every output for each of {len(strengths)} images", expected)

    def _outputs(self, gradients: LossGradients, count: int) -> list[str]:
        found = []
        for name, value in gradients.outputs.items():
            if value is None:
                found.append(f"{name} has no say")
            elif value.dim() in (2, 4) and value.shape[1] == count:
                peaks = value.transpose(0, 1).flatten(1).amax(1)
                found += [f"{name}[:, {index}] has no say" for index in (peaks == 0).nonzero().flatten().tolist()]
        return found

    def _pixels(self, gradients: LossGradients, targets: Any) -> list[str]:
        out = gradients.outputs.get("out", gradients.outputs.get("output"))
        if out is None or not is_mask(targets) or out.shape[-2:] != targets.shape[-2:]:
            return []
        counted = targets != 255
        heard = (out.amax(1) > 0) & counted
        found = [
            f"pixels of class {label} have no say"
            for label in targets[counted].unique().tolist()
            if not bool(heard[targets == label].any())
        ]
        for name, dim in (("rows", (0, 2)), ("columns", (0, 1))):
            deaf = lines(~heard.any(dim[0]).any(dim[1] - 1) & counted.any(dim[0]).any(dim[1] - 1))
            found += [f"{name} {deaf} have no say"] * bool(deaf)
        return found


def _also_where_wrong(subject: Subject, gradients: LossGradients) -> LossGradients:
    """The same, with what a loss of the hardest pixels hears where one class after another is wrong, and only that."""
    batch, targets = subject.batch(), subject.batch().targets
    name = "out" if "out" in gradients.outputs else "output"
    strength = gradients.outputs[name]
    assert strength is not None  # or nothing would be known of its pixels
    classes = strength.shape[1]
    right = 4 * one_hot(targets.where(targets < classes, 0), classes).permute(0, 3, 1, 2)
    for label in targets[targets < classes].unique():
        wrong = -torch.rand_like(right[:, :1])  # by another amount at each pixel
        said = (right * torch.where((targets == label)[:, None], wrong, 1.0)).requires_grad_()
        try:
            losses = subject.task.loss(Says(said if name == "output" else {name: said}), batch.inputs, targets)
            again = torch.autograd.grad(cast(Tensor, sum(losses.values())), said)[0].abs()
        except Exception:  # the loss takes more than this output
            return gradients
        strength = torch.maximum(strength, again)
    return replace(gradients, outputs={**gradients.outputs, name: strength})


def _lost_boxes(subject: Subject) -> list[str]:
    """Objects without which the loss is the same, of a batch of two images with two objects each."""
    last = max(subject.task.sample_labels - 1, 0)
    if not subject.paints or not is_boxes(subject.batch().targets):
        return []
    batch = subject.batch(labels=[[0, last], [last, 0]])
    counts = {len(target["boxes"]) for target in batch.targets}
    if counts == {1} and subject.task.max_objects > 1:
        return ["one of two objects is in no target"]
    if counts != {2}:
        return []
    model = subject.own_code

    def loss(targets: Sequence[dict[str, Tensor]]) -> float:
        torch.manual_seed(subject.seed)
        with torch.no_grad():
            return float(sum(subject.task.loss(model, batch.inputs, targets).values()))

    whole, found = loss(batch.targets), []
    changes = [(0, lambda value: part(value, 0), "the last object of the first image has no say")]
    changes += [(1, lambda value: part(value, 1), "the first object of the last image has no say")]
    for image, change, words in changes:
        if loss(changed(batch.targets, image, {*batch.targets[image]}, change)) == whole:
            found.append(words)
    if last and loss(changed(batch.targets, 0, {"labels"}, lambda value: value.flip(0))) == whole:
        found.append("the classes of objects have no say")
    return found


def changed(targets: Sequence[dict[str, Any]], image: int, names: set[str], change: Callable[[Any], Any]) -> list[dict]:
    """Targets, with some entries of one image's changed."""
    copied = [dict(target) for target in targets]
    copied[image].update({name: change(copied[image][name]) for name in names if name in copied[image]})
    return copied


def part(value: Any, index: int) -> Any:
    """One object of what a target holds of two."""
    return value[index : index + 1] if isinstance(value, Tensor) and value.dim() and len(value) == 2 else value


def is_boxes(targets: Any) -> bool:
    """Whether targets are a list of one dict with boxes an image."""
    return isinstance(targets, list) and bool(targets) and all(isinstance(t, dict) and "boxes" in t for t in targets)
