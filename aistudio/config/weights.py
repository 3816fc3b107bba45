"""The rules on pretrained weights: what can be said of them before torch is there. Pure but for looking at files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aistudio.config.advice import value_here
from aistudio.config.values import show, suggest
from aistudio.errors import Problem
from aistudio.weights.describe import keys_of, part_of, whole_numbers
from aistudio.weights.header import Unreadable, read_header
from aistudio.weights.places import absent, find
from aistudio.weights.published import Published, is_path, published

Config = Mapping[str, Any]
OURS = ("torchvision.models.", "aistudio.")
_RANDOM = "null (random numbers), or the path of a file"
_FROZEN = "it says what does not train"
_STAGES = range(5)


@dataclass(frozen=True)
class Choice:
    """One set of weights that a configuration asks for: by the setting ``key``, for the whole model or the backbone."""

    key: str
    value: str
    whole: bool
    published: Published | None


def choices(config: Config) -> list[Choice]:
    """The weights that a judged configuration asks for, but for names that only a user's own model understands.

    A whole model's weights fill its backbone too, so that the backbone's own are then not looked at.
    """
    found = [one for one in asked(config) if is_path(one[1]) or listed(config, one[2])][:1]
    return [
        Choice(key, value, whole, None if is_path(value) else published(listed(config, whole), value))
        for key, value, whole in found
    ]


def asked(config: Config) -> list[tuple[str, Any, bool]]:
    """Every setting that names weights, with its value and whether it means the whole model; the first one counts."""
    architecture, backbone = config["architecture"], config["backbone"]
    model, classifier = architecture.get("model"), backbone.get("model")
    own = [
        ("architecture.weights", architecture.get("weights"), True),
        ("architecture.model.weights", model.get("weights") if is_ours(model) else None, True),
        ("backbone.weights", backbone.get("weights"), False),
        ("backbone.model.weights", classifier.get("weights") if is_ours(classifier) else None, False),
        ("architecture.model.weights_backbone", model.get("weights_backbone") if is_ours(model) else None, False),
    ]
    return [one for one in own if one[1] is not None]


def listed(config: Config, whole: bool) -> Config:
    """The published weights that ``conf/`` lists for the backbone or for the whole model.

    An architecture's file lists those of all models that it makes, by their full names.
    """
    lists = config["architecture" if whole else "backbone"].get("pretrained")
    found = lists.get(config["architecture"].get("name")) if whole and isinstance(lists, Mapping) else lists
    return found if isinstance(found, Mapping) else {}


def is_ours(node: Any) -> bool:
    """Whether a ``_target_`` entry is built by torchvision or by us, so that we know what its ``weights`` mean."""
    return isinstance(node, Mapping) and str(node.get("_target_", "")).startswith(OURS)


def weight_problems(config: Config) -> Iterator[Problem]:
    """What is wrong with the settings that say where a model's numbers come from."""
    settings = asked(config)
    whole = {key: value for key, value, of_all in settings if of_all}
    if len({*map(str, whole.values())}) > 1:
        both = " and ".join(f"{key}={show(value)}" for key, value in whole.items())
        why = "both name the weights of the whole model"
        yield Problem(f"{both} contradict each other", why, "architecture.weights", "one of the two")
    for key, value, of_all in settings[:1]:
        name = config["architecture" if of_all else "backbone"].get("name")
        yield from of_one(key, value, of_all, f"{name}", config)


def of_one(key: str, value: Any, whole: bool, name: str, config: Config) -> Iterator[Problem]:
    """What is wrong with one set of weights."""
    names, takes_names = listed(config, whole), "weights" in (config["architecture"].get("model") or ())
    if not isinstance(value, str):
        return  # the limits say so
    if is_path(value):
        yield from _of_file(key, value)
    elif names:
        yield from _of_name(key, value, names, name, config)
    elif whole and not takes_names:
        why = f"nobody publishes weights for the whole of {name}"
        backbones = f"backbone.weights={value_here('backbone.weights', value)} for its backbone"
        yield Problem(f"{key}={value} does not exist", why, key, f"{backbones}; {_RANDOM}")


def _of_file(key: str, value: str) -> Iterator[Problem]:
    """What is wrong with a user's file, by its header; nothing in it is run."""
    try:
        header = read_header(Path(value).expanduser())
        if header.code:
            named = ", ".join(header.code[:3])
            instead = "torch.save(model.state_dict(), FILE), where that code is and if you trust it"
            raise Unreadable(f"it needs code to be read: {named}; nothing of it was run", instead)
        part = part_of(header)
        if part is None:
            raise Unreadable(f"it holds no tensors by name{keys_of(header)}")
        if quantised := whole_numbers(part):
            raise Unreadable(*quantised)
    except Unreadable as fault:
        yield Problem(f"{key}={value} cannot be loaded", fault.why, key, fault.instead)


def _of_name(key: str, value: str, listed: Config, name: str, config: Config) -> Iterator[Problem]:
    """What is wrong with a name of published weights."""
    found = published(listed, value)
    if found is None:
        entry = listed.get(str(value).rpartition(".")[2])
        why = "its entry in the list names no file" if entry else f"torchvision has no such weights for {name}"
        instead = suggest(value_here(key, value), listed)
        yield Problem(f"{key}={value} does not exist", why, key, f"{instead}, {_RANDOM}")
    elif config.get("offline") is True and find(found, _text_or_none(config.get("weights_dir"))) is None:
        yield absent(key, found, _text_or_none(config.get("weights_dir")), "offline=true")


def _text_or_none(value: Any) -> str | None:
    """A folder that a user named; what is no text is for the limits to say."""
    return value if isinstance(value, str) else None


def frozen_problems(config: Config) -> Iterator[Problem]:
    """What is wrong with ``backbone.frozen``: nothing, the backbone, its first stages, or patterns of names."""
    frozen = config["backbone"].get("frozen", False)
    instead = "true, false, a number of stages (1 … 4), or patterns such as ['backbone.*conv1*']"
    words = isinstance(frozen, list) and all(isinstance(one, str) and one for one in frozen)
    if isinstance(frozen, bool) or (isinstance(frozen, str) and frozen) or words:
        return
    if isinstance(frozen, int) and frozen in _STAGES:
        return
    fault = "is out of range" if isinstance(frozen, int) else "cannot be read"
    yield Problem(f"backbone.frozen={show(frozen)} {fault}", _FROZEN, "backbone.frozen", instead)
