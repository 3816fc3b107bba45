"""Checks of what can be read off a model: settings that leave nothing to learn, blocks shared or frozen by accident."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from aistudio.checks.check_mode import shares_dropped
from aistudio.checks.outcome import Outcome, failed, passed, skipped, some
from aistudio.checks.subject import Subject
from aistudio.models.anatomy import named_backbone

_MOST_FROZEN = 0.2  # of a random backbone's weights: some models hold a few fixed filters
_FIXED_FILTERS = 4  # kernels and matrices, at most: with more, the first stages are frozen


@dataclass(frozen=True)
class Settings:
    """No layer is set so that it passes nothing on, or remembers nothing.

    ``eps`` is the largest that a normalisation layer may add to a variance, ``dropped`` the largest share that may be
    dropped, ``momentum`` the largest of a batch norm (torch's: 0.1 keeps nine tenths).
    """

    why: str
    eps: float = 0.05
    dropped: float = 0.9
    momentum: float = 0.9

    def __call__(self, subject: Subject) -> Outcome:
        """Reads every normalisation and dropout layer of the model as built; nothing is computed."""
        held, count, odd, causes = {*subject.held}, 0, [], []
        for name, module in subject.built.named_modules():
            moves = f"{name}.weight" not in held and all(p.requires_grad for p in module.parameters(recurse=False))
            for setting, value, cause in self._read(module, moves):
                count += 1
                if cause:
                    odd.append(f"{name}.{setting}={value:g}")
                    causes.append(cause)
        expected = f"eps below {self.eps:g}, momentum above 0 and below {self.momentum:g}, less dropped than "
        expected += f"{self.dropped:g}"
        if odd:
            return failed(some(odd), expected, "; ".join(dict.fromkeys(causes)))
        return passed(f"{count} settings of normalisation and dropout layers", expected)

    def _read(self, module: nn.Module, moves: bool) -> Iterator[tuple[str, float, str]]:
        """Each setting of a layer, and what is wrong with it or ""."""
        eps = getattr(module, "eps", None)
        if isinstance(module, _NormBase | nn.LayerNorm | nn.GroupNorm) and isinstance(eps, float):
            yield "eps", eps, f"an eps of {eps:g} drowns the variance: 1e-5 is usual" if eps >= self.eps else ""
        momentum = getattr(module, "momentum", None)
        if isinstance(module, _NormBase) and isinstance(momentum, float | int) and module.track_running_stats and moves:
            yield "momentum", momentum, self._momentum_problem(float(momentum))
        for name, value in shares_dropped(module).items():
            cause = f"what drops {value:g} leaves almost nothing to learn from: is it the share to keep?"
            yield name, value, cause if value >= self.dropped else ""

    def _momentum_problem(self, momentum: float) -> str:
        if momentum <= 0:
            return "running statistics never move, and eval mode divides by those of the start: 0.1 is usual"
        if momentum >= self.momentum:
            return "eval mode knows the last batch only; torch's momentum is 1 minus that of Keras: 0.1 is usual"
        return ""


@dataclass(frozen=True)
class Structure:
    """No layer stands in two places of one sequence, and nothing random is frozen.

    ``allow`` lists names of modules that are shared on purpose.
    """

    why: str
    allow: tuple[str, ...] = ()

    def __call__(self, subject: Subject) -> Outcome:
        """Compares the identity of modules and parameters; counts what does not ask for gradients."""
        expected = "every block with weights of its own, and a backbone that is trained or was"
        shared = [f"{one} is {other}" for one, other in _shared_blocks(subject.built) if other not in self.allow]
        if shared:
            cause = "one layer stands in several places, as [block] * 3 makes it: build a new one for each"
            return failed(some(shared), expected, f"{cause}, or name it in sanity.checks.structure.allow")
        if subject.pretrained:
            return passed("no shared block; the backbone starts from trained weights", expected)
        prefix, backbone = named_backbone(subject.built)
        weights = {prefix + name: p for name, p in backbone.named_parameters() if p.dim() > 1}
        frozen = [name for name, p in weights.items() if not p.requires_grad]
        if not weights:
            return skipped("the backbone has no weights")
        share = sum(weights[name].numel() for name in frozen) / max(sum(p.numel() for p in weights.values()), 1)
        if share > _MOST_FROZEN or len(frozen) > _FIXED_FILTERS:
            frozen = _random_ones(frozen, subject)
            share = sum(weights[name].numel() for name in frozen) / sum(p.numel() for p in weights.values())
        if share > _MOST_FROZEN or len(frozen) > _FIXED_FILTERS:
            cause = "random layers that never learn are noise in front of the rest: load weights "
            cause += "(backbone.weights=DEFAULT) or unfreeze them (backbone.frozen=false, requires_grad)"
            return failed(f"{100 * share:.0f} % of the backbone is random and frozen: {some(frozen)}", expected, cause)
        unmeasured = _held_norms(subject.losing)
        if unmeasured:
            cause = "train() leaves batch norms in eval mode, whose statistics (0 and 1) nobody has measured: "
            cause += "load weights, or let them be in train mode"
            return failed(f"in eval mode while training: {some(unmeasured)}", expected, cause)
        return passed(f"no shared block; {len(weights) - len(frozen)} of {len(weights)} weights are trained", expected)


def _random_ones(frozen: list[str], subject: Subject) -> list[str]:
    """Those of frozen weights that are random numbers, and no copies of weights that learn, as a teacher's are.

    A model may load weights by itself: what is the same whatever the seed was not drawn.
    """
    named, other = dict(subject.built.named_parameters()), dict(subject.rebuild(subject.seed + 1).named_parameters())
    learning = [p for p in named.values() if p.requires_grad]
    drawn = [name for name in frozen if not torch.equal(named[name].cpu(), other[name].cpu())]
    return [name for name in drawn if not any(_same(named[name], p) for p in learning)]


def _same(one: nn.Parameter, other: nn.Parameter) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def _held_norms(model: nn.Module) -> list[str]:
    """Batch norms that stay in eval mode where the model trains, with the statistics that they were made with."""
    return [
        name
        for name, norm in model.named_modules()
        if isinstance(norm, _NormBase) and not norm.training and norm.running_mean is not None
        if norm.running_var is not None and not norm.running_mean.any() and bool((norm.running_var == 1).all())
    ]


def _learns_a_map(module: nn.Module) -> bool:
    """Whether a layer has a matrix, kernels or statistics: a PReLU may stand in several places."""
    return any(p.dim() > 1 for p in module.parameters()) or any(True for _ in module.buffers())


def _shared_blocks(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Pairs of names in one Sequential or list that are the same layer with weights, or layers with one weight."""
    for path, parent in model.named_modules():
        if isinstance(parent, nn.Sequential | nn.ModuleList):
            places: dict[int, list[str]] = defaultdict(list)
            for name, child in parent._modules.items():
                full = f"{path}.{name}".lstrip(".")
                if child is not None and _learns_a_map(child):
                    own = [id(child), *(id(p) for p in child.parameters(recurse=False) if p.dim() > 1)]
                    for identity in own:
                        places[identity].append(full)
            for names in places.values():
                yield from ((later, names[0]) for later in names[1:])
