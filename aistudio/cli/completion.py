"""Tab completion: commands, flags and the options of groups are offered here, keys and their values by Hydra."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from aistudio.config.groups import GROUPS, available

LINE, POINT = "COMP_LINE", "COMP_POINT"  # what shells tell in the environment: the line, and where the cursor is
FOLDER = ("--config-dir", "-cd")  # flags that name a folder with groups of one's own


def complete(commands: Iterable[str], flags: Sequence[str]) -> bool:
    """Print what the last word of the line may become; whether all was said, so that Hydra has nothing to add.

    What Hydra then looks at is the line without a command's word and without flags, which it takes for overrides.
    """
    line = os.environ.get(LINE, "")
    program, _, typed = line[: int(os.environ.get(POINT, "") or len(line))].partition(" ")
    words = typed.split(" ")
    last, before = words[-1], [word for word in words[:-1] if word]
    if not before and not last.startswith("-") and "=" not in last:
        print(*(word for word in commands if word.startswith(last)), sep="\n")
    if before[-1:] and before[-1] in FOLDER:
        return True  # the shell knows its folders
    if last.startswith("-"):
        print(*(flag for flag in flags if flag.startswith(last)), sep="\n")
        return True
    group, sign, value = last.partition("=")
    if sign and group.lstrip("+") in GROUPS:
        kept, comma, start = value.rpartition(",")
        taken = kept.split(",")
        names = [name for name in available(group.lstrip("+"), folders(before)) if name.startswith(start)]
        print(*(f"{group}={kept}{comma}{name}" for name in names if name not in taken), sep="\n")
        return True
    rest = " ".join([program, *overrides(before, commands), last])
    os.environ[LINE], os.environ[POINT] = rest, str(len(rest))
    return False


def folders(words: Sequence[str]) -> list[Path]:
    """The folders with groups of one's own that a line names, those of them that are there."""
    named = [after for word, after in zip(words, words[1:], strict=False) if word in FOLDER]
    named += [word.partition("=")[2] for word in words if word.startswith(f"{FOLDER[0]}=")]
    return [path for one in named if (path := Path(one.strip("'\"")).expanduser()).is_dir()]


def overrides(words: Sequence[str], commands: Iterable[str]) -> list[str]:
    """The words of a line without a command, flags and what they take."""
    taken = {index + 1 for index, word in enumerate(words) if word in FOLDER}
    kept = [word for index, word in enumerate(words) if index not in taken and not word.startswith("-")]
    return kept[1:] if kept[:1] and kept[0] in commands else kept
