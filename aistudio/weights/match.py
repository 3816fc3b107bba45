"""Which tensor of a file goes where in a model, by names and shapes alone; the same for the doctor and for loading.

Training frameworks put words before and between the names of a model's own parameters. Words of wrappers are taken
out; of the prefixes that remain, the one under which most tensors find their place is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

Shape = tuple[int, ...]
_WRAPPERS = {  # words that DDP, torch.compile, FSDP, activation checkpointing and DeepSpeed put into names
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_forward_module",
}
_COUNTERS = ("num_batches_tracked", "n_averaged")  # they count; nothing is computed from them
_LEGACY = (  # names that torchvision itself still reads: FPN, RPN, RetinaNet's towers and the mask head of before 0.13
    (re.compile(r"((?:inner|layer)_blocks\.\d+)\.(weight|bias)$"), r"\1.0.\2"),
    (re.compile(r"(rpn\.head\.conv)\.(weight|bias)$"), r"\1.0.0.\2"),
)
_TOWERS = re.compile(r"((?:classification|regression)_head\.conv)\.(\d+)\.(weight|bias)$")
MASK = re.compile(r"(mask_head)\.mask_fcn(\d+)\.(weight|bias)$")


@dataclass(frozen=True)
class Match:
    """``pairs`` maps names of the model to names of the file; ``other_shape`` to both shapes, file's first.

    ``removed`` is the prefix that the file's names have and the model's have not, ``added`` the other way round;
    ``rivals`` are prefixes under which as many tensors would fit. ``beyond`` are those left over that continue a
    sequence of layers of the model's: the file is of a deeper one.
    """

    pairs: dict[str, str]
    other_shape: dict[str, tuple[str, Shape, Shape]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    removed: str = ""
    added: str = ""
    rivals: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()

    def nearest(self, name: str) -> str:
        """The name in the file that looks most like one that is missing, or ``""``."""
        return next(iter(get_close_matches(name, self.left_over, n=1, cutoff=0.6)), "")


def match(file: Mapping[str, Shape], model: Mapping[str, Shape]) -> Match:
    """Find the place of each tensor of ``file`` in ``model``; both map names to shapes."""
    names = _modern(plain_names(file), model)
    wanted = {name: name for name in model}
    wanted |= plain_names(model)
    shapes = {plain: file[name] for plain, name in names.items()}
    goals = {plain: model[name] for plain, name in wanted.items()}
    removed, added, rivals = _best_prefixes(shapes, goals)
    pairs, other = {}, {}
    for plain, shape in shapes.items():
        if not plain.startswith(removed):
            continue
        goal = added + plain[len(removed) :]
        if goal in goals and goals[goal] == shape:
            pairs[wanted[goal]] = names[plain]
        elif goal in goals:
            other[wanted[goal]] = (names[plain], shape, goals[goal])
    used = {*pairs.values(), *(name for name, _, _ in other.values())}
    left_over = tuple(name for name in file if name not in used and not is_counter(name))
    missing = tuple(name for name in model if name not in pairs and name not in other and not is_counter(name))
    plain_of = {name: plain for plain, name in names.items()}
    inside = {name: added + plain_of[name][len(removed) :] for name in left_over if plain_of[name].startswith(removed)}
    modules = _modules_of(goals)
    beyond = tuple(name for name, goal in inside.items() if _continues(goal, modules))
    return Match(pairs, other, missing, left_over, removed, added, rivals, beyond)


def _modules_of(names: Iterable[str]) -> set[str]:
    """The modules that hold tensors of these names, and those that hold them."""
    words = [name.split(".") for name in names]
    return {".".join(one[:count]) for one in words for count in range(1, len(one))}


def _continues(name: str, modules: set[str]) -> bool:
    """Whether a tensor belongs to a numbered layer that would follow those of a sequence in ``modules``."""
    words = name.split(".")
    return any(
        words[index].isdigit() and ".".join(words[:index]) in modules and ".".join(words[: index + 1]) not in modules
        for index in range(1, len(words) - 1)
    )


def is_counter(name: str) -> bool:
    """Whether a tensor only counts batches or averages."""
    return name.rpartition(".")[2] in _COUNTERS


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Names without the words of wrappers → the names as they are; all as they are where two would become one."""
    names = list(names)
    plain = {".".join(word for word in name.split(".") if word not in _WRAPPERS): name for name in names}
    return plain if len(plain) == len(names) else {name: name for name in names}


def _modern(names: Mapping[str, str], model: Iterable[str]) -> dict[str, str]:
    """Names that torchvision's older models had → today's, where the model has today's."""
    endings = {ending for name in model for ending in _endings_of(name)}
    found = {}
    for name, original in names.items():
        newer = next((new for new in _newer_names(name) if not endings.isdisjoint(_endings_of(new))), "")
        known = name in endings
        found[name if known or not newer else newer] = original
    return found if len(found) == len(names) else dict(names)


def _newer_names(name: str) -> Iterator[str]:
    """What a name would be called today, if it is an old one."""
    for pattern, new in _LEGACY:
        if pattern.search(name):
            yield pattern.sub(new, name)
    tower, mask = _TOWERS.search(name), MASK.search(name)
    if tower and int(tower[2]) % 2 == 0:
        yield f"{name[: tower.start()]}{tower[1]}.{int(tower[2]) // 2}.0.{tower[3]}"
    if mask:
        yield f"{name[: mask.start()]}{mask[1]}.{int(mask[2]) - 1}.0.{mask[3]}"


def _endings_of(name: str) -> Iterator[str]:
    """The name, and what is left of it after each dot but the last."""
    yield name
    rest = name
    while rest.count(".") > 1:
        rest = rest.split(".", 1)[1]
        yield rest


def _best_prefixes(file: Mapping[str, Shape], model: Mapping[str, Shape]) -> tuple[str, str, tuple[str, ...]]:
    """The prefix to take from the file's names and the one to put before them, and removals that would do as well."""
    exact: Counter[tuple[str, str]] = Counter()
    loose: Counter[tuple[str, str]] = Counter()
    for names, others, turned in ((file, model, False), (model, file, True)):
        for name, shape in names.items():
            for ending in _all_endings(name):
                if ending in others and not (turned and ending == name):
                    prefix = name[: len(name) - len(ending)]
                    key = ("", prefix) if turned else (prefix, "")
                    loose[key] += 1
                    exact[key] += others[ending] == shape
    if not loose:
        return "", "", ()
    best = max(loose, key=lambda key: (exact[key], loose[key], -len(key[0]) - len(key[1])))
    rivals = [one for one, added in loose if not added and one != best[0] and exact[one, ""] == exact[best]]
    return (*best, tuple(rivals) if exact[best] > 1 else ())


def _all_endings(name: str) -> Iterator[str]:
    """The name, and what is left of it after each dot."""
    words = name.split(".")
    for index in range(len(words)):
        yield ".".join(words[index:])
