"""From overrides to a configuration that can work, or to a refusal that says everything that is wrong with them.

Hydra composes; ``diagnose.py`` explains what Hydra refuses or lets pass. All of it happens before torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from aistudio import diagnose, rules, trust
from aistudio.catalog import GROUPS, options
from aistudio.errors import Problem, Refusal
from aistudio.search import HYDRA_ERRORS, hydra_composed, key_of, user_folders, without_hydra, without_plus


def compose(*overrides: str, config_dir: str | Path | None = None) -> DictConfig:
    """Compose a configuration and judge it, without importing torch.

    Args:
        overrides: as on the command line, e.g. ``"backbone=efficientnet_b3", "task=regression"``.
        config_dir: a folder with groups of your own (``backbone/mine.yaml``), as ``--config-dir`` on the command line.

    Returns:
        The composed configuration, whose ``${…}`` are resolved when read.

    Raises:
        Refusal: with every problem that was found.
    """
    found = composition(without_plus(overrides), config_dir)
    problems = [*found.problems, *(found.obstacles or rules.judge(found.resolved, found.chosen))]
    if problems:
        raise Refusal(problems)
    return found.config


@dataclass(frozen=True)
class Composition:
    """What Hydra made of some overrides, before the rules have judged the values in it.

    ``chosen`` maps groups to the options that were taken; ``problems`` is what is wrong with the keys, whatever their
    values; ``resolved`` is the configuration as plain containers, empty where ``obstacles`` keep it from that.
    """

    config: DictConfig
    chosen: Mapping[str, str]
    problems: Sequence[Problem]
    resolved: Mapping[str, Any]
    obstacles: Sequence[Problem]


def composition(overrides: Sequence[str], config_dir: str | Path | None) -> Composition:
    """Let Hydra compose, and look at the keys; a `Refusal` where Hydra cannot."""
    folders = user_folders(overrides, config_dir)
    problems = [*diagnose.shadowed_files(folders)]
    try:
        composed = hydra_composed(overrides, folders)
    except HYDRA_ERRORS as error:
        faults, mended = diagnose.faulty_overrides(overrides, folders)
        problems += faults or [diagnose.in_its_own_words(error)]
        raise Refusal([*problems, *problems_of(mended, config_dir)] if faults else problems) from None
    if folders:  # what ships says nothing that it may not
        problems += trust.hydra_problems(composed.hydra, hydras_own(overrides, composed.hydra.runtime.choices))
    choices = composed.hydra.runtime.choices
    problems += diagnose.several_files(choices, overrides)
    chosen = {group: str(option) for group, option in choices.items() if group in GROUPS and option}
    config = without_hydra(composed)
    unresolved = OmegaConf.to_container(config)
    problems += diagnose.unknown_keys(unresolved, chosen, folders, overrides)
    problems += diagnose.misnamed(unresolved, chosen)
    resolved, obstacles = resolve(config)
    return Composition(config, chosen, problems, resolved, obstacles)


def hydras_own(overrides: Sequence[str], choices: Mapping[str, str]) -> DictConfig:
    """Hydra's section as the command line alone would have it, with the launcher that was chosen if it is known."""
    values = tuple(override for override in overrides if key_of(override).startswith("hydra."))
    return composed_without_files(values, choices.get("hydra/launcher", "basic"))


@cache
def composed_without_files(values: tuple[str, ...], launcher: str) -> DictConfig:
    """Hydra's section of the shipped configuration; with a user's own launcher, that of the default one."""
    try:
        return hydra_composed([f"hydra/launcher={launcher}", *values], ()).hydra
    except HYDRA_ERRORS:
        bare = [value for value in values if not value.startswith("hydra.launcher.")]
        return hydra_composed(bare, ()).hydra


def problems_of(overrides: Sequence[str] | None, config_dir: str | Path | None) -> list[Problem]:
    """What else would be wrong once the faulty overrides are mended; nothing where no mending suggests itself."""
    if overrides is None:
        return []
    try:
        compose(*overrides, config_dir=config_dir)
    except Refusal as refusal:
        return list(refusal.problems)
    return []


def judge(config: DictConfig) -> list[Problem]:
    """The rules' verdict on a composed configuration; a value that cannot be resolved is a problem, too."""
    resolved, obstacles = resolve(config)
    return obstacles or rules.judge(resolved)


def resolve(config: DictConfig) -> tuple[Mapping[str, Any], list[Problem]]:
    """The configuration as plain containers, or what keeps it from being resolved."""
    unresolved = OmegaConf.to_container(config)
    sections = [name for name in GROUPS if name != "experiment" and not isinstance(unresolved.get(name), Mapping)]
    if sections:
        why = "it holds keys and values"
        return {}, [Problem(f"{name} is no section", why, name, f"{name}={options(name)[0]}") for name in sections]
    missing = [*rules.missing_keys(unresolved)]
    if missing:  # what interpolates a missing value cannot be resolved; the names alone are said
        return {}, [Problem(f"{key} is missing", "it has no default", key, f"{key}=VALUE") for key in missing]
    try:
        return trust.plain(config), []
    except OmegaConfBaseException as error:
        return {}, [diagnose.in_its_own_words(error)]
