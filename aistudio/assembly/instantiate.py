"""A ``_target_`` entry made into its object; what the entry got wrong is a refusal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from aistudio.config.interpolations import left_over_problems
from aistudio.config.trust import target_problems
from aistudio.errors import Problem, Refusal, refuse


def one_with(made: Any, where: str, *needed: str) -> Any:
    """What was made, if it has what is asked of it; else the `Refusal` of an entry that makes another thing."""
    absent = [name for name in needed if not hasattr(made, name)]
    if absent:
        what = f"{where} makes a {type(made).__name__}"
        why = f"what is made there has {', '.join(needed)}; this has no {absent[0]}"
        refuse([Problem(what, why, where, f"a _target_ such as those in conf/{where.split('.')[0]}/")])
    return made


def build(node: Any, where: str, **extra: Any) -> Any:
    """Make the object of a ``_target_`` entry; what the entry got wrong is a `Refusal` that names ``where``.

    What is made is a plain container that is looked at here once more: in it nothing is left to interpret.
    """
    entry = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    refuse([*target_problems({where: entry}), *left_over_problems({where: entry})])
    try:
        with _loading_weights_only():
            return instantiate(entry, _convert_="all", **extra)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, Refusal):
            raise cause from None
        problem = _problem_of(cause, str(error), where, node)
        if problem is None:
            raise cause from error
        raise Refusal([problem]) from error


@contextmanager
def _loading_weights_only() -> Iterator[None]:
    """Let ``torch.load`` read tensors and no pickled code, whatever a model's builder asks for.

    torchvision checks the hash of what it downloads, not of what lies in the cache. The person who runs this may say
    otherwise, with torch's own ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD``.
    """
    force, refuse_it = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    if force in os.environ or refuse_it in os.environ:
        yield
        return
    os.environ[force] = "1"
    try:
        yield
    finally:
        del os.environ[force]


def _problem_of(cause: BaseException, message: str, where: str, node: Any) -> Problem | None:
    """The user's part in a failed instantiation, or None where it looks like a bug."""
    if isinstance(cause, URLError | ConnectionError | TimeoutError) or "invalid hash value" in str(cause):
        folder = f"{torch.hub.get_dir()}/checkpoints"
        instead = f"backbone.weights=null (random numbers), or the file in {folder}"
        return Problem("the pretrained weights could not be downloaded", str(cause), "backbone.weights", instead)
    key = message.rpartition("full_key: ")[2].strip() if "full_key: " in message else ""
    place = key if key.startswith(where) else f"{where}.{key}"  # Hydra counts from the root, if it knows one
    place = place.strip(".")
    if isinstance(cause, TypeError) and "argument" in str(cause):
        return Problem(f"{place} does not fit its _target_", str(cause), place, "the arguments that the _target_ takes")
    if "Error locating target" in message or isinstance(cause, ImportError):
        what, instead = f"{place}._target_ cannot be imported", "the dotted path of a class or function"
        return Problem(what, " ".join(str(cause).split()), place, instead)
    return None
