"""Facts about the files that ship: which models there are, which names fit together, which rules were changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from aistudio.config import rules
from aistudio.config.groups import Tree, merged, options, tree
from aistudio.config.plain import as_dict
from aistudio.safety.conf_folder import conf_folder


def section(group: str, option: str) -> Tree:
    """The section of a shipped file that is named as its group, over what ``config.yaml`` says of every one."""
    return merged(tree("", "config").get(group, {}), tree(group, option)[group])


def fitting_backbones(task: str, architecture: str) -> list[str]:
    """The shipped backbones that a task and an architecture both take."""
    return [name for name in options("backbone") if not pair_problems(name, task, architecture)]


def pair_problems(backbone: str, task: str, architecture: str) -> list[Any]:
    """How the rules judge three names of shipped files, without composing them: fast enough for whole tables."""
    config = {
        "backbone": section("backbone", backbone),
        "task": section("task", task),
        "architecture": section("architecture", architecture),
    }
    return rules.fit(config, {"backbone": backbone, "task": task, "architecture": architecture})


def changed_rules(config: Mapping[str, Any]) -> list[str]:
    """In words, what a resolved configuration says otherwise than the shipped rules of its task and architecture."""
    found = []
    for group in ("task", "architecture"):
        given = config[group].get("rules") or {}
        shipped = [rules or {} for rules in _shipped_rules(group, config[group]["name"], config["backbone"]["name"])]
        for rule in dict.fromkeys(rule for one in (*shipped, given) for rule in one) if shipped else ():
            now, were = given.get(rule, {}), [one.get(rule, {}) for one in shipped]
            if now not in were:
                changed = [key for key in {**were[0], **now} if were[0].get(key) != now.get(key)]
                found += [
                    f"{group}.rules.{rule}.{key}={now.get(key)}, shipped is {were[0].get(key)}" for key in changed
                ]
    return found


def _shipped_rules(group: str, name: str, backbone: str) -> list[Any]:
    """The rules of the shipped files that make something of this name: a family's and a full name's may both do."""
    names = {option: tree(group, option)[group]["name"] for option in options(group)}
    named = [option for option, said in names.items() if said.replace("${backbone.name}", backbone) == name]
    return [section(group, option).get("rules") for option in named]


def models() -> list[tuple[str, str, str]]:
    """Every model that ships, once, as (task, architecture, backbone): full names only repeat what families have."""
    return [
        (task, architecture, backbone)
        for task in options("task")
        for architecture in families()
        for backbone in fitting_backbones(task, architecture)
    ]


def families() -> list[str]:
    """The architectures that are named as none of the models that they make."""
    return [name for name in options("architecture") if name not in _full_names(section("architecture", name)["name"])]


def _full_names(name: str) -> set[str]:
    """The models that an architecture's name stands for, where it has the backbone's in it."""
    written = "${backbone.name}"
    return {name.replace(written, backbone) for backbone in options("backbone")} if written in name else set()


def defaults_of(group: str, option: str) -> list[Any]:
    """The defaults list of a shipped file."""
    return as_dict(OmegaConf.load(conf_folder() / group / f"{option}.yaml")).get("defaults", [])


def default_architecture(task: str) -> str:
    """The architecture that a task's file brings along (``override /architecture``)."""
    return next(entry["override /architecture"] for entry in defaults_of("task", task) if isinstance(entry, dict))
