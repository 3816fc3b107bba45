"""What may go with what: from a plain configuration to problems.

The rules themselves are data. ``conf/task/*.yaml`` and ``conf/architecture/*.yaml`` say which backbones they take and
which sizes they need, each with its reason; this file only compares. ``limits.py`` has what holds for single values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aistudio.config import trust
from aistudio.config.cards import card_problems
from aistudio.config.groups import options, tree
from aistudio.config.limits import limit_problems
from aistudio.config.values import MISSING, Config, is_a, lookup, show
from aistudio.config.weights import frozen_problems, weight_problems
from aistudio.errors import Problem


def judge(config: Config, files: Mapping[str, str] | None = None) -> list[Problem]:
    """All that cannot work in ``config``, a resolved plain configuration; an empty list when it can be assembled.

    ``files`` maps a group (``"task"``) to the option that was chosen (``"segmentation"``), so that a problem can name
    the file; without it, the names inside the configuration are taken.
    """
    names = {group: str(config[group].get("name", "?")) for group in ("backbone", "architecture", "task")}
    names |= {group: option for group, option in (files or {}).items() if group in names}
    misshapen = [*_shape_problems(config, names)]
    if misshapen:  # nothing can be compared with a rule that cannot be read
        return misshapen
    missing = map(missing_value, missing_keys(config))
    unfit = fit(config, names)
    targets = trust.target_problems(config)
    if unfit:  # a family's interpolated name of a model that it does not build says nothing more
        targets = [problem for problem in targets if "no public name" not in problem.what]
    return [
        *targets,
        *missing,
        *unfit,
        *_size_problems(config, names),
        *_loss_problems(config, names),
        *limit_problems(config),
        *card_problems(config),
        *weight_problems(config),
        *frozen_problems(config),
        *_folder_problems(config),
    ]


def _shape_problems(config: Config, names: Mapping[str, str]) -> Iterator[Problem]:
    """Rules, of a user's file or override, that are not the mappings that this file reads."""
    for group in ("task", "architecture"):
        rules = config[group].get("rules") or {}
        fields = (
            [f".{name}" for name, rule in rules.items() if not isinstance(rule, Mapping)]
            if isinstance(rules, Mapping)
            else [""]
        )
        for field in fields:
            where = f"conf/{group}/{names[group]}.yaml · rules{field}"
            yield Problem(
                f"{group}.rules{field} cannot be read",
                "a rule holds keys such as allow, at_least, because",
                where,
                "backbones: {allow: any}",
            )
    tasks = config["architecture"].get("tasks")
    if tasks != "any" and not (isinstance(tasks, list) and all(isinstance(task, str) for task in tasks)):
        where = f"conf/architecture/{names['architecture']}.yaml · tasks"
        why = "it lists the tasks that the architecture is for"
        yield Problem(f"architecture.tasks={show(tasks)} cannot be read", why, where, "any, or a list of names")


def fit(config: Config, names: Mapping[str, str]) -> list[Problem]:
    """Whether backbone, architecture and task go together: the three rules that a pair is judged by."""
    task, architecture, backbone = (config[group] for group in ("task", "architecture", "backbone"))
    of_task = allowed_backbones(task)
    of_architecture = allowed_backbones(architecture)
    problems = [
        *_backbone_problems("task", names, backbone["name"], of_task),
        *_architecture_problems(names, task, architecture),
    ]
    if problems:  # the architecture's own list would only repeat what was said, or speak of an architecture to be left
        return problems
    return _backbone_problems("architecture", names, backbone["name"], of_architecture, within=of_task)


def allowed_backbones(section: Config) -> Mapping[str, Any]:
    """The rule on backbones of a task or an architecture; ``allow: any`` where none is written."""
    return (section.get("rules") or {}).get("backbones") or {"allow": "any"}


def takes(rule: Mapping[str, Any], backbone: str) -> bool:
    """Whether a rule on backbones lets this one pass."""
    allow = rule.get("allow")
    return allow == "any" or (isinstance(allow, Sequence) and not isinstance(allow, str) and backbone in allow)


def _backbone_problems(
    group: str,
    names: Mapping[str, str],
    backbone: str,
    rule: Mapping[str, Any],
    within: Mapping[str, Any] | None = None,
) -> list[Problem]:
    """A problem if ``rule`` of the task or architecture does not take the backbone; choices also obey ``within``."""
    if takes(rule, backbone):
        return []
    where = f"conf/{group}/{names[group]}.yaml · rules.backbones"
    allow = rule.get("allow")
    if not isinstance(allow, Sequence) or isinstance(allow, str):
        why = f"allow is {allow!r}"
        return [
            Problem(
                f"the rule on backbones of {group}={names[group]} cannot be read",
                why,
                where,
                "allow: any, or a list of names",
            )
        ]
    choices = [name for name in allow if within is None or takes(within, name)]
    instead = rule.get("instead") or ", ".join(map(str, choices)) or f"another {group}"
    return [
        Problem(f"backbone={backbone} does not fit {group}={names[group]}", rule.get("because", ""), where, instead)
    ]


def _architecture_problems(names: Mapping[str, str], task: Config, architecture: Config) -> list[Problem]:
    """A problem if the architecture was built for other tasks; a user's task of a shipped class counts as that one."""
    tasks = architecture["tasks"]
    alike = {name for name in options("task") if tree("task", name)["task"]["_target_"] == task.get("_target_")}
    if tasks == "any" or not alike.isdisjoint(tasks) or task["name"] in tasks:
        return []
    name = names["architecture"]
    return [
        Problem(
            f"architecture={name} does not fit task={names['task']}",
            f"it is built for {' and '.join(map(str, tasks))}",
            f"conf/architecture/{name}.yaml · tasks",
            f"{' or '.join(f'task={other}' for other in tasks)}; or no architecture=, for the task brings its own",
        )
    ]


BOUND = {"at_least": None, "because": None}
KEYS = {  # what a rule of a task or an architecture may say
    "backbones": {"allow": None, "because": None, "instead": None},
    "image_size": BOUND,
    "batch_size": BOUND,
    "num_classes": BOUND,
    "batch_of_one": {"image_size_at_least": None, "because": None},
    "losses": {"refuse": None, "because": None, "instead": None},
}
_MINIMA = (  # the section that has the rule, its name there, and the value that it speaks of
    ("architecture", "image_size", "task.image_size"),
    ("architecture", "batch_size", "data.batch_size"),
    ("task", "num_classes", "task.num_classes"),
)


def _size_problems(config: Config, names: Mapping[str, str]) -> list[Problem]:
    """Sizes and counts that the architecture or the task cannot take, or cannot train on."""
    problems = []
    for group, field, key in _MINIMA:
        rule = (config[group].get("rules") or {}).get(field, {})
        value, minimum = lookup(config, key)[1], rule.get("at_least")
        if below(value, minimum):
            what = f"{key}={value} is too small for {group}={names[group]}"
            where = f"conf/{group}/{names[group]}.yaml · rules.{field}"
            problems.append(Problem(what, rule.get("because", ""), where, f"{key}={minimum} or more"))
    return problems or _alone_problems(config, names)


def _alone_problems(config: Config, names: Mapping[str, str]) -> list[Problem]:
    """A batch of one image that leaves batch norm a single value a channel, where the architecture says so."""
    rule = (config["architecture"].get("rules") or {}).get("batch_of_one", {})
    size, minimum = config["task"].get("image_size"), rule.get("image_size_at_least")
    if lookup(config, "data.batch_size")[1] != 1 or not below(size, minimum):
        return []
    what = f"data.batch_size=1 cannot train at task.image_size={size}"
    where = f"conf/architecture/{names['architecture']}.yaml · rules.batch_of_one"
    return [Problem(what, rule.get("because", ""), where, f"data.batch_size=2 or task.image_size={minimum}")]


def _loss_problems(config: Config, names: Mapping[str, str]) -> list[Problem]:
    """A loss that is for other targets than those of the task."""
    loss, rule = config["task"].get("loss"), (config["task"].get("rules") or {}).get("losses") or {}
    target = loss.get("_target_") if isinstance(loss, Mapping) else None
    if target not in (rule.get("refuse") or ()):
        return []
    what, where = f"task.loss._target_={target} does not fit", f"conf/task/{names['task']}.yaml · rules.losses"
    return [Problem(f"{what} task={names['task']}", rule.get("because", ""), where, rule.get("instead", ""))]


def _folder_problems(config: Config) -> list[Problem]:
    """A folder of images that is not there, or none named where a source that ships needs one."""
    present, root = lookup(config, "data.root")
    ours = str(config["data"].get("_target_", "")).startswith("aistudio.") if present else False
    if not present or root == MISSING or (root is None and not ours) or (isinstance(root, str) and is_folder(root)):
        return []
    what = f"data.root={show(root)} {'names no folder' if root in (None, '') else 'is not a folder'}"
    return [Problem(what, "images are looked for in it", "data.root", "an existing folder")]


def is_folder(path: str) -> bool:
    """Whether there is such a folder; no name is too long, and no home too unknown, to ask."""
    try:
        return bool(path) and Path(path).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False


def below(value: Any, minimum: Any) -> bool:
    """Whether both are numbers and the first is less; what is no number is for ``limit_problems`` to say."""
    return is_a(value, float) and is_a(minimum, float) and 0 < value < minimum


def missing_value(key: str) -> Problem:
    """A value that has no default and was not given."""
    return Problem(
        f"{key} is missing", "it has no default", key, f"{key}={'FOLDER' if key.endswith('.root') else 'VALUE'}"
    )


def missing_keys(node: Any, path: str = "") -> Iterator[str]:
    """Dotted names of the values that are still ``???``."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from missing_keys(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from missing_keys(value, f"{path}[{index}]")
    elif node == MISSING:
        yield path
