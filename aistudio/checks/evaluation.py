"""Checks of eval mode: the same image gives the same output, whatever lies beside it and wherever it was loaded.

They compare ``task.raw_outputs``, the maps before boxes are decoded: ties in non-maximum suppression flip on rounding.
And they look at calibrated models: with fresh batch-norm statistics some nets give every image the same output.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from aistudio.checks.copies import OTHER_IMAGES, one_image
from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import Subject, take
from aistudio.models.nested import map_tensors

Raw = dict[str, Tensor]


@dataclass(frozen=True)
class Deterministic:
    """Two forward passes in eval mode agree and leave the model as it was; within ``relative`` on a GPU."""

    why: str
    relative: float = 1e-5

    def __call__(self, subject: Subject) -> Outcome:
        """The shared raw output and another one, with other random numbers; then the state of the model."""
        first, model = subject.raw_output, subject.looked_at
        before = {name: value.clone() for name, value in model.state_dict().items() if isinstance(value, Tensor)}
        torch.manual_seed(subject.seed + 1)
        distance = furthest(first, raw(subject, model, subject.batch().inputs))
        after = model.state_dict()
        changed = [name for name, value in before.items() if name not in after or not torch.equal(value, after[name])]
        limit = 0.0 if subject.device.type == "cpu" else self.relative
        expected = f"the same output within {limit:g}, nothing changed by asking"
        if changed:
            cause = "a layer is left in train mode (look for train(), training=True), or forward writes into its state"
            return failed(f"asking changed {some(changed)}", expected, cause)
        if not distance <= limit:
            cause = "dropout or noise that does not look at eval mode: give F.dropout training=self.training"
            return failed(f"two outputs differ by {distance:.2g}", expected, cause)
        return passed(f"two outputs differ by {distance:.2g}", expected)


@dataclass(frozen=True)
class UsesImages:
    """Different images get different values, in every output. ``relative`` is the least spread that counts."""

    why: str
    relative: float = 1e-6

    def __call__(self, subject: Subject) -> Outcome:
        """The spread of every output over the images of the batch, against the size of the outputs."""
        if copies := one_image(subject.batch().samples):
            return replace(skipped(f"{copies}: {OTHER_IMAGES}"), warning=f"{copies}, so most checks tell nothing")
        outputs = subject.raw_output
        spreads = {name: spread(value) for name, value in outputs.items()}
        widest = max(float(value.max()) for value in spreads.values())
        expected = f"a spread over the images above {self.relative:g} of the outputs' size"
        if not widest > self.relative:
            cause = "the signal dies: a dead layer, a head that sees nothing, statistics that squash it: "
            cause += "print the deviation over the batch layer by layer"
            return failed(f"every image gets the same output (spread {widest:.2g})", expected, cause)
        heads = [name for name, value in outputs.items() if _one_channel_an_output(value, subject.task.num_outputs)]
        dead = [f"{name}[{index}]" for name in heads for index in silent(spreads[name], self.relative)]
        if dead:
            cause = "an output that is cut off: look for a ReLU on the logits or a masked class behind the last layer"
            return failed(f"always the same: {some(dead)}", expected, cause)
        flat = [name for name in heads if outputs[name].dim() == 4 and _is_flat(outputs[name], self.relative)]
        if flat:
            cause = "a mean over all places in front of the last layer: an output map is to differ from place to place"
            return failed(f"every place of an image gets the same: {some(flat)}", expected, cause)
        return passed(f"a spread of {widest:.2g}", expected)


@dataclass(frozen=True)
class BatchIndependence:
    """An image's output is the same alone and in a batch. Compared in float64, where rounding cannot hide a leak."""

    why: str
    relative: float = 1e-9

    def __call__(self, subject: Subject) -> Outcome:
        """Raw outputs for the first image alone against those beside another one, equal sizes."""
        inputs, dtype = take(subject.batch().inputs, 0, 2), _exact_dtype(subject.device)
        limit = self.relative if dtype == torch.float64 else 1e-3
        model, inputs = subject.calibrated().to(dtype), map_tensors(lambda one: one.to(dtype), inputs)
        with torch.no_grad():
            together = subject.task.raw_outputs(model, inputs)
            alone = subject.task.raw_outputs(model, take(inputs, 0, 1))
        distance = furthest(alone, {name: value[:1] for name, value in together.items()})
        expected = f"the same within {limit:g}"
        if not distance <= limit:
            cause = (
                "a batch norm left in train mode, or a mean or softmax over the batch: look for dim=0 and training=True"
            )
            return failed(f"alone and in the batch differ by {distance:.2g}", expected, cause)
        return passed(f"alone and in the batch differ by {distance:.1g}", expected)


@dataclass(frozen=True)
class StateDictRoundTrip:
    """A saved state, loaded with ``weights_only=True`` into another model, brings every output back to the bit."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Through memory into a model of another seed, then raw outputs of both."""
        inputs, file = subject.batch().inputs, io.BytesIO()
        torch.save(subject.calibrated_state(), file)
        file.seek(0)
        other = subject.set_up(subject.rebuild(subject.seed + 1)).to(subject.device)
        other.load_state_dict(torch.load(file, map_location=subject.device, weights_only=True))
        distance = furthest(subject.raw_output, raw(subject, other.eval(), inputs))
        limit = 0.0 if subject.device.type == "cpu" else 1e-5
        expected = f"the same output within {limit:g}"
        if not distance <= limit:
            cause = "a layer or a tensor that is not registered, so that state_dict leaves it out"
            return failed(f"before and after differ by {distance:.2g}", expected, cause)
        return passed(f"{file.getbuffer().nbytes / 1e6:.1f} MB, differ by {distance:.2g}", expected)


@dataclass(frozen=True)
class Reproducible:
    """The same seed builds the same model and paints the same batch."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Builds the model once more, and makes the shared batch once more."""
        expected = f"equal tensors from seed {subject.seed}"
        other = subject.rebuild(subject.seed).state_dict()
        differ = [name for name, one in subject.built.state_dict().items() if not _equal(one, other.get(name))]
        if differ:
            cause = "an initialisation that draws from elsewhere (numpy, a generator of its own): draw from torch's"
            return failed(f"{len(differ)} tensors differ in two builds: {some(differ)}", expected, cause)
        batch = subject.batch(count=subject.batch_size)
        pairs = zip(batch.inputs, subject.batch().inputs, strict=True)
        if not all(_equal(one, two) for one, two in pairs):
            cause = "the images or their augmentation draw from elsewhere than the generator that they are given"
            return failed("two batches from one seed differ", expected, cause)
        return passed(f"{len(other)} tensors and a batch are equal in two builds", expected)


def _equal(one: Tensor, other: Tensor | None) -> bool:
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return other is not None
    if one.shape != other.shape:
        return False
    one = one.to(other.device)
    return torch.equal(one, other) or bool((one.isnan() == other.isnan()).all() and one.isnan().any())


def raw(subject: Subject, model: nn.Module, inputs: Tensor | list[Tensor]) -> Raw:
    """The undecoded outputs, without gradient, in float32."""
    with torch.no_grad():
        return subject.task.raw_outputs(model, inputs)


def furthest(one: Raw, other: Raw) -> float:
    """The largest difference of two outputs, relative to the largest value of that output; infinite for NaN."""
    return max(_distance(one[name], other[name]) for name in one)


def _distance(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    if torch.equal(one, other):
        return 0.0
    one, other = one.double() if one.device.type != "mps" else one, other.to(one.device)
    distance = float((one - other).abs().max() / one.abs().max().clamp(min=1e-30))
    return distance if distance == distance else float("inf")


def spread(outputs: Tensor) -> Tensor:
    """(N, C, ...) → (C,): standard deviation of each output over all images and places, against the overall size."""
    by_output = outputs.float().transpose(0, 1).flatten(1) if outputs.dim() > 1 else outputs.float()[None]
    centred = by_output - by_output.mean(1, keepdim=True)
    return centred.pow(2).mean(1).sqrt() / outputs.float().abs().max().clamp(min=1e-30)


def _one_channel_an_output(output: Tensor, count: int) -> bool:
    """Whether an output is (N, ``count``) or (N, ``count``, H, W), so that each channel means something of its own."""
    return output.dim() in (2, 4) and output.shape[1] == count


def _is_flat(maps: Tensor, least: float) -> bool:
    """Whether each map of (N, C, H, W) is one number throughout."""
    apart = maps.float() - maps.float().mean((2, 3), keepdim=True)
    return maps[0, 0].numel() > 1 and float(apart.abs().max()) <= least * float(maps.float().abs().max())


def silent(spreads: Tensor, least: float) -> list[int]:
    """The outputs that never change."""
    return (spreads <= least).nonzero().flatten().tolist()


def _exact_dtype(device: torch.device) -> torch.dtype:
    """float64 where the device has it (Apple's GPUs do not)."""
    return torch.float32 if device.type == "mps" else torch.float64
