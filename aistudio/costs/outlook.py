"""What a forecast says of cards: what fits, the largest batch, what would make it fit, and the floor of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aistudio.costs.card import CONTEXT, FACTOR, Card, floor
from aistudio.costs.largest_batch import LargestBatch, largest_batch
from aistudio.costs.memory import Forecaster, Peak, Workload

GIB = 2**30


@dataclass(frozen=True)
class Saving:
    """Something that needs less memory: the ``line`` of configuration that does it, and the peak that is left."""

    line: str
    peak: Peak


@dataclass(frozen=True)
class Outlook:
    """One card: whether the configured batch ``fits``, the ``largest`` batch that does, and floors in seconds.

    A floor is None where the card's peak for the precision is not known.
    """

    card: Card
    fits: bool
    largest: LargestBatch
    inference_floor: float | None
    training_floor: float | None

    def words(self, peak: Peak) -> str:
        """The need with its margin beside what the card has."""
        needed = peak.bytes * FACTOR + CONTEXT
        return f"{needed / GIB:.2f} GiB with the margin, of {self.card.memory / GIB:.2f} GiB"


def outlook(card: Card, forecaster: Forecaster, training: Peak, inference: Peak, count: int, least: int = 1) -> Outlook:
    """What a card has to say; ``training`` and ``inference`` are the forecasts of ``count`` images with operators."""
    known = {count: training.bytes}

    def needed(size: int) -> int:
        if size not in known:
            known[size] = forecaster.training(size).bytes
        return known[size]

    largest = largest_batch(needed, card.room, start=count, least=least)
    return Outlook(
        card, card.fits(training.bytes), largest, floor(inference.operations, card), floor(training.operations, card)
    )


def savings(variants: Mapping[str, Workload], count: int) -> list[Saving]:
    """Each variant's peak at ``count`` images, the smallest need first; ``variants`` has them by their line."""
    found = [Saving(line, Forecaster(workload).training(count)) for line, workload in variants.items()]
    return sorted(found, key=lambda saving: saving.peak.bytes)


def advice(savings: Sequence[Saving], card: Card, largest: LargestBatch, count: int) -> str:
    """What would make it fit on a card, in one line: each with what it needs, those that suffice first."""
    steps = -(-count // largest.size) if largest.size else 0
    parts = [f"data.batch_size={-(-count // steps)} with {steps} steps accumulated"] if steps else []
    enough = [saving for saving in savings if card.fits(saving.peak.bytes)]
    parts += [f"{saving.line} ({saving.peak.bytes / GIB:.2f} GiB)" for saving in enough]
    short = [f"{saving.line} ({saving.peak.bytes / GIB:.2f} GiB)" for saving in savings if saving not in enough]
    words = "would fit with " + "; or ".join(parts) if parts else "nothing that was tried makes it fit"
    return words + (f"; not enough alone: {', '.join(short)}" if short else "")
