"""What somebody wrote down, and what was left to be found."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

LABELLED = "aistudio.data.Labelled"


def names_labelled(config: Any) -> bool:
    """Whether a configuration names data with labels, as it is written; nothing is looked up for it."""
    raw = OmegaConf.to_container(config) if isinstance(config, DictConfig) else config
    section = raw.get("data") if isinstance(raw, dict) else None
    return isinstance(section, dict) and section.get("_target_") == LABELLED


def stated_outputs(config: DictConfig, key: str | None) -> int | None:
    """The number of classes or values (``task.KEY``) that somebody wrote down; None where it is left to the data."""
    found = config.data.get("num_classes") is not None
    if key is None or found or OmegaConf.is_interpolation(config.task, key):
        return None
    return int(config.task[key])
