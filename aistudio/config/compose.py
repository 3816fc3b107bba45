"""From overrides to a configuration that can work, or to a refusal that says everything that is wrong with them.

Hydra composes; ``override_problems.py`` and ``key_problems.py`` explain what Hydra refuses or lets pass. All of it
happens before torch is imported. A run is composed and judged once: what comes after takes `Judged`, and trusts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from aistudio.config import key_problems, override_problems, plain, rules, trust
from aistudio.config.aliases import unfolding_files
from aistudio.config.groups import GROUPS, OPTIONAL, options
from aistudio.config.hydra import HYDRA_ERRORS, hydra_composed, hydras_own, without_hydra
from aistudio.config.interpolations import left_over_problems, resolver_problems, texts
from aistudio.config.origins import track_problems
from aistudio.config.overrides import is_hydras, user_folders
from aistudio.config.typed import as_typed
from aistudio.errors import Problem, Refusal, refuse


def compose(*overrides: str | Sequence[str], config_dir: str | Path | None = None) -> DictConfig:
    """Compose a configuration and judge it, without importing torch.

    Args:
        overrides: as on the command line, e.g. ``"backbone=efficientnet_b3", "task=regression"``, or a list of them.
        config_dir: a folder with groups of your own (``backbone/mine.yaml``), as ``--config-dir`` on the command line.

    Returns:
        The composed configuration, whose ``${…}`` are resolved when read.

    Raises:
        Refusal: with every problem that was found.
    """
    found = composition(as_typed(one_by_one(overrides), config_dir), config_dir)
    judge(found)
    return found.config


def one_by_one(overrides: Sequence[str | Sequence[str]]) -> list[str]:
    """The overrides of a list that was given as one; a `Refusal` for a string that holds several."""
    flat = [one for some in overrides for one in ([some] if isinstance(some, str) else some)]
    refuse([several(one, parts) for one in flat if isinstance(one, str) and len(parts := _split_at_keys(one)) > 1])
    return flat


def several(text: str, parts: Sequence[str]) -> Problem:
    """A string in which more than one setting stands, as a shell would take it apart."""
    instead = f"compose({', '.join(map(repr, parts))})"
    return Problem(f"{text!r} holds {len(parts)} settings", "each is a string of its own", "compose", instead)


def _split_at_keys(text: str) -> list[str]:
    """A string taken apart before each word that begins one of this configuration's settings."""
    return [part for part in re.split(rf"\s+(?=(?:\+{{0,2}}|~)(?:{'|'.join(GROUPS)}|hydra)\b[\w.@/]*=)", text) if part]


@dataclass(frozen=True)
class Settled:
    """A configuration that was resolved once, as plain containers in which nothing is left to interpret.

    ``values`` is what is judged and what is built, with the environment in it; ``written`` is the same for reports and
    messages, where environment variables stand as they were written.
    """

    values: Mapping[str, Any]
    written: Mapping[str, Any]


@dataclass(frozen=True)
class Judged(Settled):
    """What the rules have let pass: `judge` and `settle` make it, and what builds takes nothing else."""

    @cached_property
    def cfg(self) -> DictConfig:
        """The values, read by attributes: nothing in them is left to interpret, and unknown keys are errors."""
        config = OmegaConf.create(dict(self.values))
        OmegaConf.set_struct(config, True)
        OmegaConf.set_readonly(config, True)
        return config


@dataclass(frozen=True)
class Composition:
    """What Hydra made of some overrides, before the rules have judged the values in it.

    ``whole`` is ``config`` with Hydra's own section; ``chosen`` maps groups to the options taken; ``problems``
    is what is wrong with the keys, whatever their values; ``settled`` is the configuration as plain containers, empty
    where ``obstacles`` keep it from that.
    """

    whole: DictConfig
    config: DictConfig
    chosen: Mapping[str, str]
    problems: Sequence[Problem]
    settled: Settled
    obstacles: Sequence[Problem]


def composition(overrides: Sequence[str], config_dir: str | Path | None) -> Composition:
    """Let Hydra compose, and look at the keys; a `Refusal` where Hydra cannot."""
    folders = user_folders(overrides, config_dir)
    refuse([*unfolding_files(folders)])
    if any(override_problems.names_nothing(one, folders) for one in overrides):
        raise _refusal(overrides, folders)
    try:
        composed = hydra_composed(overrides, folders)
    except HYDRA_ERRORS as error:
        raise _refusal(overrides, folders, error) from None
    return _looked_at(composed, overrides, folders)


def _refusal(overrides: Sequence[str], folders: Sequence[Path], error: Exception | None = None) -> Refusal:
    """All that is wrong with overrides of which Hydra makes nothing, and with what they may have meant."""
    faults = override_problems.faulty_overrides(overrides, folders)
    problems = [*key_problems.shadowed_files(folders), *faults.problems]
    if not faults.problems and error is not None:
        problems.append(override_problems.in_its_own_words(error))
    more = _problems_of(faults, folders) if faults.problems and faults.mended != [*overrides] else []
    return Refusal(dict.fromkeys([*problems, *(one for one in more if faults.bears(one))]))


def _problems_of(faults: override_problems.Faults, folders: Sequence[Path]) -> Sequence[Problem]:
    """What would be wrong with overrides as they may have been meant."""
    try:
        composed = faults.composed or hydra_composed(faults.mended, folders)
        judge(_looked_at(composed, faults.mended, folders))
    except HYDRA_ERRORS as error:
        return [override_problems.in_its_own_words(error)]
    except Refusal as refusal:
        return refusal.problems
    return []


def _looked_at(composed: DictConfig, overrides: Sequence[str], folders: Sequence[Path]) -> Composition:
    """What Hydra made of some overrides, with what is wrong with its keys."""
    problems = [*key_problems.shadowed_files(folders)]
    if folders:  # what ships says nothing that it may not
        problems += trust.forged(composed.hydra, [one for one in overrides if not is_hydras(one)])
        problems += trust.hydra_problems(composed.hydra, hydras_own(overrides, composed.hydra.runtime.choices))
        problems += track_problems(overrides, folders) if "track" in composed else ()
    choices = composed.hydra.runtime.choices
    problems += override_problems.several_files(choices, overrides)
    chosen = {group: str(option) for group, option in choices.items() if group in GROUPS and option}
    config = without_hydra(composed)
    unresolved = plain.as_dict(config)
    problems += key_problems.unknown_keys(unresolved, chosen, folders, overrides)
    problems += key_problems.misnamed(unresolved, chosen)
    return Composition(composed, config, chosen, problems, *resolve(config))


def judge(found: Composition) -> Judged:
    """Judge what Hydra made of some overrides; a `Refusal` with all that is wrong."""
    refuse([*found.problems, *(found.obstacles or verdict(found.settled, found.chosen))])
    return Judged(found.settled.values, found.settled.written)


def settle(config: DictConfig) -> Judged:
    """Resolve a configuration, whoever composed it, and judge what came out; a `Refusal` with all that is wrong."""
    settled, obstacles = resolve(config)
    refuse(obstacles or verdict(settled))
    return Judged(settled.values, settled.written)


def verdict(settled: Settled, chosen: Mapping[str, str] | None = None) -> list[Problem]:
    """The rules' verdict on the values that would be built, in words that hold no environment variable."""
    problems = rules.judge(settled.values, chosen)
    return problems if settled.written is settled.values else [as_written(one, settled) for one in problems]


def as_written(problem: Problem, settled: Settled) -> Problem:
    """A problem with what came from the environment named as it was written."""
    names = sorted(from_environment(settled), key=lambda pair: -len(pair[0]))

    def written(text: str) -> str:
        for value, name in names:
            text = text.replace(value, name)
        return text

    what, why, where, instead = map(written, (problem.what, problem.why, problem.where, problem.instead))
    return Problem(what, why, where, instead, tuple(map(written, problem.rows)))


def from_environment(settled: Settled) -> Iterator[tuple[str, str]]:
    """Values that hold an environment variable, each with how it was written; of targets their package, too."""
    written = dict(plain.leaves(settled.written))
    for key, value in plain.leaves(settled.values):
        name = str(written.get(key))
        if value and str(value) != name and "${oc.env" in name:
            yield str(value), name
            if key.endswith("_target_"):
                yield str(value).split(".")[0], "PACKAGE"


def resolve(config: DictConfig) -> tuple[Settled, list[Problem]]:
    """The configuration as plain containers, or what keeps it from being resolved."""
    unresolved, nothing = plain.as_dict(config), Settled({}, {})
    sections = [name for name in GROUPS if name not in OPTIONAL and not isinstance(unresolved.get(name), Mapping)]
    if sections:
        why = "it holds keys and values"
        return nothing, [Problem(f"{name} is no section", why, name, f"{name}={options(name)[0]}") for name in sections]
    missing = [rules.missing_value(key) for key in rules.missing_keys(unresolved)]
    whole = _whole_tree(config, unresolved)
    if foreign := [*resolver_problems(whole)]:
        return nothing, foreign
    try:
        values = plain.as_dict(config, resolve=True)
    except OmegaConfBaseException as error:  # what interpolates a missing value cannot be resolved
        return nothing, missing or [override_problems.in_its_own_words(error)]
    try:
        written = plain.plain(config, missing=True) if any("oc.env" in text for _, text in texts(whole)) else values
    except OmegaConfBaseException:
        what, why = "a key is chosen by an environment variable", "a report could not say which"
        return nothing, [Problem(what, why, "the configuration", "values from ${oc.env:NAME}, and keys by name")]
    return Settled(values, written), [*left_over_problems(values)]


def _whole_tree(config: DictConfig, unresolved: Any) -> Any:
    """What interpolations can reach: another application's configuration may be a part of something larger."""
    root = config._get_root()
    return unresolved if root is config else OmegaConf.to_container(root)
