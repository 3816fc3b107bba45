"""A configuration with as many classes or values as its labelled data has."""

from __future__ import annotations

from omegaconf import DictConfig, open_dict

from aistudio.audit import Audit, Labels, audit_configured, labels_configured, outputs_found, outputs_key, task_of
from aistudio.config.compose import Judged, resolve, settle
from aistudio.config.stated import names_labelled, stated_outputs


def with_found_classes(cfg: DictConfig, labels: Labels | None = None) -> DictConfig:
    """``data.num_classes`` set to what the data has, where it is labelled and nobody said how many there are.

    ``labels`` are read where they are not at hand. Raises `Refusal` for a number that contradicts the data.
    """
    if not isinstance(cfg, DictConfig) or not names_labelled(cfg):
        return cfg
    settled, obstacles = resolve(cfg)
    if obstacles:
        return cfg
    key = outputs_key(settled.values)
    if key is None or cfg.data.get("num_classes") is not None:
        return cfg
    stated = stated_outputs(cfg, key)
    if labels is None:
        labels = labels_configured(settled.values, stated)
    if stated is not None:
        return cfg
    found = cfg.copy()
    with open_dict(found):
        found.data.num_classes = outputs_found(labels, task_of(settled.values))
    return found


def audit_labelled(cfg: DictConfig, judged: Judged) -> Audit | None:
    """The audit of labelled data; None where the configuration names none."""
    if not names_labelled(cfg):
        return None
    return audit_configured(judged.values, stated_outputs(cfg, outputs_key(judged.values)))


def with_labels(cfg: DictConfig, judged: Judged, audit: Audit | None) -> Judged:
    """What was judged, with as many classes as labelled data has: judged anew only where that says more."""
    found = with_found_classes(cfg, audit.labels if audit else None)
    return judged if found is cfg else settle(found)
