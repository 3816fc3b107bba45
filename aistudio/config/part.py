"""The sections that make a model, out of anybody's configuration: judged alone, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException

from aistudio.config import override_problems, plain, rules
from aistudio.config.compose import Judged, Settled, verdict
from aistudio.config.groups import Tree, merged, tree
from aistudio.config.interpolations import RESOLVERS, left_over_problems, resolver_problems
from aistudio.errors import Problem, Refusal, refuse

SECTIONS = ("backbone", "architecture", "task")
SETTINGS = {"offline": bool, "weights_dir": str, "weights_coverage": float | int}  # of weights, beside the sections
_NOT_BUILT = "learning"  # of an architecture: what the sanity run trains with


def model_settings(config: DictConfig | Mapping[str, Any]) -> Judged:
    """Backbone, architecture and task, resolved and judged; what else an application configures is its own affair.

    ``config`` may be a part of a larger configuration (``cfg.net``): what its interpolations ask for is looked up in
    the part first and then in the whole.

    Raises:
        Refusal: with every problem that was found.
    """
    config = config if isinstance(config, DictConfig) else OmegaConf.create(dict(config))
    whole = plain.as_dict(config._get_root())
    part = whole
    for key in _keys_above(config):
        part = part[key]
    refuse([*_absent_sections(part)])
    for name in SECTIONS:
        part[name] = merged(tree("", "config")[name], part[name])
    stated = {name: _built(part[name]) for name in SECTIONS}
    refuse([rules.missing_value(key) for key in rules.missing_keys(stated)] or [*resolver_problems(stated)])
    if part is not whole:
        whole.update({name: f"${{{config._get_full_key(name)}}}" for name in SECTIONS})
    held = OmegaConf.create(whole, flags={"allow_objects": True})
    settled = _settled(held, _keys_above(config))
    refuse([*left_over_problems(settled.values)] or verdict(settled))
    return Judged(settled.values, settled.written)


def _keys_above(node: Any) -> list[Any]:
    """The keys that lead from the root to a node."""
    parent = node._get_parent()
    return [] if parent is None else [*_keys_above(parent), node._key()]


def _built(section: Tree) -> Tree:
    return {key: value for key, value in section.items() if key != _NOT_BUILT}


def _absent_sections(part: Mapping[str, Any]) -> Iterator[Problem]:
    for name in SECTIONS:
        if not isinstance(part.get(name), Mapping):
            what, why = f"there is no section {name}", "a model is made of backbone, architecture and task"
            yield Problem(what, why, name, "a defaults list with aistudio, or aistudio_below@KEY and assemble(cfg.KEY)")


def _settled(whole: DictConfig, keys: list[Any]) -> Settled:
    """The sections below ``keys``, resolved, with environment variables and, for messages, without."""
    part: Any = whole
    for key in keys:
        part = part[key]
    try:
        with _own_resolvers():
            values = {name: _resolved(part[name]) for name in SECTIONS}
            settings = {name: part[name] for name, kind in SETTINGS.items() if isinstance(part.get(name), kind)}
        with plain.environment_left_out(), _own_resolvers():
            written = {name: _resolved(part[name]) for name in SECTIONS}
            return Settled({**values, **settings}, {**written, **settings})
    except OmegaConfBaseException as error:
        raise Refusal([override_problems.in_its_own_words(error)]) from None


def _resolved(section: DictConfig) -> dict[str, Any]:
    nodes: dict[Any, Any] = {key: section[key] for key in section if key != _NOT_BUILT}
    is_config = OmegaConf.is_config
    return {k: OmegaConf.to_container(node, resolve=True) if is_config(node) else node for k, node in nodes.items()}


@contextmanager
def _own_resolvers() -> Iterator[None]:
    """Let interpolations ask for values and environment variables alone, wherever in the whole they lead."""
    held = BaseContainer._resolvers
    BaseContainer._resolvers = {name: held[name] for name in RESOLVERS}
    try:
        yield
    finally:
        BaseContainer._resolvers = held
