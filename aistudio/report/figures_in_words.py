"""Numbers for people: with their units, how they were taken, and a run in one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aistudio.report.records import Measurement, SanityReport

_SI = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
IMAGES = re.compile(r"\bof (\d+) images?\b")  # in a definition: the size of the batch
PASSES = re.compile(r"\bmedian of (\d+) pass")
STEPS = {"training_step": "in training", "forward": "without training"}  # the first that was measured is said
MEMORY = {"tensor_memory": "of tensors", "peak_memory": "of memory"}
CARD, LARGEST = "fits_", "largest_batch_"  # and the name of a card: a check, a measurement


def quantity(value: float | int | None, unit: str) -> str:
    """A number with its unit for people: ``11.7 M``, ``1.81 GMACs``, ``35.2 ms``, ``1.2 GiB``."""
    if value is None:
        return "not known"
    if unit == "s":
        return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "bytes":
        return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.1f} MiB"
    for factor, letter in _SI:
        if abs(value) >= factor:
            return f"{value / factor:.2f} {letter}{unit}".rstrip()
    return f"{value:.4g} {unit}".rstrip()


def remark(one: Measurement) -> str:
    """Beside a number: its spread, the images of the batch, and how many passes its median is of."""
    spread = one.low is not None and one.high is not None and one.low != one.high
    images, passes = IMAGES.search(one.definition), PASSES.search(one.definition)
    parts = (
        f"{quantity(one.low, one.unit)} … {quantity(one.high, one.unit)}" if spread else "",
        counted(images[1], "image") if images else "",
        counted(passes[1], "pass", "passes") if passes else "",
    )
    return ", ".join(filter(None, parts))


def counted(count: str, one: str, several: str = "") -> str:
    """A number of things."""
    return f"{count} {one if count == '1' else several or one + 's'}"


def in_a_sentence(report: SanityReport) -> str:
    """What a run has found out, for who reads one line; empty where nothing was measured."""
    measured = {one.name: one for one in report.measurements if one.value is not None}
    cards = {one.name.removeprefix(CARD): one.status for one in report.checks if one.name.startswith(CARD)}
    if cards:
        return "; ".join(_on_card(card, status, measured) for card, status in cards.items())
    if report.failures:
        names = [check.name for check in report.failures]
        return f"does not pass: {', '.join(names[:5])}{f' and {len(names) - 5} more' * (len(names) > 5)}"
    return cost(measured)


def cost(measured: Mapping[str, Measurement]) -> str:
    """``fits; 1.30 GiB of tensors at batch 4; 6.8 images/s in training``."""
    for step, how in STEPS.items():
        rate = measured.get(f"{step}_images_per_second")
        kind = next((kind for kind in MEMORY if f"{step}_{kind}" in measured), None)
        images = IMAGES.search(measured[step].definition) if step in measured else None
        if rate and images:
            memory = measured[f"{step}_{kind}"] if kind else None
            at = f"batch {images[1]}"
            room = f"{quantity(memory.value, memory.unit)} {MEMORY[kind]} at {at}" if memory and kind else at
            return f"fits; {room}; {quantity(rate.value, rate.unit)} {how}"
    return ""


def _on_card(card: str, status: str, measured: Mapping[str, Measurement]) -> str:
    """Whether a training step fits on a card, and the largest batch that does."""
    largest = measured.get(f"{LARGEST}{card}")
    most = f", at most batch {largest.value:g}" if largest and largest.value else ""
    return f"{'fits' if status == 'passed' else 'does not fit' if status == 'failed' else 'not told of'} {card}{most}"
