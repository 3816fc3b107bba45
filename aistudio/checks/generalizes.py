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
from aistudio.checks.trained import LASTS, Trained
from aistudio.tasks.pairs import Transform

CLEARLY = 0.3  # a truth that fits better by so much is what the model has learnt: nothing else explains it
IN_PAIRS = 0.7  # of the metric that a transform has to leave: less, and it moves images away from their targets
CLASSES = 6  # painted at most: colours that a short training can tell apart
CLOSER = 0.05  # of a metric: outputs fit what the targets say by so much better, judgement after judgement
FINER = ("map_75", "rotated_map_75")  # see what an IoU of .5 forgives: other angles, sides swapped
UNLIKE = 0.4  # of what is enough: one metric is nearer to it than another
HINTS = {  # what is to blame if the other metric is good
    "mask_map_50": "perhaps masks in another order than boxes",
    "r2_least": "perhaps a value that does not move with its image",
}
APART = "what moves, flips, scales or renames the images or the targets must do so to both"


@dataclass(frozen=True)
class Generalizes:
    """After a short training on painted images, new ones in each step, the outputs for unseen images are *true*.

    The truth is the samples' own, not what the task makes of it: targets that are flipped, moved, scaled or renamed
    against their images show, which overfitting one batch cannot see. ``enough`` says by the names of metrics what to
    reach; the training stops as soon as it has. Where it does not, truths that are moved or renamed tell how the
    outputs are off. A task or a transform of one's own that does not get there fails if aistudio's own task gets there
    with the same model and as many steps; if that does not either, nothing is judged, and the outcome says so. A task
    whose targets are not what aistudio's own would be trains to the end, and is then compared with it.

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
        own = shipped_task(subject.task, self.transform is not None)
        training = FreshTraining(subject, subject.task, plan, self.enough, self.transform)
        trained = self._train(training, own is not None and training.says_otherwise(own))
        if not trained.last.name:
            return skipped(f"no entry of sanity.checks.generalizes.enough is one of {', '.join(trained.last.metrics)}")
        pairs = before_and_after(trained.judged[0].metrics, trained.last.metrics)
        return replace(self._judge(subject, trained, own), metrics=pairs)

    def _plan(self, subject: Subject) -> Plan:
        size = self.image_size if runs_at(subject, self.image_size) else subject.size
        classes = min(max(subject.task.sample_labels, 1), CLASSES)
        return Plan(size, classes, self.steps, self.batch_size, self.unseen, self.every, self.rate, self.budget)

    def _train(self, training: FreshTraining, otherwise: bool = False) -> Trained:
        """A training that stops as soon as it is clear; a good one goes on where targets are ``otherwise``."""
        trained = Trained(training, [], otherwise)
        for one in training.judgements():
            trained.judged.append(one)
            if not one.name or (self._is_true(one) and not otherwise):
                break
            if len(trained.lasts) == LASTS and self._other(trained)[0]:
                break
        return trained

    def _is_true(self, judged: Judgement) -> bool:
        """Whether outputs are as good as they have to be, and fit nothing else better."""
        others = best({**judged.fits, **judged.merged})[1]
        return self._reached(judged) and others < judged.value + RATHER and not apart_in_pairs(judged)

    def _other(self, trained: Trained) -> tuple[str, float]:
        """The truth that outputs fit, and not the true one."""
        return trained.other(CLEARLY, self.enough[trained.last.name])

    def _reached(self, judged: Judgement) -> bool:
        return not self._missed(judged)

    def _missed(self, judged: Judgement) -> list[str]:
        """The metrics that are not good enough."""
        return [name for name, value in self._counted(judged).items() if not value >= self.enough[name]]

    def _counted(self, judged: Judgement) -> dict[str, float]:
        """The metrics of which ``enough`` says what to reach."""
        return {name: value for name, value in judged.metrics.items() if name in self.enough}

    def _judge(self, subject: Subject, trained: Trained, own: object) -> Outcome:
        """The outcome of a training, where it needs no other one to compare with."""
        last, training = trained.last, trained.training
        counted = self._counted(last)
        wanted = ", ".join(f"{name} of {self.enough[name]:g}" for name in counted)
        reached = ", ".join(f"{name} {value:.2f}" for name, value in counted.items())
        expected = f"{wanted} on unseen images within {self.steps} steps"
        seen = f"{reached} on {self.unseen} unseen images after {last.steps} steps"
        if self._is_true(last) and not trained.otherwise:
            return passed(seen, expected)
        words, other = self._other(trained)
        if words:
            return failed(
                f"{seen}; {other:.2f} if the truth were {words}", expected, f"the outputs are {words}: {APART}"
            )
        if self._reached(last) and apart_in_pairs(last) and not trained.otherwise:
            told = training.how_apart(training.pairs, last.name)
            seen = f"{seen}, {last.in_pairs[last.name]:.2f} on the same as they are trained on"
            return failed(seen, expected, f"{told or 'the targets of these are not true'}: {APART}")
        suspicion = self._suspicion(trained)
        if self._reached(last) and not (own and (suspicion[1] or trained.otherwise)):
            return passed(seen, expected)
        if own is None:
            return skipped(f"not judged: {seen}, and there is no other task of aistudio to compare with")
        return self._compare(subject, own, trained, seen, suspicion)

    def _suspicion(self, trained: Trained) -> tuple[str, str]:
        """What else outputs fit better than what is true: figures for it, and how they are off; "" where nothing."""
        last = trained.last
        words, other = trained.other(RATHER, merged=True)
        if words:
            return f"{other:.2f} if the truth were {words}", f"the outputs are {words}"
        for name in (last.name, *FINER) if trained.otherwise else ():
            gain = trained.said(name)
            if gain >= CLOSER:
                words, other = best(trained.training.fits_by(name))
                told = words if other - last.metrics[name] >= gain / 2 else "what the targets say, which is not true"
                return f"{gain:.2f} more {name} against what the targets say", f"the outputs are {told}"
        return "", ""

    def _compare(
        self, subject: Subject, own: object, trained: Trained, seen: str, suspicion: tuple[str, str]
    ) -> Outcome:
        """A failure if ``own``, aistudio's task, gets there with the same model in as many steps; else nothing."""
        last, name = trained.last, type(own).__name__
        steps = last.steps or trained.training.plan.every
        plan = replace(trained.training.plan, steps=steps)
        control = self._train(FreshTraining(subject, own, plan, self.enough), trained.otherwise)
        figure, told = suspicion
        seen = f"{seen}; {figure}" if figure else seen
        if not any(map(self._is_true, control.judged)):
            return skipped(f"not judged: {seen}; with aistudio's own {name} {control.last.value:.2f}")
        seen = f"{seen}; {control.last.value:.2f} after {control.last.steps} with aistudio's own {name}"
        expected = f"{last.name} of {self.enough[last.name]:g} with this task, too"
        known = trained.training.how_otherwise(own) if trained.otherwise else ""
        worse = control.best - trained.best >= (RATHER if known else CLEARLY)
        if self._reached(last) and not told and not worse:
            return self._undecided(known, seen) if known and not trained.denied() else passed(seen, expected)
        told = control.training.how_apart(trained.training.pairs, last.name) or told
        told = told or (f"the targets are {known}" if known else self._elsewhere(last))
        return failed(seen, expected, f"{told}: {APART}")

    def _undecided(self, known: str, seen: str) -> Outcome:
        """Targets of another convention, or wrong ones: outputs fit both, so this training cannot tell."""
        told = f"the targets are {known}, by aistudio's conventions, and what the model gives fits both"
        return replace(skipped(f"not judged: {seen}; {told}"), warning=f"{told}: right only if the loss knows it")

    def _elsewhere(self, judged: Judgement) -> str:
        """What is off, where no truth that was tried says it."""
        counted = self._counted(judged)
        shares = {name: value / self.enough[name] for name, value in counted.items()}
        good, bad = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
        if shares[good] - shares[bad] >= UNLIKE:
            hint = HINTS.get(bad, "what differs there")
            return f"{good} is {counted[good]:.2f}, {bad} is only {counted[bad]:.2f}: {hint}"
        return "the task's own targets, loss or inputs, or the transform, hide what is true"


def apart_in_pairs(judged: Judgement) -> bool:
    """Whether outputs that fit the truth do not fit what the training itself says of the same images."""
    said = judged.in_pairs.get(judged.name)
    return said is not None and said < IN_PAIRS * judged.value


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
