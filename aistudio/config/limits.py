"""The types and ranges of single values, as tables: by their whole key, and by its last word wherever it stands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aistudio.config.advice import value_here
from aistudio.config.channel_statistics import statistics_problems
from aistudio.config.values import MISSING, Config, is_a, lookup, show, suggest
from aistudio.errors import Problem

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Limit:
    """The values that a key may have: a type, a range from ``low`` to less than ``below``, or a list of choices."""

    kind: type
    why: str = ""
    low: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    nullable: bool = False


LONGEST = 2**14 + 1  # pixels of a side; one float32 image of that size takes 3 GiB
MANY = 10**8  # of classes, steps and regions: more is a slip of the pen
SIDE = Limit(int, "it is a length in pixels", 1, LONGEST)
BATCH = Limit(int, "a batch holds at least one image", 1, 2**20)
STEPS = Limit(int, "it counts training steps", 1, MANY)
COUNT = Limit(int, "it counts", 1, MANY)
SHARE = Limit(float, "it is a share, from 0 to 1", 0, math.nextafter(1, 2))
SIZE = Limit(float, "it is no negative number", 0, 1e12)
_RATE = Limit(float, "a negative rate would climb, and a huge one leaves nothing finite", 0, 1e3)
_WEIGHTS = Limit(str, "it is the name of a set of weights, or the path of a file", nullable=True)

LIMITS = {
    "task.image_size": SIDE,
    "task.num_classes": Limit(int, "a model needs at least one class to tell", 1, MANY),
    "task.num_outputs": Limit(int, "a regression needs at least one number to predict", 1, MANY),
    "task.aux_weight": Limit(float, "it weighs a loss", 0, 1e6),
    "task.ignore_index": Limit(int, "it is the class id that the loss passes over", -(2**31), 2**31),
    "architecture.model.dropout": Limit(float, "it is the share of features that is dropped", 0, 1),
    "architecture.learning.steps": STEPS,
    "architecture.learning.ratio": Limit(float, "the loss must fall to this share of the first", 0, 1),
    "backbone.name": Limit(str, "rules go by it"),
    "backbone.weights": _WEIGHTS,
    "architecture.weights": _WEIGHTS,
    "backbone.activation_checkpointing": Limit(bool, "stages are computed twice or are not"),
    "backbone.in_channels": Limit(int, "it counts the channels of an image", 1, 1025),
    "backbone.out_channels": Limit(int, "it counts channels", 1, 2**20, nullable=True),
    "weights_dir": Limit(str, "it is the folder that weights are looked for in", nullable=True),
    "weights_coverage": Limit(float, "it is the share of a model's tensors that a file must fill", 0, SHARE.below),
    "offline": Limit(bool, "the network may be used or may not"),
    "data.batch_size": BATCH,
    "data.workers": Limit(int, "it counts processes that decode images", 0, 1025),
    "data.limit": Limit(int, "it counts images; null decodes all", 0, MANY**2, nullable=True),
    "data.ignore_index": Limit(int, "it is the id that crowds get", -(2**31), 2**31, nullable=True),
    "sanity.image_size": Limit(
        int, "below 64 px gradients of deep backbones explode and checks see noise", 64, LONGEST
    ),
    "sanity.batch_size": BATCH,
    **{f"sanity.checks.data_fits_model.{key}": COUNT for key in ("images", "masks")},
    "sanity.measure.batch_size": Limit(int, "a batch holds at least one image", 1, 2**20, nullable=True),
    "sanity.measure.repeats": Limit(int, "a median is of one timed pass or more", 1, MANY),
    "sanity.measure.budget": Limit(float, "it is a time in seconds", 0, 1e6),
    "sanity.measure.training": Limit(bool, "training steps are timed or are not"),
    "runtime.precision": Limit(str, "these are what autocast knows", choices=("float32", "bfloat16", "float16")),
    "runtime.channels_last": Limit(bool, "it switches the memory format"),
    "runtime.compile": Limit(bool, "it switches torch.compile"),
    "runtime.find_batch": Limit(bool, "it asks for the largest batch by real steps or does not"),
    "runtime.seed": Limit(int, "torch takes seeds from 0 to 2^63 - 1", 0, 2**63),
    "runtime.threads": Limit(int, "it counts CPU threads; null leaves it to torch", 1, 4097, nullable=True),
    "sweep.on_refusal": Limit(str, "it says what a refused combination does to a sweep", choices=("stop", "skip")),
    "sweep.isolate": Limit(bool, "a job has a process of its own or has not", nullable=True),
    "sweep.timeout": Limit(float, "it is the time that a job may take, in seconds", 1, 1e9, nullable=True),
    "sweep.rounds_budget": Limit(float, "it is the time for rounds at the end of a sweep, in seconds", 0, 1e9),
    "sweep.fail_fast": Limit(bool, "the first job that does not pass ends a sweep or does not"),
    "track.timeout": Limit(float, "it is a time in seconds", 0, 1e9),
}
BY_LAST_WORD = {  # of keys that no line above has; what objects of other packages are given is theirs to judge
    "image_size": SIDE,
    "in_channels": Limit(int, "it counts the channels of an image", 1, 2**20, nullable=True),
    **dict.fromkeys(("height", "width", "min_size", "max_size"), SIDE),
    **dict.fromkeys(("steps", "every"), STEPS),
    "batch_size": BATCH,
    "unseen": Limit(int, "it counts images", 2, MANY),
    "budget": Limit(float, "it is a time in seconds", 0, 1e6),
    **dict.fromkeys(("accuracy", "auroc", "r2", "r2_least", "miou", "mask_map_50"), SHARE),
    **dict.fromkeys(("map_50", "map_75", "rotated_map_50", "rotated_map_75"), SHARE),
    **dict.fromkeys(("share", "ratio", "ratio_frozen", "cosine", "score_thresh", "label_smoothing"), SHARE),
    **dict.fromkeys(("overlap", "overlap_of_masks"), SHARE),
    **dict.fromkeys(("relative", "tolerance", "above", "slack"), SIZE),
    **dict.fromkeys(["least", "most", "hopeless", "worth", "matched", "resized", "score", "suppression"], SIZE),
    **dict.fromkeys(["drawn", "left", "left_smoothed", "fade", "shrink", "dropped", "faint", "silent"], SIZE),
    "floor": Limit(float, "it is the least value that a loss can take", -1e12, 1e12),
    **dict.fromkeys(("lr", "rate", "weight_decay", "eps"), _RATE),
    "momentum": Limit(float, "it is the share of the last step that is kept", 0, 1),
    **dict.fromkeys(("topk_candidates", "detections_per_img", "batch_size_per_image", "training", "testing"), COUNT),
    **dict.fromkeys(("at_least", "image_size_at_least"), COUNT),
    "ignore_index": Limit(int, "it is the class id that the loss passes over", -(2**31), 2**31),
    "mean": Limit(float, "it is a mean of pixels in [0, 1]", 0, SHARE.below),
    "std": Limit(float, "it is a standard deviation of pixels in [0, 1]", math.nextafter(0, 1), SHARE.below),
    "aux_loss": Limit(bool, "there is an auxiliary head or there is none", nullable=True),
}
BELOW = {".taps.": Limit(int, "it counts channels", 1, 2**20)}  # of keys that anybody names
SECTIONS = {  # what holds keys and values: what it is, and what to write
    "task.loss": ("it makes the loss", "task.loss._target_={value}"),
    "architecture.model": ("it makes the model", "architecture=NAME, which brings it"),
    "architecture.learning": ("it says what the learning check trains with", "architecture.learning.steps=20"),
    "architecture.learning.optimizer": (
        "it makes the optimiser",
        "architecture.learning.optimizer._target_={value}",
    ),
    "backbone.model": ("it makes the backbone", "backbone=NAME, which brings it"),
    "backbone.pretrained": ("it lists the weights that are published", "backbone.weights={value}"),
    "sanity.checks": (
        "it holds the checks by their names",
        "~sanity.checks.NAME takes one away; quick has few",
    ),
    "sanity.measure": ("it says what is measured", "sanity=quick, which measures little"),
    "sanity.check_mode": ("it holds attributes of the model by their names", "sanity.check_mode={}"),
}
OURS = ("aistudio.", "torch.", "torchvision.")
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def limit_problems(config: Config) -> list[Problem]:
    """Values of the wrong type, out of range, or not among the choices."""
    found: dict[tuple[str, str], Problem] = {}  # what is only derived from a value is not told again
    for key, value, limit in limited(config):
        for fault, instead in faults(key, limit, value, _range_text(at_least(limit, key, config))):
            problem = Problem(f"{key}={show(value)} {fault}", limit.why, key, instead)
            found.setdefault((show(value), limit.why), problem)
    return [
        *_section_problems(config),
        *found.values(),
        *statistics_problems(config),
        *device_problems(config),
        *_ignore_index_problems(config["task"]),
    ]


def limited(config: Config) -> Iterator[tuple[str, Any, Limit]]:
    """The values for which something is known, in the order of the table and then of the configuration."""
    for key, limit in LIMITS.items():
        present, value = lookup(config, key)
        if present and value != MISSING and not (value is None and limit.nullable):
            yield key, value, limit
    for key, value in _our_leaves(config):
        below = next((limit for part, limit in BELOW.items() if part in key), None)
        meant = below or BY_LAST_WORD.get(key.rpartition(".")[2])
        if key not in LIMITS and meant and value != MISSING and not (value is None and meant.nullable):
            yield from ((key, one, meant) for one in (value if isinstance(value, list) and value else [value]))


def _our_leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values, but for what is given to objects of other packages, and for published facts."""
    if not isinstance(node, Mapping) or (not node and path):
        yield path, node
    elif str(node.get("_target_", OURS[0])).startswith(OURS):
        for key, value in node.items():
            if key not in ("pretrained", "published", "gpu"):
                yield from _our_leaves(value, f"{path}.{key}" if path else str(key))


def at_least(limit: Limit, key: str, config: Config) -> Limit:
    """A limit with the least value that the task's or the architecture's rules state for a key."""
    for group in ("task", "architecture"):
        rule = (config[group].get("rules") or {}).get(key.rpartition(".")[2], {})
        stated = rule.get("at_least")
        if key.split(".")[0] in ("task", "data") and limit.low is not None and is_a(stated, float):
            limit = Limit(limit.kind, limit.why, max(limit.low, stated), limit.below)
    return limit


def faults(key: str, limit: Limit, value: Any, bounds: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a value, and what to take instead; ``bounds`` are the limit's in words."""
    here = value_here(key, show(value))
    if not is_a(value, limit.kind):
        instead = f"{key}={here}" if here != show(value) else ", ".join(limit.choices) or bounds or KINDS[limit.kind]
        yield f"is not {KINDS[limit.kind]}", instead
    elif limit.choices and value not in limit.choices:
        yield "is not a choice", suggest(here, limit.choices)
    elif (limit.low is not None and not value >= limit.low) or (limit.below is not None and not value < limit.below):
        yield "is out of range", bounds


def _range_text(limit: Limit) -> str:
    """The range of a limit in words."""
    if limit.low is None or limit.below is None:
        return ""
    if limit.kind is int:
        return f"{limit.low:g} or more" if limit.below >= MANY else f"{limit.low} … {limit.below - 1}"
    if limit.below == SHARE.below:
        return "from 0 to 1"
    return f"{limit.low:g} or more, but less than {limit.below:g}"


def _section_problems(config: Config) -> Iterator[Problem]:
    """Values in the place of what holds keys and values."""
    for key, (why, instead) in SECTIONS.items():
        present, value = lookup(config, key)
        if present and value != MISSING and not isinstance(value, Mapping):
            here = value_here(instead.partition("=")[0], show(value))
            said = instead.replace("{value}", here if here != show(value) else "NAME")
            yield Problem(f"{key}={show(value)} holds no keys and values", why, key, said)
    checks = lookup(config, "sanity.checks")[1]
    for name, check in checks.items() if isinstance(checks, Mapping) else ():
        if not isinstance(check, Mapping):
            key = f"sanity.checks.{name}"
            why, instead = "a check is a _target_ with its own knobs", f"~{key} takes it away"
            yield Problem(f"{key}={show(check)} is no check", why, key, instead)


def device_problems(config: Config) -> list[Problem]:
    """A device that no machine has; whether this machine has it is known only once torch is imported."""
    present, device = lookup(config, "runtime.device")
    if not present or _DEVICE.fullmatch(str(device)):
        return []
    here = value_here("runtime.device", show(device))
    instead = suggest(here, ("auto", "cpu", "cuda", "cuda:0", "mps"))
    what, why = f"runtime.device={show(device)} is not a device", "a device is named as torch names it"
    return [Problem(what, why, "runtime.device", instead)]


def _ignore_index_problems(task: Config) -> list[Problem]:
    """A segmentation whose last classes would be ignored."""
    classes: Any = task.get("num_classes")
    ignored: Any = task.get("ignore_index")
    if not (is_a(classes, int) and is_a(ignored, int)) or not 0 <= ignored < classes:
        return []
    what = f"task.num_classes={classes} collides with task.ignore_index={ignored}"
    why = f"class {ignored} would never be learned"
    return [Problem(what, why, "task.ignore_index", "task.ignore_index=-100")]
