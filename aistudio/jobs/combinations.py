"""The combinations that a sweep spans: named, composed and judged, all of them before the first one runs.

Hydra composes in about 80 ms, too long for thousands of combinations. But the value of a key cannot change which files
are composed; so every choice of files is composed once, and values are set on what came out. Shipped files whose names
the rules refuse to put together are not composed at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import product
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, QuotedString
from omegaconf import OmegaConf

from aistudio.config import groups, shipped
from aistudio.config.compose import Composition, Settled, composition, resolve, verdict
from aistudio.config.groups import available
from aistudio.config.key_problems import NOT_READ
from aistudio.config.overrides import key_of, quoted, user_folders
from aistudio.config.plain import as_dict
from aistudio.config.values import MISSING, lookup
from aistudio.errors import Problem, Refusal

NAMED = ("backbone", "task", "architecture")
LONGEST = 100  # characters of a folder's name
UNFIT = re.compile(r"[^A-Za-z0-9._=+-]+")  # for the name of a folder
RULES = {"rules", "tasks", "name"}  # keys that the verdict on names depends on
SCALARS = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Job:
    """One combination.

    ``name`` is made of what the sweep varies and nothing else, so that it names the same job in another sweep;
    ``overrides`` give it as a run of its own; ``problems`` is empty where it may run; ``config`` is the resolved
    configuration, empty where the combination was refused before there was one.
    """

    name: str
    overrides: tuple[str, ...]
    problems: tuple[Problem, ...]
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Axis:
    """What one override spans: single-valued overrides, and the plain values that they set.

    ``values`` is None where only composing tells what an override does: it chooses files, adds or deletes a key, or its
    values are no numbers and words.
    """

    key: str
    choices: tuple[str, ...]
    values: tuple[Any, ...] | None

    @property
    def sets_values(self) -> bool:
        """Whether the axis varies a value that can be set on a composed configuration."""
        return self.values is not None and len(self.choices) > 1


def judged(overrides: Sequence[str], config_dir: str | Path | None = None) -> Iterator[Job]:
    """Every combination that ``overrides`` span, in Hydra's order, judged before any of them runs.

    A combination has the problems that `aistudio.compose` finds in it. But one that is refused for the names of its
    files is not looked at further, unless it is the first: its other problems would be those of the whole sweep.
    """
    folders = user_folders(overrides, config_dir)
    axes = [axis(override, folders) for override in last_of_each(overrides)]
    lines = [*product(*(range(len(one.choices)) for one in axes))]
    batches: dict[tuple[str, ...], Batch | tuple[Problem, ...]] = {}
    for places, name in zip(lines, distinct(names_of(axes, lines)), strict=True):
        pairs = [*zip(axes, places, strict=True)]
        line = tuple(one.choices[place] for one, place in pairs)
        files = tuple(one.choices[0 if one.sets_values else place] for one, place in pairs)
        if files not in batches:
            refused = refused_by_name(axes, files) if batches and not folders else []
            batches[files] = tuple(refused) or composed(files, config_dir)
        batch = batches[files]
        if isinstance(batch, Batch):
            values = {one.key: one.values[place] for one, place in pairs if one.values is not None}
            problems, config = batch.with_values(values) if batch.takes(values) else judged_alone(line, config_dir)
            yield Job(name, line, tuple(problems), config)
        else:
            yield Job(name, line, batch, {})


class Batch:
    """The combinations that differ in values alone: composed once, and resolved once for every value that matters."""

    def __init__(self, found: Composition):
        self.found = found
        self.unresolved = as_dict(found.config)
        self.interpolations = " ".join(interpolations(self.unresolved))
        self.settled: dict[tuple[Any, ...], tuple[Settled, list[Problem]]] = {}

    def takes(self, values: Mapping[str, Any]) -> bool:
        """Whether these values do no more than replace values: nothing looks at their keys but rules."""
        found = [lookup(self.unresolved, key) for key in values]
        return not any(key.endswith(".name") for key in values) and all(
            there and not isinstance(before, (Mapping, list)) and before != MISSING for there, before in found
        )

    def with_values(self, values: Mapping[str, Any]) -> tuple[Sequence[Problem], Mapping[str, Any]]:
        """The problems and the resolved configuration of one combination."""
        felt = {key: value for key, value in values.items() if key.rpartition(".")[2] in self.interpolations}
        known = (*felt.items(),)
        typed = (*known, *(type(value) for value in felt.values()))  # 1, 1.0 and true are equal keys
        if typed not in self.settled:
            for key, value in felt.items():
                OmegaConf.update(self.found.config, key, value)
            self.settled[typed] = resolve(self.found.config)
        settled, obstacles = self.settled[typed]
        if obstacles:
            return [*self.found.problems, *obstacles], settled.written
        settled = with_replaced(settled, {key: value for key, value in values.items() if key not in felt})
        return [*self.found.problems, *verdict(settled, self.found.chosen)], settled.written


def composed(line: Sequence[str], config_dir: str | Path | None) -> Batch | tuple[Problem, ...]:
    """What Hydra makes of one combination, or why it cannot."""
    try:
        return Batch(composition(line, config_dir))
    except Refusal as refusal:
        return tuple(refusal.problems)


def judged_alone(line: Sequence[str], config_dir: str | Path | None) -> tuple[Sequence[Problem], Mapping[str, Any]]:
    """One combination as `aistudio.compose` judges it."""
    batch = composed(line, config_dir)
    return batch.with_values({}) if isinstance(batch, Batch) else (batch, {})


def refused_by_name(axes: Sequence[Axis], line: Sequence[str]) -> list[Problem]:
    """The rules' problems with the names of shipped files, where nothing else in the line has a say in it."""
    chosen = {one.key: choice.partition("=")[2] for one, choice in zip(axes, line, strict=True)}
    others = {one.key for one in axes if one.key not in NAMED}
    if not {"task", "backbone"} <= {*chosen} or any(one.values is None for one in axes if one.key in others):
        return []
    if any(key.startswith(("backbone.", "hydra")) or not RULES.isdisjoint(key.split(".")) for key in others):
        return []
    if any(chosen[group] not in groups.options(group) for group in NAMED if group in chosen):
        return []
    architecture = chosen.get("architecture") or shipped.default_architecture(chosen["task"])
    return shipped.pair_problems(chosen["backbone"], chosen["task"], architecture)


def interpolations(node: Any) -> Iterator[str]:
    """Every text in a tree that refers to something else."""
    if isinstance(node, Mapping):
        for value in node.values():
            yield from interpolations(value)
    elif isinstance(node, list):
        for value in node:
            yield from interpolations(value)
    elif isinstance(node, str) and "${" in node:
        yield node


def with_replaced(settled: Settled, values: Mapping[str, Any]) -> Settled:
    """A settled configuration with some values replaced, in what is built and in what is written."""
    trees = [settled.values] if settled.written is settled.values else [settled.values, settled.written]
    for key, value in values.items():
        trees = [replaced(tree, key.split("."), value) for tree in trees]
    return Settled(trees[0], trees[-1])


def replaced(config: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """A tree with one value replaced; what does not lie on its path is shared, not copied."""
    return {**config, path[0]: replaced(config[path[0]], path[1:], value) if len(path) > 1 else value}


def last_of_each(overrides: Sequence[str]) -> list[str]:
    """Of a key that was given twice the last counts, as in Hydra's own sweeps."""
    return [*{key_of(override): override for override in overrides}.values()]


def axis(override: str, folders: Sequence[Path]) -> Axis:
    """What one override spans: ``a=1,2`` two choices; ``range`` and ``glob`` are written out."""
    try:
        parsed = OverridesParser.create().parse_override(override)
    except NOT_READ:  # composing says what is wrong with it
        return Axis(key_of(override), (override,), None)
    key = parsed.key_or_group
    if parsed.is_sweep_override() and not parsed.is_discrete_sweep():
        what, why = f"{override} is no list of values", "a sweep runs every combination of its values"
        raise Refusal([Problem(what, why, "the command line", f"{key}=1,2,3 or {key}=range(1,10)")])
    if isinstance(parsed.value(), Glob):
        return Axis(key, tuple(f"{key}={quoted(name)}" for name in globbed(parsed, folders)), None)
    values = [*parsed.sweep_iterator()] if parsed.is_sweep_override() else [parsed.value()]
    texts = [*parsed.sweep_string_iterator()] if parsed.is_sweep_override() else []
    if not values:
        raise Refusal([Problem(f"{override} names no value", "a sweep of nothing has no job", "the command line")])
    plain = key not in groups.GROUPS and "/" not in key and parsed.is_force_add() is parsed.is_add() is False
    plain = plain and not parsed.is_delete() and all(isinstance(value, SCALARS) for value in values)
    plain = plain and not any(isinstance(value, str) and ("${" in value or value == MISSING) for value in values)
    choices = tuple(f"{parsed.get_key_element()}={text}" for text in texts) or (override,)
    return Axis(key, choices, tuple(values) if plain else None)


def globbed(parsed: Override, folders: Sequence[Path]) -> list[str]:
    """The options of a group that a ``glob(…)`` names."""
    glob = cast(Glob, parsed.value())
    names = available(parsed.key_or_group, folders)
    kept = [name for name in names if any(fnmatch(name, pattern) for pattern in map(unquoted, glob.include))]
    kept = [name for name in kept if not any(fnmatch(name, pattern) for pattern in map(unquoted, glob.exclude))]
    if not kept:
        what, group = f"{parsed.input_line} names no file", parsed.key_or_group
        raise Refusal([Problem(what, "no name matches", f"conf/{group}/", ", ".join(names))])
    return kept


def unquoted(text: str | QuotedString) -> str:
    """A text of Hydra's grammar without its quotation marks."""
    return text.text if isinstance(text, QuotedString) else text


def names_of(axes: Sequence[Axis], lines: Sequence[Sequence[int]]) -> Iterator[str]:
    """A folder's name for every combination: the options of groups alone, of other keys ``key=value``."""
    varied = [(index, one) for index, one in enumerate(axes) if len(one.choices) > 1]
    for places in lines:
        parts = [(one, one.choices[places[index]]) for index, one in varied]
        words = [text.partition("=")[2] if one.key in groups.GROUPS else text.lstrip("+~") for one, text in parts]
        yield folder_name("-".join(words))


def folder_name(words: str) -> str:
    """The name of a folder right inside the sweep's: dots alone would name that one, or the one above."""
    name = UNFIT.sub("_", words)[:LONGEST] or "job"
    return name if name.strip(".") else "_" * len(name)


def distinct(names: Iterable[str]) -> list[str]:
    """Names that differ also where capitals do not count; those that do not are numbered."""
    seen: Counter[str] = Counter()
    found: dict[str, str] = {}
    for name in names:
        unlike = name
        while unlike.lower() in found:
            seen[name.lower()] += 1
            unlike = f"{name}-{seen[name.lower()] + 1}"
        found[unlike.lower()] = unlike
    return [*found.values()]


def in_short(jobs: Iterable[Job]) -> list[Problem]:
    """The problems of all jobs, each once; those with the same reason and remedy are neighbours."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in dict.fromkeys(problem for job in jobs for problem in job.problems):
        groups.setdefault((problem.why, problem.where, problem.instead), []).append(problem)
    return [problem for alike in groups.values() for problem in alike]
