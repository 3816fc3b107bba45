"""Checks that a model can be trained: gradients arrive, weights move, what is frozen stays, and targets count.

All but ``UsesTargets`` read the same training of one model on one fixed batch, so they cost one pass together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from math import isfinite
from typing import Any

import torch

from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import EARLY_STEPS, Subject
from aistudio.models.anatomy import named_backbone
from aistudio.models.nested import equal

_FAINT = 1e-7  # of the head's largest gradient: no initialisation brings a whole backbone so low


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
            return failed(
                "no trainable parameter",
                expected,
                "everything is frozen, or no layer is registered: lists of layers are nn.ModuleList",
            )
        if wild:
            return failed(
                f"not finite: {some(wild)}",
                expected,
                "an overflow, or the derivative of a root, logarithm or norm at zero: add an eps",
            )
        if cut:
            cause = "a detached, unused or dead layer: call it, remove it, or name it in sanity.checks.gradients.allow"
            cause += "; a copy that only follows the model, such as an average of its weights, is requires_grad_(False)"
            seen = f"{len(cut)} of {len(gradients)} without gradient in each of {EARLY_STEPS} steps: {some(cut)}"
            return failed(seen, expected, cause)
        faint = 1.0 if late else _share_of_backbone(subject, gradients)
        if faint < _FAINT:
            cause = "what comes back to the backbone is scaled away: look for detach(), and for factors around it"
            return failed(f"the backbone's largest gradient is {faint:.1g} of the head's", expected, cause)
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
            cause += ": compare optimizer.param_groups with model.parameters()"
            seen = f"{len(stuck)} of {len(due)} unchanged after {EARLY_STEPS} steps: {some(stuck)}"
            return failed(seen, expected, _lost_in_rounding(subject, stuck) or cause)
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
            cause = "backbone.frozen is true, but its parameters still ask for gradients: look for requires_grad_(True)"
            return failed(f"{len(trainable)} still trainable: {some(trainable)}", expected, cause)
        if moved:
            cause = (
                "batch-norm statistics move in train mode even where parameters are frozen: keep those layers in eval()"
            )
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
            return failed(
                "other labels, the same targets",
                expected,
                "the task's target() ignores the labels: print target(sample) for two classes",
            )
        total, changed = sum(subject.training.first.parts.values()), _first_loss(subject, others)
        if isfinite(total - changed) and abs(total - changed) <= self.relative * max(abs(total), 1e-12):
            return failed(
                f"{total:.4g} for both",
                expected,
                "the loss does not use its targets, or less than rounding shows: call it by hand with two targets",
            )
        return passed(f"loss {total:.3g}, with other targets {changed:.3g}", expected)


def _lost_in_rounding(subject: Subject, stuck: Sequence[str]) -> str:
    """That steps are smaller than the spacing of the numbers that half-precision weights can be, or ""."""
    named = dict(subject.built.named_parameters())
    kinds = {named[name].dtype for name in stuck if name in named}
    if not kinds or not kinds <= {torch.bfloat16, torch.float16}:
        return ""
    kind = str(min(kinds, key=str)).removeprefix("torch.")
    cause = f"the weights are {kind}, and a step is smaller than its spacing: nothing is added to them; keep them in "
    return f"{cause}float32 (model.float()), and compute in {kind} by runtime.precision={kind}"


def _share_of_backbone(subject: Subject, gradients: Mapping[str, float | None]) -> float:
    """The largest gradient in the backbone as a share of the largest behind it; 1 where one of them is unknown."""
    prefix = named_backbone(subject.built)[0]
    peaks = {name: peak for name, peak in gradients.items() if peak}
    inside = [peak for name, peak in peaks.items() if name.startswith(prefix)]
    behind = [peak for name, peak in peaks.items() if not name.startswith(prefix)]
    return max(inside) / max(behind) if prefix and inside and behind else 1.0


def _silent_in(gradients: Mapping[str, float | None]) -> list[str]:
    """The parameters that have no gradient, or one of exactly zero."""
    return [name for name, peak in gradients.items() if peak is None or peak == 0]


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
    """The training loss of an untrained model on the shared images with these targets, drawn as the training draws."""
    model = subject.losing
    torch.manual_seed(subject.seed)
    with torch.no_grad():
        return float(sum(subject.task.loss(model, subject.batch().inputs, targets).values()))
