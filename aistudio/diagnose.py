"""What is wrong with overrides and files, in words: what Hydra refuses in its own, and what it lets pass in silence.

Hydra stops at the first mistake, accepts misspelt keys from YAML files, and passes over a user's file that has the name
of a shipped one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from aistudio import rules
from aistudio.catalog import GROUPS, Tree, merged, options, tree
from aistudio.errors import Problem
from aistudio.limits import lookup, show, suggest
from aistudio.search import HYDRA_ERRORS, Uncomposable, available, hydra_composed, key_of, quoted, without_hydra
from aistudio.shipped import conf_folder

# What Hydra's grammar raises: ValueError for a number of 5,000 digits, RecursionError for a thousand brackets.
NOT_READ = (HydraException, ValueError, RecursionError)
COMMAND_LINE = "the command line"
EXTRAS = {  # launchers and the extras that they need
    "side_by_side": "joblib",
    "joblib": "joblib",
    "slurm": "submitit",
    "submitit_slurm": "submitit",
    "submitit_local": "submitit",
    "ray": "ray",
}


def shadowed_files(folders: Sequence[Path]) -> Iterator[Problem]:
    """Files of a user that have the name of a shipped one: Hydra would pass over them without a word."""
    for folder in folders:
        for group in GROUPS:
            for name in sorted({*options(group, folder)} & {*options(group)}):
                why = "aistudio ships a file of that name, which would be taken in its place"
                yield Problem(
                    f"{group}={name} is taken",
                    why,
                    str(folder / group / f"{name}.yaml"),
                    f"another name, such as my_{name}",
                )


def several_files(choices: Mapping[str, Any], overrides: Sequence[str]) -> Iterator[Problem]:
    """Groups for which Hydra merged a list of files into one (``backbone=[a,b]``) and so made no choice."""
    for group in GROUPS:
        given = next((override for override in overrides if key_of(override) == group), group)
        if group not in choices and not given.startswith("~"):
            instead = f"one of them, or python -m aistudio -m {given.replace('[', '').replace(']', '')}"
            yield Problem(f"{given} names several files", "one run takes one", COMMAND_LINE, instead)


def misnamed(config: Tree, chosen: Mapping[str, str]) -> Iterator[Problem]:
    """A section that goes by another name than its file: rules go by the name, and would judge what is not there."""
    for group in ("backbone", "task"):
        option, section = chosen.get(group), config.get(group)
        name = section.get("name") if isinstance(section, Mapping) else option
        if option in options(group) and name != option:
            what = f"{group}.name={show(name)} contradicts {group}={option}"
            yield Problem(what, "rules go by the name", f"conf/{group}/{option}.yaml · name", f"{group}={show(name)}")


RENAMED: dict[str, str] = {}  # keys that a release had: their names now. An entry stays for good
ABSENT = re.compile(
    r"In '(.+?)': Could not find '(?P<group>\w+)/(?P<name>[\w.-]+)'\s+Available options in '\w+':(?P<known>.*)", re.S
)


def in_its_own_words(error: Exception) -> Problem:
    """An error of Hydra or OmegaConf that nothing else explains, in its own first words."""
    if isinstance(error, Uncomposable):
        return error.problem
    text = str(error).partition("Config search path")[0]
    if absent := ABSENT.search(text):
        group, name = absent["group"], absent["name"]
        why = f"a defaults list names it{f' in {absent[1]}' if absent[1] != 'config' else ''}"
        return Problem(f"{group}={name} does not exist", why, f"conf/{group}/", suggest(name, absent["known"].split()))
    first, *rest = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return Problem(first, ", ".join(rest).replace(":,", ":"), "the configuration", "see python -m aistudio --help")


def faulty_overrides(overrides: Sequence[str], folders: Sequence[Path]) -> tuple[list[Problem], list[str] | None]:
    """What is wrong with each override, looked at one by one, and the overrides as they may have been meant.

    In the second, a misspelt option is replaced by the nearest one and an override that cannot be read or has no key
    is left out; it is None where an option has none near, for then nothing can be said of the rest.
    """
    problems: list[Problem] = []
    mended: list[str] | None = []
    parsed: list[Override] = []
    for override in overrides:
        problem, mend = syntax_or_choice(override, folders)
        problems += [problem] if problem else []
        mended = (
            None
            if mended is None or (mend is None and problem and key_of(override) in GROUPS)
            else [*mended, *([mend] if mend else [])]
        )
        parsed += [OverridesParser.create().parse_override(mend)] if mend else []
    known = known_to(parsed, folders)
    for override in parsed:
        if (
            known
            and not override.is_add()
            and override.key_or_group not in GROUPS
            and override.key_or_group.replace("/", ".").split(".")[0]
            not in ("hydra", *(GROUPS if mended is None else ()))
        ):
            fault = unknown_key(override.key_or_group.split("."), known)
            if fault:
                problems.append(Problem(fault[0], fault[1], COMMAND_LINE, fault[2]))
                mended = mended and [kept for kept in mended if kept != override.input_line]
    return problems, mended


def syntax_or_choice(override: str, folders: Sequence[Path]) -> tuple[Problem | None, str | None]:
    """What is wrong with one override's form or choice, and the override as it may have been meant."""
    try:
        parsed = OverridesParser.create().parse_override(override)
    except NOT_READ:
        why = "Hydra reads KEY=VALUE, +KEY=VALUE to add a key, ~KEY to take one away"
        return Problem(
            f"{override!r} cannot be read", why, COMMAND_LINE, "section.key=VALUE, such as task.num_classes=10"
        ), None
    group = parsed.key_or_group
    if parsed.is_sweep_override():
        return Problem(
            f"{override} names several values",
            "one run takes one value",
            COMMAND_LINE,
            f"python -m aistudio -m {override}",
        ), None
    if group == "hydra/launcher":
        problem = absent_launcher(show(parsed.value()), folders)
        return problem, None if problem else override
    if group not in GROUPS or parsed.is_delete() or (parsed.value() is None and group == "experiment"):
        return None, override
    there, name = available(group, folders), show(parsed.value())
    said = override.partition("=")[2]
    if said in there and said != name:  # a file whose name Hydra reads as a list, a mapping, a quotation
        instead = f"{group}={quoted(said)}"
        return Problem(f"{override} is read as {name}", "Hydra's grammar has its signs", COMMAND_LINE, instead), None
    if name in there:
        return None, override
    where = " and ".join([f"conf/{group}/", *(str(folder / group) for folder in folders)])
    near = get_close_matches(name, there, n=1, cutoff=0.5)
    problem = Problem(
        f"{group}={name} does not exist", "no file of that name is in the group", where, suggest(name, there)
    )
    return problem, f"{group}={quoted(near[0])}" if near else None


def absent_launcher(name: str, folders: Sequence[Path]) -> Problem | None:
    """What is wrong with a launcher that Hydra does not find: each comes with a package of its own."""
    try:
        hydra_composed([f"hydra/launcher={name}"], folders)
    except HYDRA_ERRORS as error:
        if any(name in options("hydra/launcher", folder) for folder in folders):  # it is there, and cannot be read
            return in_its_own_words(error)
        extra = EXTRAS.get(name)
        instead = f"pip install 'aistudio[{extra}]'" if extra else suggest(name, ["basic", *EXTRAS])
        why = "its package is not installed" if extra else "no launcher of that name is known"
        return Problem(f"hydra/launcher={name} is not there", why, COMMAND_LINE, instead)
    return None


def known_to(parsed: Sequence[Override], folders: Sequence[Path]) -> Tree:
    """The configuration's keys under the choices among the overrides; empty if not even those compose."""
    choices = [override.input_line for override in parsed if override.key_or_group in GROUPS]
    try:
        return OmegaConf.to_container(without_hydra(hydra_composed(choices, folders)))
    except HYDRA_ERRORS:
        return {}


def unknown_key(path: Sequence[str], known: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """What, why and instead for a key that ``known`` does not have; None if it has it."""
    node: Any = known
    name = ".".join(path)
    for depth, part in enumerate(path):
        above = ".".join(path[:depth])
        if not isinstance(node, Mapping):
            return f"{name} is unknown", f"{above} is a value and holds no keys", above
        if part not in node:
            return (
                f"{name} is unknown",
                f"{above or 'the configuration'} has no key {part}",
                siblings(above, node, ".".join(path[: depth + 1])),
            )
        node = node[part]
    return None


def siblings(above: str, node: Mapping[str, Any], name: str) -> str:
    """The keys of a section in full, the nearest to ``name`` first; of a key that was renamed, its name now."""
    if name in RENAMED:
        return f"{RENAMED[name]}, its name now"
    return suggest(name, [f"{above}.{key}" if above else key for key in node if not str(key).startswith("_")])


def unknown_keys(
    config: Tree, chosen: Mapping[str, str], folders: Sequence[Path], overrides: Sequence[str]
) -> Iterator[Problem]:
    """Keys of a composed configuration that nobody reads: misspelt in a user's YAML, or added on the command line."""
    known = merged(tree("", "config"), {group: {"rules": rules.KEYS} for group in ("task", "architecture")})
    for group, option in chosen.items():
        if group != "experiment":
            known = merged(
                known, tree(group, option) if option in options(group) else made_alike(group, config.get(group))
            )
    for path, node in strangers(config, known):
        above = ".".join(path[:-1])
        why = f"{above or 'the configuration'} has no key {path[-1]}"
        yield Problem(
            f"{'.'.join(path)} is unknown",
            why,
            origin(path, chosen, folders, overrides),
            siblings(above, node, ".".join(path)),
        )


def made_alike(group: str, own: Any) -> Tree:
    """For a user's file: the keys of the shipped files that make the same object, so that a misspelt one is seen."""
    target = own.get("_target_") if isinstance(own, Mapping) else None
    result: Tree = {}
    for name in options(group):
        document = tree(group, name)
        if target and document.get(group, {}).get("_target_") == target:
            result = merged(result, document)
    return result


def strangers(
    node: Mapping[str, Any], known: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Paths of unknown keys, each with the known section that it would be in.

    Free are the insides of what aistudio does not read itself: the arguments of an object of the user's or of another
    library (``_target_``), which are checked once that library is in, and mappings where the default is no mapping.
    """
    target = str(node.get("_target_", ""))
    free = target != known.get("_target_", "") or (target and not target.startswith("aistudio."))
    for key, value in node.items():
        if key not in known:
            made_here = isinstance(value, Mapping) and "_target_" in value
            if not free and not made_here and key != "_target_":
                yield (*path, str(key)), known
        elif isinstance(value, Mapping) and isinstance(known[key], Mapping):
            yield from strangers(value, known[key], (*path, str(key)))


def origin(path: Sequence[str], chosen: Mapping[str, str], folders: Sequence[Path], overrides: Sequence[str]) -> str:
    """Where a key was written: the command line, or the file among the chosen ones that has it."""
    name = ".".join(path)
    if any(key_of(override) == name for override in overrides):
        return COMMAND_LINE
    for group, option in chosen.items():
        for folder in (*folders, conf_folder()):
            if option in options(group, folder) and lookup(tree(group, option, folder), name)[0]:
                return f"{group}/{option}.yaml in {folder if folder in folders else 'conf'}"
    return name
