"""The types and ranges of single values, as a table, and the words to speak of values: pure functions, no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from aistudio.errors import Problem

Config = Mapping[str, Any]

MISSING = "???"
DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Limit:
    """The values that one key may have: a type, a closed range [low, high), or a list of choices."""

    key: str
    kind: type
    low: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    nullable: bool = False
    why: str = ""


LIMITS = (
    Limit("task.image_size", int, low=1, why="it is a length in pixels"),
    Limit("task.num_classes", int, low=1, why="a model needs at least one class to tell"),
    Limit("task.num_outputs", int, low=1, why="a regression needs at least one number to predict"),
    Limit("task.aux_weight", float, low=0, why="it weighs a loss"),
    Limit("task.ignore_index", int, why="it is the class id that the loss passes over"),
    Limit("architecture.model.dropout", float, low=0, below=1, why="it is the share of features that is dropped"),
    Limit("architecture.learning.steps", int, low=1, why="it counts training steps"),
    Limit("architecture.learning.ratio", float, low=0, below=1, why="the loss must fall to this share of the first"),
    Limit("backbone.name", str, why="rules go by it"),
    Limit("backbone.weights", str, nullable=True, why="it is the name of a set of weights, or the path of a file"),
    Limit("architecture.weights", str, nullable=True, why="it is the name of a set of weights, or the path of a file"),
    Limit("weights_dir", str, nullable=True, why="it is the folder that weights are looked for in"),
    Limit("weights_coverage", float, low=0, why="it is the share of a model's tensors that a file must fill"),
    Limit("offline", bool, why="the network may be used or may not"),
    Limit("backbone.activation_checkpointing", bool, why="stages are computed twice or are not"),
    Limit("backbone.out_channels", int, low=1, nullable=True, why="it counts channels"),
    Limit("data.batch_size", int, low=1, why="a batch holds at least one image"),
    Limit("sanity.image_size", int, low=64, why="below 64 px gradients of deep backbones explode and checks see noise"),
    Limit("runtime.precision", str, choices=("float32", "bfloat16", "float16"), why="these are what autocast knows"),
    Limit("runtime.channels_last", bool, why="it switches the memory format"),
    Limit("runtime.compile", bool, why="it switches torch.compile"),
    Limit("runtime.seed", int, low=0, below=2**63, why="torch takes seeds from 0 to 2^63 - 1"),
    Limit("runtime.threads", int, low=1, nullable=True, why="it counts CPU threads; null leaves it to torch"),
    Limit("sweep.on_refusal", str, choices=("stop", "skip"), why="it says what a refused combination does to a sweep"),
    Limit("sweep.isolate", bool, nullable=True, why="a job has a process of its own or has not"),
    Limit("sweep.timeout", float, low=1, nullable=True, why="it is the time that a job may take, in seconds"),
    Limit("sweep.fail_fast", bool, why="the first job that does not pass ends a sweep or does not"),
)

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def limit_problems(config: Config) -> list[Problem]:
    """Values of the wrong type, out of range, or not among the choices."""
    found = []
    for limit in LIMITS:
        present, value = lookup(config, limit.key)
        if present and value != MISSING and not (value is None and limit.nullable):
            found += [
                Problem(f"{limit.key}={show(value)} {fault}", limit.why, limit.key, instead)
                for fault, instead in faults(limit, value)
            ]
    return [*found, *device_problems(config), *ignore_index_problems(config["task"])]


def faults(limit: Limit, value: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with a value, and what to take instead."""
    bounds = range_text(limit)
    if not is_a(value, limit.kind):
        yield f"is not {KINDS[limit.kind]}", ", ".join(limit.choices) or bounds or KINDS[limit.kind]
    elif limit.choices and value not in limit.choices:
        yield "is not a choice", suggest(value, limit.choices)
    elif (limit.low is not None and not value >= limit.low) or (limit.below is not None and not value < limit.below):
        yield "is out of range", bounds


def range_text(limit: Limit) -> str:
    """The range of a limit in words."""
    if limit.low is None:
        return ""
    if limit.below is None:
        return f"{limit.low:g} or more"
    return f"{limit.low:g} or more, but less than {limit.below:g}"


def device_problems(config: Config) -> list[Problem]:
    """A device that no machine has; whether this machine has it is known only once torch is imported."""
    present, device = lookup(config, "runtime.device")
    if not present or DEVICE.fullmatch(str(device)):
        return []
    why = "a device is named as torch names it"
    return [
        Problem(
            f"runtime.device={show(device)} is not a device",
            why,
            "runtime.device",
            suggest(str(device), ("auto", "cpu", "cuda", "cuda:0", "mps")),
        )
    ]


def ignore_index_problems(task: Config) -> list[Problem]:
    """A segmentation whose last classes would be ignored."""
    classes, ignored = task.get("num_classes"), task.get("ignore_index")
    if not (is_a(classes, int) and is_a(ignored, int)) or not 0 <= ignored < classes:
        return []
    why = f"class {ignored} would never be learned"
    return [
        Problem(
            f"task.num_classes={classes} collides with task.ignore_index={ignored}",
            why,
            "task.ignore_index",
            "task.ignore_index=-100",
        )
    ]


def lookup(config: Config, key: str) -> tuple[bool, Any]:
    """Whether a dotted key is there, and its value."""
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False, None
        node = node[part]
    return True, node


def is_a(value: Any, kind: type) -> bool:
    """Whether a value from YAML has a type; ``true`` is no number, a whole number is a number, NaN is none."""
    if isinstance(value, bool):
        return kind is bool
    if kind in (bool, str):
        return isinstance(value, kind)
    return isinstance(value, (int, kind)) and value == value


def suggest(word: str, choices: Iterable[str]) -> str:
    """The nearest choice first (``"resnet50 (nearest), resnet101, …"``), then all the others."""
    choices = list(choices)
    near = get_close_matches(str(word), choices, n=1, cutoff=0.5)
    return ", ".join([*(f"{name} (nearest)" for name in near), *(name for name in choices if name not in near)])


def show(value: Any) -> str:
    """A value as it would be written on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
