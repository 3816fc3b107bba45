"""The task's metrics before and after a training, beside its loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite

from aistudio.checks.outcome import Outcome
from aistudio.checks.subject import Subject


def with_metrics(outcome: Outcome, subject: Subject) -> Outcome:
    """The outcome with the task's metrics on the batch, of the untrained and of the trained model in eval mode."""
    batch = subject.batch()
    if not hasattr(subject.task, "metrics") or subject.task.output_problems(subject.output, batch.inputs):
        return outcome
    trained = subject.trained_output()
    pairs = before_and_after(*(subject.task.metrics(output, batch.samples) for output in (subject.output, trained)))
    told = ", ".join(f"{name} {before:.2f} -> {after:.2f}" for name, (before, after) in pairs.items())
    return replace(outcome, seen=f"{outcome.seen}; {told}" if told else outcome.seen, metrics=pairs)


def before_and_after(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Metrics by their names, before and after, where both can be told."""
    return {name: (one[name], other[name]) for name in one if isfinite(one[name]) and isfinite(other[name])}
