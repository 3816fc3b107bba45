"""The check that a model learns one batch by heart, from the training that the other checks read, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

from aistudio.checks.copies import OTHER_IMAGES, contradiction
from aistudio.checks.loss_truth import floor_of_smoothed
from aistudio.checks.optimizer import warming_up
from aistudio.checks.outcome import Outcome, failed, passed, skipped
from aistudio.checks.subject import Subject
from aistudio.checks.task_metrics import with_metrics
from aistudio.models.anatomy import named_backbone
from aistudio.tasks.batch import pick

_ROUGH = 0.1  # of the first loss: a training whose loss climbs by more in between has too high a learning rate
_CLIMBED = 1.5  # times the first loss
_HALFWAY = 0.5  # of the fall that is asked for: a training that got there may only want another rate, or time
_PATIENCE = 3  # times the steps: nets without norms learn slowly, and a loss with a fault never gets there


@dataclass(frozen=True)
class OverfitsOneBatch:
    """The loss on one fixed batch falls to ``ratio`` of its first value within ``steps`` steps; stops when it has.

    A model that learns at another learning rate is no failed model: the one that a warm-up leads to is tried, else a
    tenth where the loss climbed on its way, three times where it came at least half of the way. Nor is one that learns
    slowly: the training that came further, and half of the way, goes on for three times the steps. The outcome says so.

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
            return with_metrics(_cut_off(subject, outcome), subject)
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
        better = min((subject.training, training), key=lambda one: self._left(one.losses[0], one.losses[-1]))
        if 1 - self._left(better.losses[0], better.losses[-1]) >= _HALFWAY * (1 - ratio):
            losses = better.advance(_PATIENCE * self.steps, lambda first, loss: self._left(first, loss) <= ratio)
            third = self._judged(losses, ratio)
            if third.status == "passed":
                subject.adopt(better)
                at = f" at {words} learning rate ({rates})" if better is training else ""
                seen = f"{third.seen}{at}, slowly: {self.steps} are asked for"
                return with_metrics(replace(third, seen=seen, losses=(*losses,)), subject)
        tried = f"at {words} learning rate ({rates}) {second.seen}"
        return with_metrics(replace(outcome, seen=f"{outcome.seen}; {tried}"), subject)

    def _judged(self, losses: Sequence[float], ratio: float) -> Outcome:
        """Whether losses have fallen to a ratio of their first."""
        first, last = losses[0], losses[-1]
        expected = f"at most {ratio:g} of the first loss within {self.steps} steps"
        if not isfinite(first) or not isfinite(last):
            cause = "the learning rate is too high for this model (try a tenth), or a loss is undefined on this batch"
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


def _cut_off(subject: Subject, outcome: Outcome) -> Outcome:
    """The outcome, unless the backbone had gradients at first and the rest of the model alone has some at the end."""
    prefix = named_backbone(subject.built)[0]
    had = {name for name, peak in subject.training.first.gradients.items() if peak}
    has = {name for name, peak in subject.training.last_gradients().items() if peak}
    inside = {name for name in had if name.startswith(prefix)} if prefix else set()
    if not inside or inside & has or not has:
        return outcome
    cause = "something detaches it after some passes: look for counters and detach() in forward"
    seen = f"{outcome.seen}, but the backbone, which had gradients at first, has none at the end"
    return replace(outcome, status="failed", seen=seen, cause=cause)


def another_rate(losses: Sequence[float]) -> tuple[float, str]:
    """How many times the learning rate to try next: a tenth where the loss climbed on its way, else three times."""
    climbed = any(after - min(losses[: index + 1]) > _ROUGH * losses[0] for index, after in enumerate(losses))
    return (0.1, "a tenth of the") if climbed or not all(map(isfinite, losses)) else (3.0, "three times the")


def slow_because(share: float, losses: Sequence[float], floor: float) -> str:
    """What a loss that did not fall far enough points at."""
    if share > _CLIMBED:
        return "it climbs: the sign of the loss is wrong, or the learning rate is far too high: try a hundredth of it"
    if share > 0.97:
        return (
            "it does not move: the optimiser holds other tensors (compare its param_groups with model.parameters()), "
            "or the loss does not depend on the model"
        )
    return (
        "it falls too slowly: an activation before a loss that takes logits (remove it), unscaled targets, "
        "or a learning rate that is too low (try ten times as much)"
    )
