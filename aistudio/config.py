"""From overrides to a configuration that can work, or to a refusal that says everything that is wrong with them.

Hydra composes; ``diagnose.py`` explains what Hydra refuses or lets pass. All of it happens before torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from aistudio import diagnose, rules
from aistudio.catalog import GROUPS, options
from aistudio.errors import Problem, Refusal
from aistudio.search import HYDRA_ERRORS, hydra_composed, user_folders, without_hydra


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
    folders = user_folders(overrides, config_dir)
    problems = [*diagnose.shadowed_files(folders)]
    try:
        composed = hydra_composed(overrides, folders)
    except HYDRA_ERRORS as error:
        faults, mended = diagnose.faulty_overrides(overrides, folders)
        problems += faults or [diagnose.in_its_own_words(error)]
        raise Refusal([*problems, *problems_of(mended, config_dir)] if faults else problems) from None
    choices = composed.hydra.runtime.choices
    problems += diagnose.several_files(choices, overrides)
    chosen = {group: str(option) for group, option in choices.items() if group in GROUPS and option}
    config = without_hydra(composed)
    unresolved = OmegaConf.to_container(config)
    problems += diagnose.unknown_keys(unresolved, chosen, folders, overrides)
    problems += diagnose.misnamed(unresolved, chosen)
    problems += judge(config, chosen)
    if problems:
        raise Refusal(problems)
    return config


def problems_of(overrides: Sequence[str] | None, config_dir: str | Path | None) -> list[Problem]:
    """What else would be wrong once the faulty overrides are mended; nothing where no mending suggests itself."""
    if overrides is None:
        return []
    try:
        compose(*overrides, config_dir=config_dir)
    except Refusal as refusal:
        return list(refusal.problems)
    return []


def judge(config: DictConfig, chosen: Mapping[str, str] | None = None) -> list[Problem]:
    """The rules' verdict on a composed configuration; a value that cannot be resolved is a problem, too.

    ``chosen`` maps groups to the options that were taken, so that problems can name the file.
    """
    unresolved = OmegaConf.to_container(config)
    sections = [name for name in GROUPS if name != "experiment" and not isinstance(unresolved.get(name), Mapping)]
    if sections:
        return [
            Problem(f"{name} is no section", "it holds keys and values", name, f"{name}={options(name)[0]}")
            for name in sections
        ]
    missing = [*rules.missing_keys(unresolved)]
    if missing:  # what interpolates a missing value cannot be resolved; the names alone are said
        return [Problem(f"{key} is missing", "it has no default", key, f"{key}=VALUE") for key in missing]
    try:
        return rules.judge(OmegaConf.to_container(config, resolve=True), chosen)
    except OmegaConfBaseException as error:
        return [diagnose.in_its_own_words(error)]
