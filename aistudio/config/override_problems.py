"""What is wrong with overrides, in words: Hydra stops at the first mistake and says it in its own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from aistudio.config import key_problems
from aistudio.config.advice import option_here
from aistudio.config.groups import GROUPS, OPTIONAL, Tree, available, options, tree
from aistudio.config.hydra import HYDRA_ERRORS, hydra_composed, without_hydra
from aistudio.config.key_problems import NOT_READ, unknown_key
from aistudio.config.overrides import COMMAND_LINE, Uncomposable, key_of, quoted
from aistudio.config.plain import as_dict
from aistudio.config.values import lookup, show, suggest
from aistudio.errors import Problem

_EXTRAS = {  # launchers and the extras that they need
    "side_by_side": "joblib",
    "joblib": "joblib",
    "slurm": "submitit",
    "submitit_slurm": "submitit",
    "submitit_local": "submitit",
    "ray": "ray",
}


def several_files(choices: Mapping[str, Any], overrides: Sequence[str]) -> Iterator[Problem]:
    """Groups for which Hydra merged a list of files into one (``backbone=[a,b]``) and so made no choice."""
    for group in GROUPS:
        given = next((override for override in overrides if key_of(override) == group), group)
        if group not in choices and group != "gpu" and not given.startswith("~"):
            instead = f"one of them, or python -m aistudio -m {given.replace('[', '').replace(']', '')}"
            yield Problem(f"{given} names several files", "one run takes one", COMMAND_LINE, instead)


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
        return key_problems.absent(group, name, absent["known"].split(), why, f"conf/{group}/")
    first, *rest = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return Problem(first, ", ".join(rest).replace(":,", ":"), "the configuration", "see python -m aistudio --help")


@dataclass(frozen=True)
class Faults:
    """What is wrong with overrides, looked at one by one, and the overrides as they may have been meant.

    In ``mended`` a misspelt option is replaced by the one that was meant; what cannot be read, has no key or has no
    such option is left out. ``open`` are the sections of which nothing can be said then, and the keys left out.
    ``composed`` is what Hydra makes of ``mended``, where that was needed to know the keys.
    """

    problems: list[Problem]
    mended: list[str]
    open: frozenset[str]
    composed: DictConfig | None = None

    def bears(self, problem: Problem) -> bool:
        """Whether a problem of the mended overrides is one of those that were given, too."""
        words = {*re.findall(r"[\w.]+", problem.what)}
        return not any(word == one or word.startswith(f"{one}.") for word in words for one in self.open)


_BRINGS = {  # what else the file of a group sets, so that nothing can be said of it once there is no such file
    "task": ("task", "architecture"),
    "experiment": GROUPS,
}


def faulty_overrides(overrides: Sequence[str], folders: Sequence[Path]) -> Faults:
    """What is wrong with each override, and what is left to judge."""
    problems: list[Problem] = []
    parsed: list[Override] = []
    left_open: set[str] = set()
    for override in overrides:
        problem, mend = _syntax_or_choice(override, folders)
        problems += [problem] if problem else []
        parsed += [OverridesParser.create().parse_override(mend)] if mend else []
        if not mend:
            key = key_of(override)
            left_open.update(_BRINGS.get(key, (key,)))
    choices = [str(one.input_line) for one in parsed if one.key_or_group in GROUPS]
    composed, mended = _composed(choices, folders), []
    known = as_dict(without_hydra(composed)) if composed is not None else {}
    for one in parsed:
        key = one.key_or_group
        section = key.replace("/", ".").split(".")[0]
        ours = known and key not in GROUPS and not one.is_add() and section not in ("hydra", *left_open)
        if fault := unknown_key(key.split("."), known, _value_typed(one)) if ours else None:
            problems.append(Problem(fault[0], fault[1], COMMAND_LINE, fault[2]))
            left_open.add(key)
        elif problem := _no_section(one, known) if ours else None:
            problems.append(problem)
            left_open.add(key)
        elif section not in left_open or key in GROUPS:
            mended.append(str(one.input_line))
    return Faults(problems, mended, frozenset(left_open), composed if mended == choices else None)


def names_nothing(override: str, folders: Sequence[Path]) -> bool:
    """Whether an override plainly chooses or sets what is not there, so that Hydra need not be asked."""
    key, _, name = override.partition("=")
    if key not in GROUPS:
        return not folders and key.isidentifier() and key not in tree("", "config")
    if not re.fullmatch(r"[A-Za-z][\w-]*", name) or (name == "null" and key in OPTIONAL):
        return False
    return name not in available(key, folders)


def _no_section(override: Override, known: Tree) -> Problem | None:
    """The answer to what is no section in the place of one, or has keys that it lacks: a + alone adds them."""
    key, value = override.key_or_group, override.value()
    section = lookup(known, key)[1]
    if isinstance(value, list) and isinstance(section, Mapping):
        instead = f"{key}.NAME=VALUE sets one of its keys, ~{key}.NAME takes one away"
        return Problem(f"{key}={show(value)} is a list", f"{key} holds keys and values", COMMAND_LINE, instead)
    if not isinstance(value, Mapping) or not isinstance(section, Mapping):
        return None
    if not (new := [str(name) for name in value if str(name) not in section]):
        return None
    if "_target_" not in section:
        what, why, instead = unknown_key([*key.split("."), new[0]], known, None) or ("", "", "")
        return Problem(what, why, COMMAND_LINE, instead)
    what, why = f"{key} has no {', '.join(new)} that could be set", "a + before the name adds to a section"
    return Problem(what, why, COMMAND_LINE, shlex.quote(f"+{override.input_line}"))


def _not_read(override: str) -> Problem:
    """What Hydra's grammar does not take."""
    why = "Hydra reads KEY=VALUE, +KEY=VALUE to add a key, ~KEY to take one away"
    instead = "section.key=VALUE, such as task.num_classes=10"
    key, sign, value = override.partition("=")
    if sign and re.fullmatch(r"[+\w./@]+", key):
        why = "a value with other signs than letters, digits and .-_/: stands in quotes"
        whole = f"{key}={quoted(value)}"
        whole = shlex.quote(whole) if re.search(r'["$`\\\\!]', whole) else f'"{whole}"'
        instead = f"section.key=VALUE, here {whole}"
    if value.startswith("=") and key in GROUPS:
        why, instead = "one = stands between a group and its option", f"{key}={value.lstrip('=')}"
    return Problem(f"{override!r} cannot be read", why, COMMAND_LINE, instead)


def _syntax_or_choice(override: str, folders: Sequence[Path]) -> tuple[Problem | None, str | None]:
    """What is wrong with one override's form or choice, and the override as it may have been meant."""
    try:
        parsed = OverridesParser.create().parse_override(override)
    except NOT_READ:
        return _not_read(override), None
    group = parsed.key_or_group
    if parsed.is_sweep_override():
        return Problem(
            f"{override} names several values",
            "one run takes one value",
            COMMAND_LINE,
            f"python -m aistudio -m {override}",
        ), None
    if group == "hydra/launcher":
        problem = _absent_launcher(show(parsed.value()), folders)
        return problem, None if problem else override
    if group not in GROUPS or parsed.is_delete() or (parsed.value() is None and group in OPTIONAL):
        return None, override
    there, name = available(group, folders), show(parsed.value())
    if group == "gpu" and isinstance(cards := parsed.value(), list):
        return _absent_cards(override, cards, there)
    said = override.partition("=")[2]
    if said in there and said != name:  # a file whose name Hydra reads as a list, a mapping, a quotation
        instead = f"{group}={quoted(said)}"
        return Problem(f"{override} is read as {name}", "Hydra's grammar has its signs", COMMAND_LINE, instead), None
    if name in there:
        return None, override
    where = " and ".join([f"conf/{group}/", *(str(folder / group) for folder in folders)])
    meant = option_here(group, name, there)
    problem = key_problems.absent(group, name, there, "no file of that name is in the group", where)
    return problem, f"{group}={quoted(meant)}" if meant else None


def _value_typed(override: Override) -> str | None:
    """The value of an override as it was typed; None where it takes a key away."""
    return None if override.is_delete() else str(override.input_line).partition("=")[2]


def _absent_cards(override: str, names: Sequence[Any], there: Sequence[str]) -> tuple[Problem | None, str | None]:
    """What is wrong with a list of cards: the first that no file is there for; and the override without such."""
    absent = [name for name in map(show, names) if name not in there]
    if not absent:
        return None, override
    kept = ",".join(name for name in map(show, names) if name in there)
    problem = key_problems.absent("gpu", absent[0], there, "no file of that name is in the group", "conf/gpu/")
    return problem, f"gpu=[{kept}]" if kept else None


def _absent_launcher(name: str, folders: Sequence[Path]) -> Problem | None:
    """What is wrong with a launcher that Hydra does not find: each comes with a package of its own."""
    try:
        hydra_composed([f"hydra/launcher={name}"], folders)
    except HYDRA_ERRORS as error:
        if any(name in options("hydra/launcher", folder) for folder in folders):  # it is there, and cannot be read
            return in_its_own_words(error)
        extra = _EXTRAS.get(name)
        instead = f"pip install 'aistudio[{extra}]'" if extra else suggest(name, ["basic", *_EXTRAS])
        why = "its package is not installed" if extra else "no launcher of that name is known"
        return Problem(f"hydra/launcher={name} is not there", why, COMMAND_LINE, instead)
    return None


def _composed(overrides: Sequence[str], folders: Sequence[Path]) -> DictConfig | None:
    """What Hydra makes of some overrides, if it can."""
    try:
        return hydra_composed(overrides, folders)
    except HYDRA_ERRORS:
        return None
