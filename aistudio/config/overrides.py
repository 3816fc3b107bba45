"""What an override is about, and the folders that overrides add to the search path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from aistudio.config.groups import GROUPS
from aistudio.errors import Problem, Refusal, first_line
from aistudio.safety.conf_folder import conf_folder

COMMAND_LINE = "the command line"

# What Hydra and OmegaConf trip over where they did not reckon with what a file says: `hydra: null`, `defaults: 5`,
# files that build on themselves, aliases that hold themselves, a folder or a broken link in the place of a file.
STUMBLES = (AssertionError, AttributeError, TypeError, LookupError, RecursionError, OSError, UnicodeError)
PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
NO_WORDS = ("null", "true", "false", "inf", "nan")  # in Hydra's grammar, in any case of letters


class Uncomposable(HydraException):
    """Hydra stumbled; ``problem`` says over what, as far as that can be known."""

    def __init__(self, problem: Problem):
        super().__init__(problem.what)
        self.problem = problem


def search_path(folders: Sequence[Path]) -> list[str]:
    """The override that adds folders to Hydra's search path, whatever characters they are named with."""
    return [f"hydra.searchpath=[{','.join(quoted(f'file://{folder}') for folder in folders)}]"] if folders else []


def quoted(text: str) -> str:
    """A text as a value of Hydra's grammar; a plain word stands for itself."""
    if PLAIN.fullmatch(text) and text.lower() not in NO_WORDS:
        return text
    return QuotedString(text, Quote.single).with_quotes()


def uninterpreted(text: str) -> str:
    """A text that OmegaConf reads as it stands, also where it holds ``${``."""
    return re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)


def stumble(error: Exception, overrides: Sequence[str], folders: Sequence[Path]) -> Problem:
    """What Hydra stumbled over: a file that cannot be read, else one of those that were chosen, else an override."""
    chosen = [one.partition("=")[::2] for one in overrides]
    files = [folder / group.lstrip("+") / f"{name}.yaml" for group, name in chosen for folder in folders]
    others = [path for folder in folders for path in sorted(folder.rglob("*.yaml")) if path not in files]
    for path in (*filter(is_file, files), *others):
        if fault := unreadable(path):
            return Problem(f"{path.name} cannot be read", fault, str(path), "plain YAML: keys and values")
    where = ", ".join(str(path) for path in files if is_file(path)) or "the command line"
    looped = isinstance(error, RecursionError)
    why = "it builds on itself, or is nested too deeply" if looped else f"{type(error).__name__}: {first_line(error)}"
    return Problem("Hydra cannot compose this", why, where, "plain keys and values, and defaults that name files")


def unreadable(path: Path) -> str:
    """Why a YAML file cannot be read; empty where it can."""
    try:
        OmegaConf.to_container(OmegaConf.load(path))
    except RecursionError:
        return "it holds itself, or is nested too deeply"
    except (OSError, ValueError, YAMLError, OmegaConfBaseException, AttributeError, TypeError) as error:
        return first_line(error) or type(error).__name__
    return ""


def is_file(path: Path) -> bool:
    """Whether there is such a file; no name is too long or too odd to ask."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; no name is too long or too odd to ask."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def key_of(override: str) -> str:
    """The key of an override, without the signs that add or delete."""
    return override.lstrip("+~").split("=")[0]


def is_hydras(override: str) -> bool:
    """Whether an override is about Hydra itself, its launcher for example."""
    return key_of(override).startswith(("hydra.", "hydra/"))


def without_plus(overrides: Sequence[str]) -> list[str]:
    """``+experiment=mine`` as ``experiment=mine``: every group has a choice already, so that Hydra would add none."""
    return [one.lstrip("+") if key_of(one) in GROUPS and "@" not in one else one for one in overrides]


def user_folders(overrides: Sequence[str], config_dir: str | Path | None) -> list[Path]:
    """Folders that a user adds to the search path: ``--config-dir`` and ``hydra.searchpath=[file://…]``; not ours."""
    folders = [Path(config_dir).absolute()] if config_dir else []
    for override in overrides:
        if key_of(override) == "hydra.searchpath":
            listed = (entry.strip(" '\"") for entry in override.partition("=")[2].strip("[]").split(","))
            folders += [
                Path(entry.removeprefix("file://")).absolute() for entry in listed if entry.startswith("file://")
            ]
    absent = [folder for folder in folders if not is_folder(folder)]
    if absent:
        raise Refusal(
            [
                Problem(
                    f"{folder} is not a folder",
                    "configuration files are looked for in it",
                    "--config-dir",
                    "an existing folder with groups such as backbone/",
                )
                for folder in absent
            ]
        )
    return [folder for folder in folders if not folder.samefile(conf_folder())]  # ours is there anyway
