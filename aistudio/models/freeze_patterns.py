"""Which parts of a model do not train: nothing, the backbone, its first stages, or what patterns of names say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from torch import nn

from aistudio.errors import Problem, Refusal

KEY = "backbone.frozen"
_Norm = nn.modules.batchnorm._BatchNorm


def names_to_freeze(
    model: nn.Module, frozen: bool | int | str | Sequence[str], prefix: str, taps: Mapping[str, int] | Iterable[str]
) -> list[str]:
    """The parameters and buffers of ``model`` that ``frozen`` speaks of.

    Args:
        model: the whole model.
        frozen: False for nothing; True or ``backbone`` for the backbone; a number for its first stages (the stem
            belongs to the first); or patterns over the names of parameters, where ``*`` stands for anything and the
            name of a module for everything in it.
        prefix: what the names of the backbone begin with.
        taps: the modules of the backbone that its stages end with.

    Raises:
        Refusal: for patterns that match nothing, and for more stages than there are.
    """
    if frozen is False or frozen == 0:
        return []
    names = list(model.state_dict())
    own = [name for name in names if name.startswith(prefix)]
    if frozen is True or frozen == "backbone":
        return own
    if isinstance(frozen, int):
        return own[: _end_of_stage(own, prefix, int(frozen), list(taps))]
    patterns = [frozen] if isinstance(frozen, str) else list(frozen)
    matched = {pattern: [name for name in names if matches(name, pattern)] for pattern in patterns}
    problems = [_nothing(pattern, names) for pattern, found in matched.items() if not found]
    if problems:
        raise Refusal(problems)
    chosen = {name for found in matched.values() for name in found}
    return [name for name in names if name in chosen]


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern means a tensor: by its name, or by that of a module that holds it."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern.removesuffix('.')}.*")


def freeze_names(model: nn.Module, names: Iterable[str]) -> list[str]:
    """Parameters of these names are trained no more; returns the batch norms all of whose tensors are among them.

    Those have to be kept in eval mode besides: their statistics move without any gradient.
    """
    names = {*names}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if name in names:
            parameter.requires_grad_(False)
    found = []
    for path, module in model.named_modules():
        own = [f"{path}.{name}" if path else name for name in module.state_dict()]
        counted = [name for name in own if not name.endswith("num_batches_tracked")]
        if isinstance(module, _Norm) and counted and names.issuperset(counted):
            found.append(path)
    return found


def _end_of_stage(own: Sequence[str], prefix: str, stage: int, taps: Sequence[str]) -> int:
    """How many of the backbone's names, in the order of its layers, are in its first ``stage`` stages."""
    if not 0 < stage <= len(taps):
        why = f"this backbone has {len(taps)} stages" if taps else "this backbone's stages are not known"
        raise Refusal(
            [Problem(f"{KEY}={stage} cannot be done", why, KEY, "true, or a pattern such as 'backbone.*conv1*'")]
        )
    tap = taps[stage - 1]
    endings = [".".join(tap.split(".")[start:]) for start in range(tap.count(".") + 1)]
    for ending in endings:  # a detector's backbone may be the inside of ``features``
        last = [index for index, name in enumerate(own) if name.startswith(f"{prefix}{ending}.")]
        if last:
            return last[-1] + 1
    raise Refusal([Problem(f"{KEY}={stage} cannot be done", f"there is no module {tap} in the model", KEY, "true")])


def _nothing(pattern: str, names: Sequence[str]) -> Problem:
    words = [name.split(".") for name in names]
    paths = dict.fromkeys(".".join(one[:count]) for one in words for count in range(1, len(one) + 1))
    near = get_close_matches(pattern.strip("*."), paths, n=3, cutoff=0.3) or [*dict.fromkeys(one[0] for one in words)]
    why = "no parameter of the model has such a name, nor is it in a module that has"
    return Problem(f"{KEY}={pattern} matches nothing", why, KEY, ", ".join(near))


def parts(model: nn.Module, prefix: str) -> dict[str, tuple[int, int]]:
    """For the backbone and each other child of a model: how many of its parameters train, and how many are frozen."""
    counts: dict[str, tuple[int, int]] = {}
    for name, parameter in model.named_parameters():
        inside = bool(prefix) and name.startswith(prefix)
        part = "backbone" if inside else name.split(".")[0]
        part = "neck" if part == "backbone" and not inside else part
        trains, still = counts.get(part, (0, 0))
        more = parameter.numel()
        counts[part] = (trains + more, still) if parameter.requires_grad else (trains, still + more)
    return counts
