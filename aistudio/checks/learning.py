"""Checks that a model can be trained: gradients arrive, weights move, what is frozen stays, and the loss falls.

All but ``UsesTargets`` read the same training of one model on one fixed batch, so they cost one pass together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from math import isfinite
from typing import Any

import torch

from aistudio.checks.copies import OTHER_IMAGES, contradiction
from aistudio.checks.loss_truth import floor_of_smoothed
from aistudio.checks.optimizer import warming_up
from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import EARLY_STEPS, Subject
from aistudio.checks.task_metrics import with_metrics
from aistudio.models.anatomy import named_backbone
from aistudio.models.nested import equal
from aistudio.tasks.batch import pick

_ROUGH = 0.1  # of the first loss: a training whose loss climbs by more in between has too high a learning rate
_CLIMBED = 1.5  # times the first loss
_HALFWAY = 0.5  # of the fall that is asked for: a training that got there may only want a higher learning rate


@dataclass(frozen=True)
class Gradients:
    """Every trainable parameter gets a finite gradient that is not exactly zero (tiny is not zero).

    In one of the first three steps: a branch whose last layer starts at zero lets nothing through in the first.
    ``allow`` lists patterns of parameter names that may rightly have none.
    """

    why: str
    allow: Sequence[str] = ()

    def __call__(self, subject: Subject) -> Outcome:
        """Reads the gradients of the first training step, and of the next ones where some are missing."""
        gradients = subject.training.first.gradients
        late = 0
        silent = _silent_in(gradients)
        if any(not any(fnmatch(name, pattern) for pattern in self.allow) for name in silent):
            quiet = [set(_silent_in(step.gradients)) for step in subject.early_steps]
            late = len(silent)
            silent = [name for name in silent if all(name in names for names in quiet)]
            late -= len(silent)
        excused = [name for name in silent if any(fnmatch(name, pattern) for pattern in self.allow)]
        cut = [name for name in silent if name not in excused]
        wild = [name for name, peak in gradients.items() if peak is not None and not isfinite(peak)]
        expected = "a finite gradient, not exactly zero, for every trainable parameter"
        if not gradients:
            return failed("no trainable parameter", expected, "everything is frozen, or no layer is registered")
        if wild:
            return failed(f"not finite: {some(wild)}", expected, "an overflow, or a derivative taken at zero")
        if cut:
            cause = "a detached, unused or dead layer: call it, remove it, or name it in sanity.checks.gradients.allow"
            seen = f"{len(cut)} of {len(gradients)} without gradient in each of {EARLY_STEPS} steps: {some(cut)}"
            return failed(seen, expected, cause)
        frozen = sum(not p.requires_grad for p in subject.built.parameters())
        without = [f"{frozen} frozen"] * bool(frozen) + [f"{some(excused)} allowed"] * bool(excused)
        seen = f"{len(gradients) - len(excused)} parameter tensors"
        seen += f", {late} from step 2 or 3 on, behind branches that start at zero" if late else ""
        return passed(f"{seen}; none for {' and '.join(without)}" if without else seen, expected)


@dataclass(frozen=True)
class OptimizerStep:
    """One optimiser step changes every parameter whose gradient is larger than ``above``.

    Or one of the first three, for a warm-up may begin with a learning rate of 0.
    """

    why: str
    above: float = 1e-6

    def __call__(self, subject: Subject) -> Outcome:
        """Compares the parameters after the first training step, and the next ones if need be, with those before."""
        first = subject.training.first
        due = [name for name, peak in first.gradients.items() if peak is not None and peak > self.above]
        stuck = [name for name in due if name not in first.moved]
        late = len(stuck)
        if stuck:
            stuck = [name for name in stuck if name not in subject.early_steps[-1].moved]
            late -= len(stuck)
        expected = f"every parameter with a gradient above {self.above:g} changes"
        if stuck or not due:
            cause = "the optimiser holds other tensors (copies, or no longer the model's), or its learning rate is zero"
            seen = f"{len(stuck)} of {len(due)} unchanged after {EARLY_STEPS} steps: {some(stuck)}"
            return failed(seen, expected, f"{cause}: compare optimizer.param_groups with model.parameters()")
        seen = f"{len(due)} parameter tensors changed"
        return passed(f"{seen}, {late} of them not in step 1: a warm-up" if late else seen, expected)


@dataclass(frozen=True)
class Frozen:
    """Frozen parameters stay in training, and so do the batch-norm statistics of a frozen backbone."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Compares parameters and buffers after the first training step with those before it."""
        names = {name for name, _ in (*subject.built.named_parameters(), *subject.built.named_buffers())}
        held = {name for name, p in subject.built.named_parameters() if not p.requires_grad} | names & {*subject.held}
        trainable: list[str] = []
        if subject.frozen:
            prefix, backbone = named_backbone(subject.built)
            held |= {prefix + name for name, _ in (*backbone.named_parameters(), *backbone.named_buffers())}
            trainable = [prefix + name for name, p in backbone.named_parameters() if p.requires_grad]
        if not held:
            return skipped("nothing is frozen (backbone.frozen=true freezes the backbone)")
        moved = sorted(held & subject.training.first.moved)
        expected = f"{len(held)} frozen tensors as they were"
        if trainable:
            cause = "backbone.frozen is true, but its parameters still ask for gradients"
            return failed(f"{len(trainable)} still trainable: {some(trainable)}", expected, cause)
        if moved:
            cause = "batch-norm statistics move in train mode even where parameters are frozen"
            return failed(f"{len(moved)} moved: {some(moved)}", expected, cause)
        return passed(f"{len(held)} tensors did not move", expected)


@dataclass(frozen=True)
class UsesTargets:
    """The same images with other targets give another loss. ``relative`` is the least difference."""

    why: str
    relative: float = 1e-6

    def __call__(self, subject: Subject) -> Outcome:
        """The first loss of the training, and the same with labels moved on by one; the same random numbers."""
        batch, others = subject.batch(), _other_targets(subject)
        expected = "another loss for other targets"
        if equal(batch.targets, others):
            if not subject.paints:
                return skipped("all images of the batch have the same target")
            if subject.task.sample_labels <= 1:
                return skipped("with one class every target is the same")
            return failed("other labels, the same targets", expected, "the task's targets ignore the labels")
        total, changed = sum(subject.training.first.parts.values()), _first_loss(subject, others)
        if isfinite(total - changed) and abs(total - changed) <= self.relative * max(abs(total), 1e-12):
            return failed(f"{total:.4g} for both", expected, "the loss does not use its targets")
        return passed(f"loss {total:.3g}, with other targets {changed:.3g}", expected)


@dataclass(frozen=True)
class OverfitsOneBatch:
    """The loss on one fixed batch falls to ``ratio`` of its first value within ``steps`` steps; stops when it has.

    A model that learns at another learning rate is no failed model: the one that a warm-up leads to is tried, else a
    tenth where the loss climbed on its way, three times where it came at least half of the way; the outcome says so.

    ``share`` asks for that part of the fall only: .7 of a fall to .3 is a fall to .51. A frozen backbone leaves only
    the head to learn: there ``ratio_frozen`` holds. ``floor`` is the least value that the loss can take, which is what
    falling is measured from.
    """

    why: str
    steps: int
    ratio: float
    share: float = 1.0
    ratio_frozen: float = 0.9
    floor: float = 0.0

    def __call__(self, subject: Subject) -> Outcome:
        """Goes on with the shared training as far as it must."""
        if subject.frozen and not subject.pretrained:
            return skipped("a frozen backbone of random weights teaches its head nothing; set backbone.weights")
        ratio = self.ratio_frozen if subject.frozen else 1 - self.share * (1 - self.ratio)
        losses = subject.training.advance(self.steps, lambda first, loss: self._left(first, loss) <= ratio)
        outcome = replace(self._judged(losses, ratio), losses=(*losses,))
        if outcome.status == "failed" and self.floor == 0 and (least := floor_of_smoothed(subject)) > 0:
            return replace(self, floor=least)(subject)
        if outcome.status == "passed":
            return with_metrics(outcome, subject)
        batch = subject.batch()
        pairs = [pick(batch.targets, index) for index in range(len(batch.samples))]
        copies = contradiction(batch.samples, pairs)
        if copies and self._left(losses[0], losses[-1]) < _CLIMBED:
            return replace(skipped(f"{copies}, with different targets: {OTHER_IMAGES}"), losses=(*losses,))
        return self._at_another_rate(subject, outcome, ratio)

    def _at_another_rate(self, subject: Subject, outcome: Outcome, ratio: float) -> Outcome:
        """The same with another learning rate; an outcome that says so if that is enough, the first one if not."""
        start, groups = subject.training.start_rate, subject.training.optimizer.param_groups
        warm = any(warming_up((start, group.get("lr", start)), group) for group in groups)
        rate, words = (1.0, "the full") if warm else another_rate(outcome.losses)
        fallen = 1 - self._left(outcome.losses[0], outcome.losses[-1])
        if rate > 1 and not fallen >= _HALFWAY * (1 - ratio):  # it has another fault than its learning rate
            return with_metrics(outcome, subject)
        training = subject.training_at(rate, full=warm)
        losses = training.advance(self.steps, lambda first, loss: self._left(first, loss) <= ratio)
        second = self._judged(losses, ratio)
        rates = ", ".join(sorted({f"{group['lr']:.3g}" for group in training.optimizer.param_groups}))
        if second.status == "passed":
            subject.adopt(training)
            seen = f"{second.seen} at {words} learning rate ({rates}); at the configured one {outcome.seen}"
            second = replace(second, seen=f"{seen}: train with the other", losses=(*losses,))
            return with_metrics(second, subject)
        tried = f"at {words} learning rate ({rates}) {second.seen}"
        return with_metrics(replace(outcome, seen=f"{outcome.seen}; {tried}"), subject)

    def _judged(self, losses: Sequence[float], ratio: float) -> Outcome:
        """Whether losses have fallen to a ratio of their first."""
        first, last = losses[0], losses[-1]
        expected = f"at most {ratio:g} of the first loss within {self.steps} steps"
        if not isfinite(first) or not isfinite(last):
            cause = "the learning rate is too high for this model, or a loss is undefined on this batch"
            return failed(f"a loss of {last:g} after {len(losses) - 1} steps", expected, cause)
        if first > self.floor > min(losses):
            cause = f"a term without a lower bound, a sign, or another floor than {self.floor:g} (say which: floor)"
            return failed(f"{first:.3g} -> {min(losses):.3g}, below {self.floor:g}", expected, cause)
        if first <= self.floor:
            cause = f"a sign is wrong, or the loss has another floor than {self.floor:g} (say which: floor)"
            return failed(f"a first loss of {first:.3g}, not above {self.floor:g}", expected, cause)
        share = self._left(first, last)
        seen = f"{first:.3g} -> {last:.3g} ({share:.2f} of it) in {len(losses) - 1} step{'s' * (len(losses) != 2)}"
        seen += f", from a floor of {self.floor:.3g}" if self.floor else ""
        if share <= ratio:
            return passed(seen, expected)
        return failed(seen, expected, slow_because(share, losses, self.floor))

    def _left(self, first: float, loss: float) -> float:
        return (loss - self.floor) / (first - self.floor) if first > self.floor else float("inf")


def _silent_in(gradients: Mapping[str, float | None]) -> list[str]:
    """The parameters that have no gradient, or one of exactly zero."""
    return [name for name, peak in gradients.items() if peak is None or peak == 0]


def another_rate(losses: Sequence[float]) -> tuple[float, str]:
    """How many times the learning rate to try next: a tenth where the loss climbed on its way, else three times."""
    climbed = any(after - min(losses[: index + 1]) > _ROUGH * losses[0] for index, after in enumerate(losses))
    return (0.1, "a tenth of the") if climbed or not all(map(isfinite, losses)) else (3.0, "three times the")


def slow_because(share: float, losses: Sequence[float], floor: float) -> str:
    """What a loss that did not fall far enough points at."""
    if share > _CLIMBED:
        return "it climbs: the sign of the loss is wrong, or the learning rate is far too high"
    if share > 0.97:
        return "it does not move: the optimiser holds other tensors, or the loss does not depend on the model"
    return "it falls too slowly: an activation before a loss that takes logits, unscaled targets, a low learning rate"


def _other_targets(subject: Subject) -> Any:
    """Targets for the shared images that are not theirs: labels moved on by one, or those of the next image."""
    task, samples = subject.task, subject.batch().samples
    if not subject.paints:
        targets = [task.target(sample) for sample in (*samples[1:], samples[0])]
        return replace(subject.batch(), targets=task.collate(targets)).to(subject.device).targets
    classes, most = max(task.sample_labels, 1), task.max_objects
    known = [[] if sample.labels is None else sample.labels[:most].tolist() for sample in samples]
    labels = [[(label + 1) % classes for label in one] or [0] for one in known]
    return subject.batch(labels=labels, seed=subject.seed + 1).targets


def _first_loss(subject: Subject, targets: Any) -> float:
    """The training loss of a fresh model on the shared images with these targets, drawn as the training draws."""
    model = subject.model()
    torch.manual_seed(subject.seed)
    with torch.no_grad():
        return float(sum(subject.task.loss(model, subject.batch().inputs, targets).values()))
