"""What there is to choose: the files of ``conf/``, read as plain data; ``python -m aistudio.catalog`` prints them.

Reading a file here does not compose it: interpolations stay as written and ``override`` entries are passed over, but
a file that builds on another of its group (``defaults: [quick]``) holds what that one says, too.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from aistudio import rules
from aistudio.shipped import conf_folder

if TYPE_CHECKING:
    from rich.table import Table

GROUPS = ("runtime", "data", "sanity", "backbone", "architecture", "task", "experiment")
Tree = dict[str, Any]


def options(group: str, folder: Path | None = None) -> list[str]:
    """Names of the files of a group, sorted; of the shipped configuration or of a user's folder."""
    return sorted(path.stem for path in ((folder or conf_folder()) / group).glob("*.yaml"))


@cache
def tree(group: str, option: str, folder: Path | None = None) -> Tree:
    """What a file of a group adds to the configuration, as a tree from the top (``{"backbone": {"name": …}}``).

    ``option="config"`` with ``group=""`` is the primary file. A user's file may build on a shipped one. Unresolved;
    treat as read-only, for it is cached. What is in neither folder is empty.
    """
    places = [place / group / f"{option}.yaml" for place in (folder, conf_folder()) if place]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    own = OmegaConf.to_container(OmegaConf.load(path))
    defaults = own.pop("defaults", [])
    if not group or "@package _global_" in path.read_text(encoding="utf-8").split("\n\n")[0]:
        result: Tree = {}
    else:
        result, own = {}, {group: own}
    for parent in parents(defaults) if group else ():
        result = merged(result, tree(group, parent, folder))
    return merged(result, own)


def parents(defaults: Sequence[Any]) -> list[str]:
    """The files of its own group that a defaults list builds on."""
    return [entry.split("@")[0] for entry in defaults if isinstance(entry, str) and entry != "_self_"]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """Two trees in one: mappings are joined, anything else of ``over`` replaces what ``base`` has."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


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


def changed_rules(config: Tree) -> list[str]:
    """In words, what a resolved configuration says otherwise than the shipped rules of its task and architecture."""
    found = []
    for group in ("task", "architecture"):
        given = config[group].get("rules") or {}
        shipped = [rules or {} for rules in shipped_rules(group, config[group]["name"], config["backbone"]["name"])]
        for rule in dict.fromkeys(rule for one in (*shipped, given) for rule in one) if shipped else ():
            now, were = given.get(rule, {}), [one.get(rule, {}) for one in shipped]
            if now not in were:
                changed = [key for key in {**were[0], **now} if were[0].get(key) != now.get(key)]
                found += [
                    f"{group}.rules.{rule}.{key}={now.get(key)}, shipped is {were[0].get(key)}" for key in changed
                ]
    return found


def shipped_rules(group: str, name: str, backbone: str) -> list[Any]:
    """The rules of the shipped files that make something of this name: a family's and a full name's may both do."""
    sections = (section(group, option) for option in options(group))
    return [one.get("rules") for one in sections if one["name"].replace("${backbone.name}", backbone) == name]


def models() -> list[tuple[str, str, str]]:
    """Every model that ships, once, as (task, architecture, backbone): full names only repeat what families have."""
    families = [name for name in options("architecture") if not parents(defaults_of("architecture", name))]
    return [
        (task, architecture, backbone)
        for task in options("task")
        for architecture in families
        for backbone in fitting_backbones(task, architecture)
    ]


def defaults_of(group: str, option: str) -> list[Any]:
    """The defaults list of a shipped file."""
    loaded = OmegaConf.load(conf_folder() / group / f"{option}.yaml")
    return OmegaConf.to_container(loaded).get("defaults", [])


def default_architecture(task: str) -> str:
    """The architecture that a task's file brings along (``override /architecture``)."""
    return next(entry["override /architecture"] for entry in defaults_of("task", task) if isinstance(entry, dict))


def main() -> int:
    """Print the catalog: backbones with their facts, tasks and architectures with what they take."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    for table in (backbone_table(), task_table(), architecture_table()):
        console.print(table)
    console.print("Parameters, GMACs and ImageNet top-1 are torchvision's published figures of the full classifier.")
    return 0


def backbone_table() -> Table:
    """Every backbone, by family and size, with its published figures and the channels that it gives."""
    columns = ("name", "family", "parameters", "GMACs", "at px", "top-1 %", "channels at strides 4, 8, 16, 32")
    table = ruled("backbone=", columns, right=range(2, 6))
    facts = [section("backbone", name) for name in options("backbone")]
    for one in sorted(facts, key=lambda fact: (fact["published"]["family"], fact["published"]["parameters"])):
        known = one["published"]
        size, arithmetic = f"{known['parameters'] / 1e6:.1f} M", f"{known['gmacs']:.2f}"
        channels = ", ".join(str(count) for count in one["taps"].values())
        top1 = f"{known['top1']:.1f}"
        table.add_row(one["name"], known["family"], size, arithmetic, str(known["gmacs_at"]), top1, channels)
    return table


def task_table() -> Table:
    """Every task with the architecture that it brings and the backbones that it takes."""
    table = ruled("task=", ("name", "architecture by default", "backbones"))
    for name in options("task"):
        table.add_row(name, default_architecture(name), backbones_in_words(section("task", name)))
    return table


def architecture_table() -> Table:
    """Every architecture with the tasks that it is for and the backbones that it takes."""
    table = ruled("architecture=", ("name", "for", "backbones"))
    for name in options("architecture"):
        facts = section("architecture", name)
        table.add_row(name, ", ".join(facts["tasks"]), backbones_in_words(facts))
    return table


def backbones_in_words(facts: Mapping[str, Any]) -> str:
    """The backbones that a task or an architecture takes."""
    allow = rules.allowed_backbones(facts)["allow"]
    return "any" if allow == "any" else ", ".join(allow)


def ruled(title: str, columns: Sequence[str], right: Container[int] = ()) -> Table:
    """An empty table under a title; the columns in ``right`` hold numbers."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    return table


if __name__ == "__main__":
    sys.exit(main())
