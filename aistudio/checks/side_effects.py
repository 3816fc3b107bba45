"""A check of what a pass changes outside of itself: random numbers, modes, inputs, and what it keeps."""

from __future__ import annotations

import copy
import gc
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from aistudio.checks.outcome import Outcome, failed, passed, some
from aistudio.checks.subject import Subject
from aistudio.models.nested import equal
from aistudio.tasks.batch import Batch

_GENERATORS = ("torch", "numpy", "random")
PASSES = 3


@dataclass(frozen=True)
class SideEffects:
    """A forward pass computes and does nothing else: it seeds, switches, changes and keeps nothing."""

    why: str

    def __call__(self, subject: Subject) -> Outcome:
        """Three losses and two eval outputs, two images each, and what is around them."""
        expected = "random numbers, modes, inputs and targets as they were, and no tensor more after each pass"
        model, batch = subject.calibrated(), subject.batch(count=2)  # before: making it is a pass, too
        with everything_put_back(), _counting_new_objects():
            found = [*_in_training(subject, model.train(), batch), *_in_eval(subject, model, batch)]
            found = list(dict.fromkeys(found))
        if found:
            return failed(some(found), expected, because(found))
        return passed(f"{PASSES} training passes and 2 in eval mode changed nothing", expected)


def because(found: list[str]) -> str:
    """Where to look, from the first thing that was found."""
    first = found[0]
    if "seed" in first or "random" in first:
        return "a seed or a draw inside forward makes augmentation and dropout repeat: use a generator of its own"
    if "kept" in first or "keeps" in first:
        return "memory grows with every step: keep numbers (.item(), .detach()), not tensors, and empty what is kept"
    if "changed" in first:
        return "an operation in place (x.sub_, x[...] = ): whoever uses the batch again gets another one; clone first"
    return "forward or loss switches it and does not switch it back: use it as a context (with torch.no_grad(): …)"


def _in_training(subject: Subject, model: nn.Module, batch: Batch) -> Iterator[str]:
    """What three training passes leave behind."""
    inputs, targets = copy.deepcopy(batch.inputs), copy.deepcopy(batch.targets)
    flags, ends, alive = switches(model), [], []
    for index in range(PASSES):
        _seed_all(1000 + index)
        total = sum(subject.task.loss(model, inputs, targets).values())
        ends.append(draws())
        yield from (f"{name} in train mode" for name in changed(flags, switches(model)))
        torch.set_grad_enabled(True)
        del total
        alive.append(_living())
    for name in _GENERATORS:
        if _same_draw(ends[0][name], ends[1][name]):
            yield f"{name} is seeded in train mode"
    if not equal(inputs, batch.inputs):
        yield "the images are changed in train mode"
    if not equal(targets, batch.targets):
        yield "the targets are changed"
    yield from kept(alive, lambda: settled(subject, model, inputs, targets))


def kept(alive: list[tuple[int, int]], again: Any) -> Iterator[str]:
    """Whether tensors and graphs are more after every pass; what looks so is counted once more, garbage collected."""
    if any(growing(counts) for counts in zip(*alive, strict=True)):
        alive = again()
        tensors, nodes = zip(*alive, strict=True)
        if growing(tensors):
            yield f"{(tensors[-1] - tensors[0]) // (len(tensors) - 1)} tensors more are kept after every pass"
        elif growing(nodes):
            yield f"a tensor keeps the graphs of all passes so far: {nodes[-1] - nodes[-2]} operations more each time"


def settled(subject: Subject, model: nn.Module, inputs: Any, targets: Any) -> list[tuple[int, int]]:
    """What lives after each of three more passes, garbage collected."""
    alive = []
    for _ in range(PASSES):
        subject.task.loss(model, inputs, targets)
        gc.collect(0)
        alive.append(_living())
    return alive


def growing(counts: Sequence[int]) -> bool:
    """Whether every count is above the one before."""
    return all(after > before for before, after in zip(counts, counts[1:], strict=False))


def _in_eval(subject: Subject, model: nn.Module, batch: Batch) -> Iterator[str]:
    """What two eval passes leave behind; the second has the images in reverse order, and may have gradients."""
    model.eval()
    inputs = copy.deepcopy(batch.inputs)
    reverse = inputs.flip(0) if isinstance(inputs, Tensor) else inputs[::-1]
    outputs = []
    for enabled, given in ((False, inputs), (True, reverse)):
        torch.set_grad_enabled(enabled)
        _seed_all(2000)
        flags, before = {**switches(model), **_of_the_model(subject.built)}, draws()
        output = subject.task.raw_outputs(model, given)
        outputs.append({name: value.detach() for name, value in output.items()})
        after = draws()
        yield from (
            f"random numbers of {name} are drawn or seeded in eval mode"
            for name in _GENERATORS
            if not _same_draw(before[name], after[name])
        )
        yield from (f"{name} in eval mode" for name in changed(flags, switches(model)))
    if not equal(inputs, batch.inputs):
        yield "the images are changed in eval mode"
    first, second = outputs
    if any(torch.equal(one, second[name]) and not torch.equal(one[:1], one[1:]) for name, one in first.items()):
        yield "an earlier output is kept and given again for other images"


def switches(model: nn.Module) -> dict[str, Any]:
    """What a pass may not switch: of torch, and of the model."""
    return {
        "gradients": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "anomaly mode": torch.is_anomaly_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.backends.cudnn.enabled),
        "precision of matrix products": torch.get_float32_matmul_precision(),
        "train and eval mode": [module.training for module in model.modules()],
        **_of_the_model(model),
    }


def _of_the_model(model: nn.Module) -> dict[str, Any]:
    """What a pass may not add to a model or take from it."""
    modules = list(model.modules())
    return {
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "number of hooks": sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules),
        "number of layers": len(modules),
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Each switch that is another, in words."""
    return [f"{name} switched" for name, value in before.items() if after[name] != value]


def draws() -> dict[str, Any]:
    """The states of the three generators that everybody shares."""
    return {"torch": torch.get_rng_state(), "numpy": numpy.random.get_state(), "random": random.getstate()}


def _same_draw(one: Any, other: Any) -> bool:
    """Whether two states of one generator are equal."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    return all(bool(numpy.array_equal(a, b)) for a, b in zip(one, other, strict=True))


def _seed_all(seed: int) -> None:
    """Set the three generators."""
    torch.manual_seed(seed)
    numpy.random.seed(seed)
    random.seed(seed)


def _living() -> tuple[int, int]:
    """How many tensors were made since `_counting_new_objects` and live, and how many operations their graphs hold.

    The graph of the last pass alone is no fault: many models remember their last map, which the next one replaces.
    """
    young = [*gc.get_objects(generation=0), *gc.get_objects(generation=1)]
    tensors = [one for one in young if issubclass(type(one), Tensor)]
    return len(tensors), _size_of_graphs([one.grad_fn for one in tensors if one.grad_fn is not None])


def _size_of_graphs(ends: list[Any]) -> int:
    """How many operations can be reached from these."""
    seen, open_ends = set(ends), list(ends)
    while open_ends:
        before = {node for node, _ in open_ends.pop().next_functions if node is not None} - seen
        seen |= before
        open_ends += before
    return len(seen)


@contextmanager
def _counting_new_objects() -> Iterator[None]:
    """Inside, whatever is new stays in the young generations of the garbage collector, where it is soon counted."""
    enabled = gc.isenabled()
    gc.collect(1)
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def everything_put_back() -> Iterator[None]:
    """What is inside may change every switch and generator; afterwards they are as they were."""
    before, states = switches(nn.Identity()), draws()
    try:
        torch.use_deterministic_algorithms(False)  # an earlier pass of the same model may have switched them
        torch.autograd.set_detect_anomaly(False)
        torch.set_grad_enabled(True)
        yield
    finally:
        torch.set_rng_state(states["torch"])
        numpy.random.set_state(states["numpy"])
        random.setstate(states["random"])
        torch.set_grad_enabled(before["gradients"])
        torch.set_default_dtype(before["default dtype"])
        torch.set_num_threads(before["threads"])
        torch.use_deterministic_algorithms(before["deterministic algorithms"])
        torch.autograd.set_detect_anomaly(before["anomaly mode"])
        torch.set_float32_matmul_precision(before["precision of matrix products"])
        cudnn = torch.backends.cudnn
        cudnn.benchmark, cudnn.deterministic, cudnn.enabled = before["cudnn"]
