"""How a small training went: what its outputs fit at the end, judgement after judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from aistudio.checks.fresh_training import RATHER, FreshTraining, Judgement, best

LASTS = 3  # judgements that have to agree


@dataclass(frozen=True)
class Trained:
    """A training and how it was judged; ``otherwise``: its targets are not what aistudio's own would be."""

    training: FreshTraining
    judged: list[Judgement]
    otherwise: bool

    @property
    def last(self) -> Judgement:
        """The last judgement."""
        return self.judged[-1]

    @property
    def lasts(self) -> Sequence[Judgement]:
        """The last judgements, which have to agree: on its way a training is off now and then."""
        return [one for one in self.judged if one.fits][-LASTS:]

    @property
    def best(self) -> float:
        """The best of the last judgements by the metric that counts most."""
        return max((one.value for one in self.lasts), default=self.last.value)

    def other(self, gain: float, least: float = float("-inf"), merged: bool = False) -> tuple[str, float]:
        """The truth that outputs fit best of those that they fit better by ``gain`` in each of the last judgements.

        In words, and how well at the end; "" where there is none. ``least`` is how well they have to fit it. Where the
        budget ended a training early, there may be fewer judgements than usual.
        """
        fits = [{**one.fits, **(one.merged if merged else {})} for one in self.lasts]
        steady = {
            words: value
            for words, value in (fits[-1] if fits else {}).items()
            if all(one[words] >= max(least, judged.value + gain) for one, judged in zip(fits, self.lasts, strict=True))
        }
        return best(steady)

    def denied(self) -> bool:
        """Whether outputs fit what is true clearly better than what the targets say."""
        said = self.last.in_pairs.get(self.last.name)
        return said is not None and self.last.value - said >= RATHER

    def said(self, name: str) -> float:
        """How much better, by a metric, outputs fit what the targets say than what is true.

        The mean over the last judgements; 0 where it is not so in each, or where the targets cannot be read.
        """
        gains = [one.in_pairs[name] - one.metrics[name] for one in self.lasts if name in one.in_pairs]
        return mean(gains) if gains and min(gains) > 0 else 0.0
