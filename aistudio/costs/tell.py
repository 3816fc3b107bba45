"""A forecast as measurements of a report, each with its definition."""

from __future__ import annotations

from collections.abc import Iterable

from aistudio.costs.card import FACTOR
from aistudio.costs.live_bytes import KINDS
from aistudio.costs.memory import Peak
from aistudio.costs.outlook import Outlook, Saving
from aistudio.report.records import Measurement

BOUND = "forecast from shapes: tensors alone, each rounded up to 512 bytes; kernels' workspaces left out"
_FLOOR = (
    "no implementation can be faster: convolutions and matrix products alone, each at the card's published peak or at "
    "its published bandwidth, whichever takes longer"
)
_SAVED = {
    "runtime.precision": "half_precision",
    "backbone.frozen": "frozen_backbone",
    "backbone.activation_checkpointing": "activation_checkpointing",
    "task.image_size": "smaller_images",
    "architecture.learning.optimizer._target_": "sgd",
}


def of_passes(training: Peak, inference: Peak, single: Peak, count: int) -> list[Measurement]:
    """Memory and arithmetic of a step and of a pass of ``count`` images, and the arithmetic of one image."""
    step, forward = f"a training step of {count} images", f"a forward pass of {count} images in eval mode"
    ranged = training.least < training.bytes
    low, high = (training.least, training.bytes) if ranged else (None, None)
    regions = "; from one region an image besides its objects to as many as may be drawn" if ranged else ""
    kinds = {kind: training.by_kind[kind] for kind in KINDS}
    products = "multiply-adds of convolutions and matrix products"
    return [
        Measurement("multiply_adds", single.multiply_adds, "MACs", f"{products} of one image in eval mode"),
        Measurement(
            "activations", single.activations, "", "elements that the convolutions write, of one image in eval mode"
        ),
        Measurement("training_step_multiply_adds", training.multiply_adds, "MACs", f"{products} of {step}"),
        Measurement("forward_forecast_memory", inference.bytes, "bytes", f"peak of {forward}; {BOUND}"),
        Measurement(
            "training_step_forecast_memory", training.bytes, "bytes", f"peak of {step}; {BOUND}{regions}", low, high
        ),
        *(
            Measurement(f"forecast_{kind}", size, "bytes", f"{kind} that are alive at the peak of {step}")
            for kind, size in kinds.items()
        ),
    ]


def of_card(outlook: Outlook, count: int) -> list[Measurement]:
    """What a card has to say."""
    name = outlook.card.name
    margin = f"the forecast times {FACTOR} and 1 GB more are within its memory"
    found = [
        Measurement(f"largest_batch_{name}", outlook.largest.size, "", f"images a training step for which {margin}"),
        Measurement(f"room_{name}", outlook.card.room, "bytes", f"tensors for which {margin}"),
    ]
    floors = {"forward": outlook.inference_floor, "training_step": outlook.training_floor}
    known = {what: seconds for what, seconds in floors.items() if seconds is not None}
    return found + [
        Measurement(f"{what}_floor_{name}", seconds, "s", f"{_FLOOR}; {count} images")
        for what, seconds in known.items()
    ]


def of_savings(savings: Iterable[Saving], count: int) -> list[Measurement]:
    """What needs less memory, with its line of configuration."""
    return [
        Measurement(
            f"memory_with_{_SAVED[saving.line.partition('=')[0]]}",
            saving.peak.bytes,
            "bytes",
            f"peak of a training step of {count} images with {saving.line}; {BOUND}",
        )
        for saving in savings
    ]
