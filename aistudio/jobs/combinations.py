"""The combinations that a sweep spans: named, composed and judged, all of them before the first one runs.

Hydra composes in about 80 ms, too long for thousands of combinations. But the value of a key cannot change which files
are composed; so every choice of files is composed once, and values are set on what came out. Shipped files whose names
the rules refuse to put together are not composed at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from aistudio.config import groups, shipped
from aistudio.config.compose import Composition, Settled, composition, resolve, verdict
from aistudio.config.overrides import user_folders
from aistudio.config.plain import as_dict
from aistudio.config.values import MISSING, lookup
from aistudio.errors import Problem, Refusal
from aistudio.jobs.axes import Axis, distinct, last_of_each, names_of, read_axis

NAMED = ("backbone", "task", "architecture")
_RULES = {"rules", "tasks", "name"}  # keys that the verdict on names depends on


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


def judged(overrides: Sequence[str], config_dir: str | Path | None = None) -> Iterator[Job]:
    """Every combination that ``overrides`` span, in Hydra's order, judged before any of them runs.

    A combination has the problems that `aistudio.compose` finds in it. But one that is refused for the names of its
    files is not looked at further, unless it is the first: its other problems would be those of the whole sweep.
    """
    folders = user_folders(overrides, config_dir)
    axes = [read_axis(override, folders) for override in last_of_each(overrides)]
    lines = [*product(*(range(len(one.choices)) for one in axes))]
    batches: dict[tuple[str, ...], Batch | tuple[Problem, ...]] = {}
    for places, name in zip(lines, distinct(names_of(axes, lines)), strict=True):
        pairs = [*zip(axes, places, strict=True)]
        line = tuple(one.choices[place] for one, place in pairs)
        files = tuple(one.choices[0 if one.sets_values else place] for one, place in pairs)
        if files not in batches:
            refused = _refused_by_name(axes, files) if batches and not folders else []
            batches[files] = tuple(refused) or composed(files, config_dir)
        batch = batches[files]
        if isinstance(batch, Batch):
            values = {one.key: (one.values or ())[place] for one, place in pairs if one.sets_values}
            problems, config = batch.with_values(values) if batch.takes(values) else _judged_alone(line, config_dir)
            yield Job(name, line, tuple(problems), config)
        else:
            yield Job(name, line, batch, {})


class Batch:
    """The combinations that differ in values alone: composed once, and resolved once for every value that matters."""

    def __init__(self, found: Composition):
        self.found = found
        self.unresolved = as_dict(found.config)
        self.interpolations = " ".join(interpolations(self.unresolved))
        self.settled: dict[tuple[Any, ...], tuple[Settled, Sequence[Problem]]] = {(): (found.settled, found.obstacles)}

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
        settled = _with_replaced(settled, {key: value for key, value in values.items() if key not in felt})
        return [*self.found.problems, *verdict(settled, self.found.chosen)], settled.written


def composed(line: Sequence[str], config_dir: str | Path | None) -> Batch | tuple[Problem, ...]:
    """What Hydra makes of one combination, or why it cannot."""
    try:
        return Batch(composition(line, config_dir))
    except Refusal as refusal:
        return tuple(refusal.problems)


def _judged_alone(line: Sequence[str], config_dir: str | Path | None) -> tuple[Sequence[Problem], Mapping[str, Any]]:
    """One combination as `aistudio.compose` judges it."""
    batch = composed(line, config_dir)
    return batch.with_values({}) if isinstance(batch, Batch) else (batch, {})


def _refused_by_name(axes: Sequence[Axis], line: Sequence[str]) -> list[Problem]:
    """The rules' problems with the names of shipped files, where nothing else in the line has a say in it."""
    chosen = {one.key: choice.partition("=")[2] for one, choice in zip(axes, line, strict=True)}
    others = {one.key for one in axes if one.key not in NAMED}
    if not {"task", "backbone"} <= {*chosen} or any(one.values is None for one in axes if one.key in others):
        return []
    if any(key.startswith(("backbone.", "hydra")) or not _RULES.isdisjoint(key.split(".")) for key in others):
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


def _with_replaced(settled: Settled, values: Mapping[str, Any]) -> Settled:
    """A settled configuration with some values replaced, in what is built and in what is written."""
    trees = [settled.values] if settled.written is settled.values else [settled.values, settled.written]
    for key, value in values.items():
        trees = [replaced(tree, key.split("."), value) for tree in trees]
    return Settled(trees[0], trees[-1])


def replaced(config: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """A tree with one value replaced; what does not lie on its path is shared, not copied."""
    return {**config, path[0]: replaced(config[path[0]], path[1:], value) if len(path) > 1 else value}


def in_short(jobs: Iterable[Job]) -> list[Problem]:
    """The problems of all jobs, each once; those with the same reason and remedy are neighbours."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in dict.fromkeys(problem for job in jobs for problem in job.problems):
        groups.setdefault((problem.why, problem.where, problem.instead), []).append(problem)
    return [problem for alike in groups.values() for problem in alike]
