"""Checks of where a model's numbers come from: the file's own, bit for bit; remade layers, and nothing else, random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import Subject
from aistudio.models.anatomy import named_backbone
from aistudio.models.checkpoint import read_checkpoint
from aistudio.models.ledger import Ledger
from aistudio.models.nested import copied
from aistudio.weights.header import Unreadable
from aistudio.weights.match import is_counter

_NO_FILE = "the model starts from random numbers (backbone.weights=DEFAULT loads trained ones)"


@dataclass(frozen=True)
class LoadedWeights:
    """Every tensor that was copied from a file still equals it, bit for bit."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Reads the files again and compares them with the model as built."""
        if not subject.loaded:
            return skipped(_NO_FILE)
        expected, cause = (
            "the numbers of the file",
            "something changed the model after its weights were loaded: initialise first, load last",
        )
        count = 0
        for ledger in subject.loaded:
            try:
                other = list(_unlike_its_file(subject.built, ledger))
            except Unreadable as fault:
                return failed(
                    f"{ledger.file.name}: {fault.why}",
                    expected,
                    "the file changed while it was read: run again when it is whole",
                )
            if other:
                return failed(f"{len(other)} tensors are not the file's: {some(other)}", expected, cause)
            count += len(ledger.copied)
        files = ", ".join(ledger.file.name for ledger in subject.loaded)
        return passed(f"{count} tensors equal {files}", expected)


def _unlike_its_file(model: nn.Module, ledger: Ledger) -> Iterator[str]:
    """The names of copied tensors that are not what the file has."""
    own, theirs = model.state_dict(), read_checkpoint(ledger.file).tensors
    for name, source in ledger.copied.items():
        if name not in own:
            if not is_counter(name):  # a batch norm that stands still counts no batches
                yield f"{name} (gone)"
        elif source not in theirs or not _same_bits(own[name].detach().cpu(), theirs[source]):
            yield name


def _same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same bytes; NaN, too, is then equal to itself."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    one, other = one.contiguous().view(-1), other.contiguous().view(-1)
    return torch.equal(one, other) or torch.equal(one.view(torch.uint8), other.view(torch.uint8))


@dataclass(frozen=True)
class OnlyRemadeLayersAreRandom:
    """What the seed decides is what no file filled; everything else is the same from any seed."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Builds the model from two seeds."""
        if not subject.loaded:
            return skipped(_NO_FILE)
        one, other = (subject.rebuild(seed).state_dict() for seed in (subject.seed, subject.seed + 1))
        differ = [name for name, tensor in one.items() if not _same_bits(tensor, other[name])]
        filled = {name for ledger in subject.loaded for name in (*ledger.copied, *ledger.adapted)}
        wrong = [name for name in differ if name in filled]
        expected = "the seed decides only layers that no file fills"
        if wrong:
            cause = "layers that a file fills are initialised anew after loading: initialise first, load last"
            return failed(f"{len(wrong)} loaded tensors follow the seed: {some(wrong)}", expected, cause)
        return passed(f"{len(differ)} tensors follow the seed, {len(filled)} are the file's", expected)


@dataclass(frozen=True)
class PretrainedFeatures:
    """A backbone with trained weights gives other outputs than the same backbone from random numbers.

    ``relative`` is the least difference of their final maps, as a share of the random one's size.
    """

    why: str
    relative: float = 1e-3

    def __call__(self, subject: Subject) -> Outcome:
        """The final maps of both for the shared batch, in eval mode."""
        if not subject.loaded or subject.rebuild_random is None:
            return skipped(_NO_FILE)
        trained, random = features(subject.built, subject), features(subject.rebuild_random(subject.seed), subject)
        if trained.shape != random.shape:
            seen = f"{tuple(trained.shape)}, from random numbers {tuple(random.shape)}"
            return failed(
                seen,
                "maps of one shape",
                "the model is built otherwise where it loads weights: look for what depends on weights in its code",
            )
        difference = float((trained - random).norm() / random.norm().clamp(min=1e-12))
        expected = f"a difference above {self.relative:g} of the random output"
        if not difference > self.relative:
            cause = "the file was never put into the model (look at load_state_dict), or was saved before any training"
            return failed(f"the outputs differ by {difference:.2g}", expected, cause)
        return passed(f"the outputs differ by {difference:.2g}", expected)


def features(model: nn.Module, subject: Subject) -> Tensor:
    """The final map of a model's backbone for normalised images, float32, in eval mode."""
    model = subject.set_up(copied(model)).to(subject.device).eval()
    named_backbone(model)[1].register_forward_hook(_stop)
    try:
        with torch.no_grad():
            model(subject.batch().inputs)
    except _Seen as seen:
        return seen.args[0].float()
    raise RuntimeError("the forward pass never reached the end of the backbone")


class _Seen(Exception):
    """Carries a backbone's final map out of a forward pass that need not go on."""


def _stop(module: nn.Module, args: tuple, output: Tensor | dict[str, Tensor]) -> None:
    raise _Seen(last_of(output).detach())


def last_of(output: Tensor | dict[str, Tensor]) -> Tensor:
    """The last of a backbone's maps."""
    return list(output.values())[-1] if isinstance(output, dict) else output
