"""A check that train and eval mode are one model, but for what torch's own layers do differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.checks.check_mode import NothingDropped, own_code_in_training
from aistudio.checks.evaluation import furthest, raw
from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import Subject

_PASSES = 64
_LEAST, _MOST = 0.7, 1.5  # times the output that are nothing to speak of
_KNOWN = 0.25  # of the outputs, by which the mean of the passes may be off
_ALIKE = 0.9  # correlation from which on the mean is a multiple


@dataclass(frozen=True)
class ModesAgree:
    """With dropout off and statistics fixed, train and eval mode give one output; within ``relative``."""

    why: str
    relative: float = 1e-4

    def __call__(self, subject: Subject) -> Outcome:
        """Raw outputs of the trained, recalibrated model: as it is, and with its own code in train mode."""
        model, inputs = subject.trained(), subject.batch().inputs[:2]
        evaluated = raw(subject, model, inputs)
        own_code_in_training(model)
        outputs = []
        for seed in (subject.seed, subject.seed + 1):
            torch.manual_seed(seed)
            with NothingDropped():
                try:
                    outputs.append(raw(subject, model, inputs))
                except Exception as error:
                    return skipped(
                        f"in train mode the model gives nothing to compare ({type(error).__name__}: {error})"
                    )
            if not comparable(evaluated, outputs[-1]):
                return skipped("in train mode the model gives other things than in eval mode")
        noise, distance = furthest(outputs[0], outputs[1]), furthest(evaluated, outputs[0])
        expected = f"the same output within {self.relative:g}, dropout off and batch norms fixed"
        seen = f"train and eval mode differ by {distance:.2g}"
        if distance <= self.relative:
            return passed(seen, expected)
        if noise > 0.1 * distance:
            own = f"the model draws random numbers of its own in train mode (two outputs differ by {noise:.2g})"
            return replace(skipped(own), warning=_thinned(subject, model))
        still, moved = copies(subject.built, model)
        if moved:
            return skipped(f"eval mode uses averaged weights, which move ({some(moved)})")
        if still:
            return failed(seen, expected, f"eval mode uses weights that training never moves: {some(still)}")
        cause = (
            "a layer, an activation, a pooling or an order of classes that only one mode has: look for self.training"
        )
        return failed(seen, expected, cause)


def _thinned(subject: Subject, model: nn.Module) -> str:
    """What to say where outputs of train mode are another multiple of those of eval mode in the mean; "" else.

    It is no failure: layers that are skipped at random, and patches of images, need not be made up for. Only what
    differs from image to image is looked at, for a bias behind a dropout stays.
    """
    inputs = subject.batch().inputs
    found = []
    for index in range(_PASSES):
        torch.manual_seed(subject.seed + index)
        with NothingDropped():
            found.append(raw(subject, model, inputs))
    evaluated = raw(subject, model.eval(), inputs)
    if not all(comparable(evaluated, one) for one in found):  # how many there are is chance, too
        return ""
    for name, output in evaluated.items():
        passes = torch.stack([one[name].double() for one in found])
        mean, given = (value - value.mean(0) for value in (passes.mean(0), output.double()))
        unknown, size, own = (passes.var(0).sum() / _PASSES).sqrt(), given.norm(), mean.norm()
        times = float((mean * given).sum() / size**2)
        alike = float((mean * given).sum()) > _ALIKE * float(size * own)
        if unknown < _KNOWN * size and alike and not _LEAST < times < _MOST:
            said = f"outputs of train mode are {times:.2g} times those of eval mode in the mean of {_PASSES} passes: "
            return said + "a dropout by hand must scale what it keeps by 1 / (1 - p), in train mode alone"
    return ""


def comparable(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two outputs hold tensors of the same names and shapes."""
    return one.keys() == other.keys() and all(
        isinstance(other[name], Tensor) and other[name].shape == value.shape for name, value in one.items()
    )


def copies(before: nn.Module, after: nn.Module) -> tuple[list[str], list[str]]:
    """Untrained tensors that started as copies of trained ones: those that never moved since, and those that did."""
    trained = {
        (p.shape, float(p.detach().double().sum())) for p in before.parameters() if p.requires_grad and p.dim() > 1
    }
    named = {**dict(before.named_buffers()), **{n: p for n, p in before.named_parameters() if not p.requires_grad}}
    twins = {n: t for n, t in named.items() if t.dim() > 1 and (t.shape, float(t.detach().double().sum())) in trained}
    now = after.state_dict()
    still = [name for name, tensor in twins.items() if name in now and torch.equal(now[name], tensor)]
    return still, [name for name in twins if name not in still]
