"""What stands on the command line of a run: Hydra's flags, overrides, and what people type in their place."""

from __future__ import annotations

import argparse
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser

from aistudio.config.advice import key_here
from aistudio.config.groups import GROUPS, merged, options, tree
from aistudio.config.overrides import COMMAND_LINE
from aistudio.config.shipped import defaults_of
from aistudio.errors import Problem, Refusal, refuse

_FLAG = re.compile(r"-{1,2}[A-Za-z]")
_SETTING = re.compile(r"\+?[\w./]+=")
_SHELLS = ("bash", "fish", "zsh")  # that Hydra completes for
WAYS = "aistudio --help, aistudio --version, or GROUP=NAME such as task=regression"


class Parser(argparse.ArgumentParser):
    """A command's arguments; what is wrong with them is a `Refusal`."""

    def error(self, message: str) -> NoReturn:
        """Refuse, in argparse's words."""
        raise Refusal([Problem(f"{self.prog}: {message}", "", COMMAND_LINE, f"{self.prog} --help")])


def flags() -> list[str]:
    """The flags of a run."""
    return [flag for action in get_args_parser()._actions for flag in action.option_strings]


def parsed(arguments: Sequence[str]) -> Namespace:
    """The flags and the overrides of a run; a `Refusal` with all that is none of them."""
    parser = get_args_parser()
    refuse([*_unknown_flags(arguments, flags())])
    setattr(parser, "error", lambda message: refuse([Problem(message, "", COMMAND_LINE, _ways(message))]))  # noqa: B010
    given, unknown = parser.parse_known_args(arguments)
    refuse([Problem(f"{one} is not taken", "it is no option", COMMAND_LINE, WAYS) for one in unknown])
    refuse([*_bare_words(given.overrides)])
    if given.shell_completion:
        refuse([*_unknown_shells(given.overrides)])
    return given


def _ways(message: str) -> str:
    """What the flag that argparse complains of takes, where it takes one of a few words; else what a line may say."""
    for action in get_args_parser()._actions:
        if action.choices and message.startswith(f"argument {'/'.join(action.option_strings)}:"):
            return " or ".join(f"{action.option_strings[0]} {choice}" for choice in action.choices)
    return WAYS


def _unknown_flags(arguments: Sequence[str], known: Sequence[str]) -> Iterator[Problem]:
    """Options that there are none of; keys and groups among them are told as they are written here."""
    long = [flag for flag in known if flag.startswith("--")]
    for index, one in enumerate(arguments):
        flag, sign, value = one.partition("=")
        begun = [other for other in long if len(flag) > 3 and other.startswith(flag)]
        if not _FLAG.match(flag) or flag in known or len(begun) == 1:
            continue
        following = arguments[index + 1] if index + 1 < len(arguments) else ""
        value = value if sign else "" if "=" in following or _FLAG.match(following) else following
        instead = _as_override(flag.lstrip("-").replace("-", "_"), value)
        near = get_close_matches(flag, long, n=1, cutoff=0.7)
        why = "keys and groups are written without dashes" if _SETTING.match(instead) else "it is no option"
        yield Problem(f"{flag} is not taken", why, COMMAND_LINE, instead or (near[0] if near else WAYS))


def _as_override(name: str, value: str) -> str:
    """What a flag would be as an override; empty where it is none."""
    if name in GROUPS:
        return f"{name}={value or 'NAME'}"
    return key_here(name, value or None, defaults()) if len(name) > 1 else ""


@cache
def defaults() -> Mapping[str, Any]:
    """The keys of the configuration that no override changes."""
    found = tree("", "config")
    for entry in defaults_of("", "config"):
        for group, option in entry.items() if isinstance(entry, dict) else ():
            found = merged(found, tree(group, option)) if group in GROUPS and option else found
    return found


def _bare_words(overrides: Sequence[str]) -> Iterator[Problem]:
    """Words without ``=`` that name a group, or an option of one: ``task regression``, ``resnet18``."""
    words = [one for one in overrides if "=" not in one and not one.startswith(("~", "+"))]
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        groups = [group for group in GROUPS if word in options(group)]
        if before in GROUPS:
            continue  # said together with the group
        following = words[index + 1] if index + 1 < len(words) else "NAME"
        instead = f"{word}={following}" if word in GROUPS else f"{groups[0]}={word}" if groups else ""
        if instead:
            yield Problem(f"{word} has no =", "a choice is GROUP=NAME", COMMAND_LINE, instead)


def _unknown_shells(overrides: Sequence[str]) -> Iterator[Problem]:
    """Shells that cannot be completed for."""
    for one in overrides:
        action, _, shell = one.partition("=")
        if action in ("install", "uninstall", "query") and shell not in _SHELLS:
            why = "completion is known for some shells only"
            yield Problem(f"{one} is not known", why, COMMAND_LINE, " or ".join(f"{action}={name}" for name in _SHELLS))
