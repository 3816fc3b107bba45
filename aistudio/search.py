"""Hydra's composition over the shipped ``conf/`` and the folders that a user adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from aistudio.catalog import GROUPS, options
from aistudio.errors import Problem, Refusal
from aistudio.shipped import conf_folder

VERSION_BASE = "1.3"
# All that composing raises for what a user wrote: ValueError for `task=null`, YAMLError for a broken file.
HYDRA_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)


def hydra_composed(overrides: Sequence[str], folders: Sequence[Path]) -> DictConfig:
    """What Hydra makes of the overrides, with its own section; user folders rank below the shipped one."""
    search = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in folders)}]"] if folders else []
    kept = [override for override in overrides if key_of(override) != "hydra.searchpath"]
    with initialize_config_dir(str(conf_folder().resolve()), version_base=VERSION_BASE):
        return hydra_compose("config", overrides=[*kept, *search], return_hydra_config=True)


def without_hydra(composed: DictConfig) -> DictConfig:
    """The configuration alone, closed to keys it does not have."""
    config = OmegaConf.masked_copy(composed, [key for key in composed if key != "hydra"])
    OmegaConf.set_struct(config, True)
    return config


def key_of(override: str) -> str:
    """The key of an override, without the signs that add or delete."""
    return override.lstrip("+~").split("=")[0]


def is_hydras(override: str) -> bool:
    """Whether an override is about Hydra itself, its launcher for example."""
    return key_of(override).startswith(("hydra.", "hydra/"))


def without_plus(overrides: Sequence[str]) -> list[str]:
    """``+experiment=mine`` as ``experiment=mine``: every group has a choice already, so that Hydra would add none."""
    return [one.lstrip("+") if key_of(one) in GROUPS and "@" not in one else one for one in overrides]


def user_folders(overrides: Sequence[str], config_dir: str | Path | None) -> list[Path]:
    """Folders that a user adds to the search path: ``--config-dir`` and ``hydra.searchpath=[file://…]``."""
    folders = [Path(config_dir).absolute()] if config_dir else []
    for override in overrides:
        if key_of(override) == "hydra.searchpath":
            listed = (entry.strip(" '\"") for entry in override.partition("=")[2].strip("[]").split(","))
            folders += [
                Path(entry.removeprefix("file://")).absolute() for entry in listed if entry.startswith("file://")
            ]
    absent = [folder for folder in folders if not folder.is_dir()]
    if absent:
        raise Refusal(
            [
                Problem(
                    f"{folder} is not a folder",
                    "configuration files are looked for in it",
                    "--config-dir",
                    "an existing folder with groups such as backbone/",
                )
                for folder in absent
            ]
        )
    return folders


def available(group: str, folders: Sequence[Path]) -> list[str]:
    """All options of a group, the shipped ones and the user's."""
    return sorted({name for folder in (None, *folders) for name in options(group, folder)})
