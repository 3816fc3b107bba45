"""What Hydra lets pass in silence: misspelt keys in files, shadowed files, sections that go by another name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException

from aistudio.config import cards, rules
from aistudio.config.advice import absent_option, key_advice
from aistudio.config.groups import GROUPS, OPTIONAL, Tree, merged, options, tree
from aistudio.config.overrides import COMMAND_LINE, key_of
from aistudio.config.values import lookup, show
from aistudio.errors import Problem
from aistudio.safety.conf_folder import conf_folder

# What Hydra's grammar raises: ValueError for a number of 5,000 digits, RecursionError for a thousand brackets.
NOT_READ = (HydraException, ValueError, RecursionError)


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


def misnamed(config: Tree, chosen: Mapping[str, str]) -> Iterator[Problem]:
    """A section that goes by another name than its file: rules go by the name, and would judge what is not there."""
    for group in ("backbone", "task"):
        option, section = chosen.get(group), config.get(group)
        name = section.get("name") if isinstance(section, Mapping) else option
        if option in options(group) and name != option:
            what = f"{group}.name={show(name)} contradicts {group}={option}"
            yield Problem(what, "rules go by the name", f"conf/{group}/{option}.yaml · name", f"{group}={show(name)}")


RENAMED = {  # keys that users may have written down: their names now. An entry stays for good
    "sanity.economy": "sanity.check_mode",
    "sanity.checks.images_matter": "sanity.checks.uses_images",
    "sanity.checks.learns": "sanity.checks.overfits_one_batch",
    "sanity.checks.neighbours_do_not_matter": "sanity.checks.batch_independence",
    "sanity.checks.saves_and_loads": "sanity.checks.state_dict_round_trip",
    "sanity.checks.targets_matter": "sanity.checks.uses_targets",
}
GONE = {  # keys and choices that became something else
    "sanity=rules": "aistudio rules, a command that judges and runs nothing",
    "sanity.junit": "aistudio rules --junit FILE",
    "sanity.sarif": "aistudio rules --sarif FILE",
}


def absent(group: str, name: str, there: Sequence[str], why: str, where: str) -> Problem:
    """An option that a group does not have, and what to take."""
    gone = GONE.get(f"{group}={name}")
    return (
        Problem(f"{group}={name} does not exist", why, where, gone)
        if gone
        else absent_option(group, name, there, why, where)
    )


def unknown_key(path: Sequence[str], known: Mapping[str, Any], value: str | None = None) -> tuple[str, str, str] | None:
    """What, why and instead for a key that ``known`` does not have; None if it has it."""
    node: Any = known
    name = ".".join(path)
    for depth, part in enumerate(path):
        above = ".".join(path[:depth])
        if not isinstance(node, Mapping):
            return f"{name} is unknown", f"{above} is a value and holds no keys", above
        if part not in node:
            why = f"{above or 'the configuration'} has no key {part}"
            return f"{name} is unknown", why, _instead_of(name, value, above, node, known)
        node = node[part]
    return None


def _instead_of(name: str, value: str | None, above: str, node: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """What to take for an unknown key; of one that was renamed, its name now."""
    renamed = next((new for old, new in RENAMED.items() if f"{name}.".startswith(f"{old}.")), None)
    if renamed:
        return f"{renamed}, its name now"
    return GONE.get(name) or key_advice(name, value, above, node, known)


def unknown_keys(
    config: Tree, chosen: Mapping[str, str], folders: Sequence[Path], overrides: Sequence[str]
) -> Iterator[Problem]:
    """Keys of a composed configuration that nobody reads: misspelt in a user's YAML, or added on the command line."""
    known = merged(tree("", "config"), {group: {"rules": rules.KEYS} for group in ("task", "architecture")})
    known = merged(known, {"gpu": dict.fromkeys(_named_cards(config), cards.KEYS)})
    if isinstance(config.get("track"), Mapping):  # a file of one's own has the keys of its tracker
        known = merged(known, tree("track", str(config["track"].get("name"))))
    for group, option in chosen.items():
        if group not in OPTIONAL:
            known = merged(
                known, tree(group, option) if option in options(group) else _made_alike(group, config.get(group))
            )
    for path, node in strangers(config, known):
        above = ".".join(path[:-1])
        why = f"{above or 'the configuration'} has no key {path[-1]}"
        yield Problem(
            f"{'.'.join(path)} is unknown",
            why,
            origin(path, chosen, folders, overrides),
            _instead_of(".".join(path), _value_of(config, path), above, node, known),
        )


def _value_of(config: Tree, path: Sequence[str]) -> str | None:
    """A value as it would be written; None for a section."""
    value = lookup(config, ".".join(path))[1]
    return None if isinstance(value, Mapping) else show(value)


def _named_cards(config: Tree) -> list[str]:
    """The names under which cards stand: any that a file has given."""
    section = config.get("gpu")
    return [name for name, card in section.items() if isinstance(card, Mapping)] if isinstance(section, Mapping) else []


def _made_alike(group: str, own: Any) -> Tree:
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
    library (``_target_``), which are checked once that library is in, and mappings where the default has no keys.
    """
    target = str(node.get("_target_", ""))
    free = target != known.get("_target_", "") or (target and not target.startswith("aistudio."))
    for key, value in node.items():
        if key not in known:
            made_here = isinstance(value, Mapping) and "_target_" in value
            if not free and not made_here and key != "_target_":
                yield (*path, str(key)), known
        elif isinstance(value, Mapping) and isinstance(known[key], Mapping) and known[key]:
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
