"""Does it learn what is true? A small training on fresh painted images, judged on unseen ones by the task's metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from aistudio.checks.check_mode import resize_inside
from aistudio.checks.fresh_training import RATHER, FreshTraining, Judgement, Plan, best
from aistudio.checks.outcome import Outcome, failed, passed, skipped
from aistudio.checks.shipped_task import shipped_task
from aistudio.checks.subject import Subject
from aistudio.checks.task_metrics import before_and_after
from aistudio.tasks.pairs import Transform

CLEARLY = 0.3  # a truth that fits better by so much is what the model has learnt: nothing else explains it
IN_PAIRS = 0.7  # of the metric that a transform has to leave: less, and it moves images away from their targets
CLASSES = 6  # painted at most: colours that a short training can tell apart
APART = "what moves, flips, scales or renames the images or the targets must do so to both"


@dataclass(frozen=True)
class Trained:
    """A training with its first and its last judgement."""

    training: FreshTraining
    first: Judgement
    last: Judgement


@dataclass(frozen=True)
class Generalizes:
    """After a short training on painted images, new ones in each step, the outputs for unseen images are *true*.

    The truth is the samples' own, not what the task makes of it: targets that are flipped, moved, scaled or renamed
    against their images show, which overfitting one batch cannot see. ``enough`` says by the name of a metric what to
    reach; the training stops as soon as it has. Where it does not, truths that are moved or renamed tell how the
    outputs are off. A task or a transform of one's own that does not get there fails if aistudio's own task gets there
    with the same model and as many steps; if that does not either, nothing is judged, and the outcome says so.

    ``transform`` is yours, called as torchvision's references do: ``(image, target) -> (image, target)``, the target
    being the task's, its boxes and masks tv_tensors. The other settings are those of a
    `aistudio.checks.fresh_training.Plan`.
    """

    why: str
    enough: Mapping[str, float]
    image_size: int = 64
    batch_size: int = 8
    steps: int = 120
    every: int = 10
    unseen: int = 48
    rate: float = 1.0
    budget: float = 120.0
    transform: Transform | None = None

    def __call__(self, subject: Subject) -> Outcome:
        """Trains once; a second time, with aistudio's own task, where that decides."""
        if not hasattr(subject.task, "metrics"):
            return skipped("the task has no metrics(output, samples), so nothing says how good its outputs are")
        if subject.frozen and not subject.pretrained:
            return skipped("a frozen backbone of random weights teaches its head nothing; set backbone.weights")
        if subject.task.output_problems(subject.output, subject.batch().inputs):
            return skipped("outputs break the task's contract, so no metric can be trusted (output_contract says how)")
        plan = self._plan(subject)
        trained = self._train(subject, subject.task, plan, self.transform)
        if not trained.last.name:
            return skipped(f"no entry of sanity.checks.generalizes.enough is one of {', '.join(trained.last.metrics)}")
        pairs = before_and_after(trained.first.metrics, trained.last.metrics)
        return replace(self._judge(subject, trained), metrics=pairs)

    def _plan(self, subject: Subject) -> Plan:
        size = self.image_size if runs_at(subject, self.image_size) else subject.size
        classes = min(max(subject.task.sample_labels, 1), CLASSES)
        return Plan(size, classes, self.steps, self.batch_size, self.unseen, self.every, self.rate, self.budget)

    def _train(self, subject: Subject, task: object, plan: Plan, transform: Transform | None) -> Trained:
        """A training that stops as soon as it is clear."""
        training = FreshTraining(subject, task, plan, self.enough, transform)
        judged: list[Judgement] = []
        for one in training.judgements():
            judged.append(one)
            if not one.name or self._is_true(one) or self._is_other(one):
                break
        return Trained(training, judged[0], judged[-1])

    def _is_true(self, judged: Judgement) -> bool:
        """Whether outputs are as good as they have to be, and fit nothing else better."""
        others = best({**judged.fits, **judged.merged})[1]
        return self._reached(judged) and others < judged.value + RATHER and not apart_in_pairs(judged)

    def _is_other(self, judged: Judgement) -> bool:
        """Whether outputs fit another truth, and not this one."""
        other = best(judged.fits)[1]
        return other >= self.enough[judged.name] and other - judged.value >= CLEARLY

    def _reached(self, judged: Judgement) -> bool:
        return judged.value >= self.enough[judged.name]

    def _judge(self, subject: Subject, trained: Trained) -> Outcome:
        """The outcome of a training, where it needs no other one to compare with."""
        last = trained.last
        expected = f"{last.name} of {self.enough[last.name]:g} on unseen images within {self.steps} steps"
        seen = f"{last.name} {last.value:.2f} on {self.unseen} unseen images after {last.steps} steps"
        if self._is_true(last):
            return passed(seen, expected)
        if self._is_other(last):
            words, other = best(last.fits)
            return failed(
                f"{seen}; {other:.2f} if the truth were {words}", expected, f"the outputs are {words}: {APART}"
            )
        if self._reached(last) and apart_in_pairs(last):
            told = trained.training.how_apart(trained.training.pairs, last.name)
            seen = f"{seen}, {last.in_pairs:.2f} on the same as they are trained on"
            return failed(seen, expected, f"{told or 'the targets of these are not true'}: {APART}")
        words, other = best({**last.fits, **last.merged})
        suspicious = other - last.value >= RATHER
        own = shipped_task(subject.task, self.transform is not None)
        if self._reached(last) and not (suspicious and own):
            return passed(seen, expected)
        if own is None:
            return skipped(f"not judged: {seen}, and there is no other task of aistudio to compare with")
        if suspicious:
            return self._compare(
                subject, own, trained, f"{seen}; {other:.2f} if the truth were {words}", f"the outputs are {words}"
            )
        return self._compare(subject, own, trained, seen, "")

    def _compare(self, subject: Subject, own: object, trained: Trained, seen: str, told: str) -> Outcome:
        """A failure if ``own``, aistudio's task, gets there with the same model in as many steps; else nothing."""
        last, name = trained.last, type(own).__name__
        steps = last.steps or trained.training.plan.every
        control = self._train(subject, own, replace(trained.training.plan, steps=steps), None)
        if not self._is_true(control.last):
            return skipped(f"not judged: {seen}; with aistudio's own {name} {control.last.value:.2f}")
        seen = f"{seen}; {control.last.value:.2f} after {control.last.steps} with aistudio's own {name}"
        told = told or control.training.how_apart(trained.training.pairs, last.name) or elsewhere(last, self.enough)
        expected = f"{last.name} of {self.enough[last.name]:g} with this task, too"
        return failed(seen, expected, f"{told}: {APART}")


def apart_in_pairs(judged: Judgement) -> bool:
    """Whether outputs that fit the truth do not fit what the training itself says of the same images."""
    return judged.in_pairs is not None and judged.in_pairs < IN_PAIRS * judged.value


def elsewhere(judged: Judgement, enough: Mapping[str, float]) -> str:
    """What is off, where no truth that was tried says it."""
    good = [name for name, value in judged.metrics.items() if name != judged.name and value >= enough.get(name, 9)]
    if good:
        return f"{good[0]} is {judged.metrics[good[0]]:.2f}, {judged.name} is not: masks in another order than boxes?"
    return "the task's own targets, loss or inputs, or the transform, hide what is true"


def runs_at(subject: Subject, size: int) -> bool:
    """Whether the model takes images of ``size`` pixels: some are bound to a larger one."""
    if size == subject.size:
        return True
    try:
        model = subject.model()
        resize_inside(model, size)
        with torch.no_grad():
            model.eval()(subject.batch(count=2, size=size).inputs)
    except Exception:  # a user's model may raise anything
        return False
    return True
