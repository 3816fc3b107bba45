"""A small training on painted images, new ones in every step, judged on images that it has never seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite
from typing import Any

import torch

from aistudio.checks.check_mode import calibrate, resize_inside
from aistudio.checks.subject import Subject
from aistudio.data.sample import Sample
from aistudio.data.synthetic import Synthetic
from aistudio.models.nested import alike, copied
from aistudio.tasks.batch import Batch, draw_labels, join, make_batch, pick
from aistudio.tasks.other_truths import MOTIONS, merged_labels, other_truths
from aistudio.tasks.pairs import Transform, transform_batch

RATHER = 0.1  # a truth that fits better by so much is suspicious
UNSEEN, FRESH = 1_000_003, 2_000_003  # added to the run's seed, so that no unseen image is ever trained on


@dataclass(frozen=True)
class Plan:
    """How to train, and how to judge: by ``unseen`` images, every ``every`` steps.

    ``size`` is the side of the images in pixels, their labels are 0 … ``classes`` - 1. ``rate`` is how many times the
    configured learning rate. ``budget`` is CPU time in seconds, of all threads together.
    """

    size: int
    classes: int
    steps: int
    batch_size: int
    unseen: int
    every: int
    rate: float
    budget: float


@dataclass(frozen=True)
class Judgement:
    """What a model is worth after ``steps`` steps, by unseen images.

    ``metrics`` are those against the truth, ``name`` that of the one that counts most and ``value`` it ("" and NaN
    where none counts); ``fits`` what it would be if another truth held, ``merged`` if classes were one (empty before
    any step); ``in_pairs`` all metrics against the targets that the training itself would have for these images,
    transform included (empty where they cannot be read).
    """

    steps: int
    metrics: Mapping[str, float]
    name: str = ""
    value: float = float("nan")
    fits: Mapping[str, float] = field(default_factory=dict)
    merged: Mapping[str, float] = field(default_factory=dict)
    in_pairs: Mapping[str, float] = field(default_factory=dict)


def best(fits: Mapping[str, float]) -> tuple[str, float]:
    """The truth that outputs fit best, in words, and how well."""
    return max(fits.items(), key=lambda pair: pair[1], default=("", float("-inf")))


class FreshTraining:
    """Trains a copy of the subject's model with ``task``; of its metrics the first of ``counts`` counts."""

    def __init__(
        self, subject: Subject, task: Any, plan: Plan, counts: Collection[str], transform: Transform | None = None
    ):
        self.subject, self.task, self.plan, self.counts, self.transform = subject, task, plan, counts, transform
        self.model = subject.built  # as last judged

    def judgements(self) -> Iterator[Judgement]:
        """What the model is worth before any step and every few steps, until steps or budget end."""
        subject, plan, started = self.subject, self.plan, time.process_time()
        model = subject.model()
        resize_inside(model, plan.size)
        optimizer = subject.optimizer([p for p in model.parameters() if p.requires_grad])
        for group in optimizer.param_groups:
            group["lr"] *= plan.rate
        for step in range(plan.steps + 1):
            if step % plan.every == 0 or step == plan.steps:
                yield self._judge(step, model)
            if time.process_time() - started > plan.budget:
                return
            if step < plan.steps:
                self._take_step(step, model.train(), optimizer)

    def _take_step(self, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        torch.manual_seed(self.subject.seed + step)
        batch = self._paint(self.plan.batch_size, self.subject.seed + FRESH + step, self.transform)
        loss = sum(self.task.loss(model, batch.inputs, batch.targets).values())
        optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:
            loss.backward()
            optimizer.step()

    def _judge(self, step: int, model: torch.nn.Module) -> Judgement:
        self.model = model = calibrate(copied(model), self.task, self._unseen)
        output, samples = self._output(model, self._unseen), self._unseen.samples
        measured = self.task.metrics(output, samples)
        name = next((name for name in measured if name in self.counts), "")
        if not name or not step:
            return Judgement(step, measured, name, measured.get(name, float("nan")))
        fits = self._fits(output, name, other_truths(self.task, self.plan.classes))
        merged = self._fits(output, name, merged_labels(self.plan.classes))
        in_pairs: Mapping[str, float] = {}
        if self.pairs.samples is not samples:
            output = self._output(model, self.pairs) if self.transform else output
            in_pairs = self.task.metrics(output, self.pairs.samples)
        return Judgement(step, measured, name, measured[name], fits, merged, in_pairs)

    def _fits(self, output: Any, name: str, truths: Mapping[str, Callable[[Sample], Sample]]) -> dict[str, float]:
        """A metric of outputs for the unseen images as it would be if other truths held."""
        samples = self._unseen.samples
        return {
            words: self.task.metrics(output, [truth(one) for one in samples])[name] for words, truth in truths.items()
        }

    def fits_by(self, name: str) -> dict[str, float]:
        """The same of the model as last judged, by another metric."""
        return self._fits(self._output(self.model, self._unseen), name, other_truths(self.task, self.plan.classes))

    def how_apart(self, pairs: Batch, name: str) -> str:
        """In words, how targets lie against their images by what the model, as last judged, says of these pairs.

        Image by image, for an augmentation may move some and leave others; "" where no motion explains more.
        """
        output = self._output(self.model, pairs)
        truths: dict[str, Callable[[Sample], Sample]] = {"": _same, **MOTIONS}
        fits = torch.tensor(
            [
                [self._of_one(output, index, truth(sample), name) for index, sample in enumerate(pairs.samples)]
                for truth in truths.values()
            ]
        )
        gains = (fits - fits[0]).clamp(min=0)
        chosen = int(gains.mean(1).argmax())
        if gains[chosen].mean() < RATHER:
            return ""
        count = int((gains[chosen] > RATHER).sum())
        return f"in {count} of {len(pairs.samples)} images the outputs are {[*truths][chosen]} against the targets"

    def _of_one(self, output: Any, index: int, sample: Sample, name: str) -> float:
        """The metric of one image; 0 where it cannot be told."""
        value = self.task.metrics(pick(output, slice(index, index + 1)), [sample])[name]
        return value if isfinite(value) else 0.0

    def _output(self, model: torch.nn.Module, batch: Batch) -> Any:
        """What the model in eval mode says about images, some at a time."""
        count, size = len(batch.samples), self.plan.batch_size
        with torch.no_grad():
            return join([model(batch.inputs[start : start + size]) for start in range(0, count, size)])

    def _paint(self, count: int, seed: int, transform: Transform | None = None) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        labels = draw_labels(count, self.plan.classes, self.task.max_objects, generator)
        batch = make_batch(self.task, Synthetic(), count, self.plan.size, seed, labels)
        if transform is not None:
            batch = transform_batch(self.task, batch.samples, transform)
        return batch.to(self.subject.device, self.subject.channels_last)

    @cached_property
    def _unseen(self) -> Batch:
        return self._paint(self.plan.unseen, self.subject.seed + UNSEEN)

    @cached_property
    def pairs(self) -> Batch:
        """The unseen images as the training would have them; their samples say what their targets say.

        They are the unseen ones where the task cannot be asked about them: its targets have a form of their own.
        """
        torch.manual_seed(self.subject.seed)
        batch = transform_batch(self.task, self._unseen.samples, self.transform or _as_they_are)
        try:
            for sample in batch.samples:
                self.task.target(sample)
        except Exception:  # a task of one's own may miss anything in a sample
            batch = replace(batch, samples=self._unseen.samples)
        return batch.to(self.subject.device, self.subject.channels_last)

    def says_otherwise(self, own: Any) -> bool:
        """Whether the task makes other targets of the unseen images than ``own`` does."""
        try:
            return not self._agrees(own, _same)
        except Exception:  # a task of one's own need not have all that aistudio's reads
            return False

    def how_otherwise(self, own: Any) -> str:
        """In words, what ``own`` would have to hold true to make the task's targets; "" where nothing explains them."""
        truths = other_truths(self.task, self.plan.classes)
        return next((words for words, truth in truths.items() if self._agrees(own, truth)), "")

    def _agrees(self, own: Any, truth: Callable[[Sample], Sample]) -> bool:
        """Whether the task's targets are those that ``own`` would make if ``truth`` held."""
        return all(alike(self.task.target(one), own.target(truth(one))) for one in self._unseen.samples)


def _as_they_are(image: Any, target: Any) -> tuple[Any, Any]:
    return image, target


def _same(sample: Sample) -> Sample:
    return sample
