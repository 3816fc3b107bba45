"""A configuration is data: what it may name, and what it may not do, until the person who runs it says otherwise.

Code is trusted by its top-level package in the environment variable ``AISTUDIO_TRUST`` (``mine,timm``), which no YAML
can set; ``hydra`` there trusts what files say in Hydra's own section. Nothing here imports what a configuration names.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path, PurePath
from traceback import walk_tb
from typing import Any

from omegaconf import DictConfig, OmegaConf

from aistudio.config.advice import value_here
from aistudio.config.plain import leaves
from aistudio.errors import BUG, FAILED, Problem

_VARIABLE = "AISTUDIO_TRUST"
ROOMS = ("checks", "costs", "data", "models", "oriented", "tasks")  # whose public names a ``_target_`` may take
MODELS = r"torchvision\.models\.((detection|segmentation|quantization|video|optical_flow)\.)?"
TARGETS = re.compile(  # one public name each, no way on through the modules that a module has imported
    r"torch\.(nn|optim|optim\.lr_scheduler)\.[A-Z]\w*"
    rf"|{MODELS}(?!get_|list_)(?!\w*Weights)[A-Za-z]\w*"
    r"|torchvision\.ops\.[A-Za-z]\w*"
    r"|torchvision\.transforms\.(v2\.)?[A-Z]\w*",
    re.ASCII,
)
_LAUNCHERS = re.compile(
    r"hydra\._internal\.core_plugins\.basic_launcher\.BasicLauncher|hydra_plugins\.hydra_\w+_launcher\.\w+\.\w+",
    re.ASCII,
)
RENAMED = {  # classes of aistudio: their names now. An entry stays for good
    "ImagesMatter": "UsesImages",
    "Learns": "OverfitsOneBatch",
    "NeighboursDoNotMatter": "BatchIndependence",
    "SavesAndLoads": "StateDictRoundTrip",
    "TargetsMatter": "UsesTargets",
}
WHY = "a configuration is data; of code it names torchvision's models, torch's layers and optimisers, and aistudio's"
OURS = "a model of torchvision.models, a class of torch.nn or torch.optim, a check, task or source of aistudio"
# What files may say in Hydra's own section: where runs go (inside the folder they start from), what they are called,
# and numbers and words for a launcher. The rest can start commands, write anywhere or change the environment.
_FREE = ("verbose", "help")
_FILLED_IN = ("runtime", "overrides", "searchpath", "job.override_dirname")  # by Hydra, whatever files say
FOLDERS = ("run.dir", "sweep.dir", "sweep.subdir", "job.name", "launcher.submitit_folder")  # or a part of one
_LAUNCHER_KEYS = re.compile(
    r"_target_|n_jobs|backend|prefer|require|verbose|timeout|pre_dispatch|batch_size|max_nbytes|mmap_mode|submitit_folder"
    r"|timeout_min|cpus_per_(task|gpu)|gpus_per_(node|task)|tasks_per_node|nodes|mem_gb|mem_per_[cg]pu|name|partition|qos"
    r"|account|constraint|gres|exclude|array_parallelism|signal_delay_s|max_num_timeout"
)
WORD = re.compile(
    r"[\w.,:/=+*%@-]*", re.ASCII
)  # nothing that could begin a line, an option or a command in a batch script


def trusted() -> frozenset[str]:
    """The packages that the person who runs this trusts beyond ours."""
    return frozenset(name.strip() for name in os.environ.get(_VARIABLE, "").split(",")) - {""}


def fault_code(error: BaseException) -> int:
    """The exit code for what nobody expected: a bug of ours, unless trusted code was run or the process was ended."""
    names, packages = [], trusted() - {"hydra", "aistudio"}
    fault: BaseException | None = error
    while fault is not None:
        names += [str(frame.f_globals.get("__name__")).split(".")[0] for frame, _ in walk_tb(fault.__traceback__)]
        fault = fault.__cause__
    return FAILED if isinstance(error, SystemExit) or not packages.isdisjoint(names) else BUG


def target_problems(config: Mapping[str, Any]) -> list[Problem]:
    """A problem for everything that a ``_target_`` in plain containers names, however deep, and nobody has trusted."""
    packages, found = trusted(), {}
    for key, value in targets(config):
        if not isinstance(value, str):
            found[str(value)] = Problem(f"{key} is no name", "a _target_ is the dotted name of code", key, OURS)
        elif value not in found and not may_be_named(value, packages):
            package, here = value.split(".")[0], value_here(key, value)
            listed = package in ("torch", "torchvision", *sys.stdlib_module_names) or "." not in value
            instead = here if here != value else OURS if listed else trusting(package)
            found[value] = (
                _absent_problem(key, value)
                if package == "aistudio"
                else Problem(f"{key}={value} is not trusted", WHY, key, instead)
            )
    return [*found.values()]


def _absent_problem(key: str, target: str) -> Problem:
    """A name that aistudio does not offer to a ``_target_``; one that has moved or has another name now is told."""
    last = target.rpartition(".")[2]
    last = RENAMED.get(last, last)
    named_alike = sorted(name for name in own_names() if name.endswith(f".{last}"))
    near = get_close_matches(target, sorted(own_names()), n=1, cutoff=0.9)
    instead = f"{named_alike[0]}, its name now" if named_alike else ", ".join(near) or OURS
    return Problem(f"{key}={target} is not trusted: no public name of aistudio", WHY, key, instead)


def trusting(package: str) -> str:
    """What to do about code that one knows."""
    return f"{_VARIABLE}={package} before the command, if you know that code"


def targets(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys and the values of all ``_target_`` entries."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in items:
        below = f"{path}.{key}" if path else str(key)
        if key == "_target_":
            yield below, value
        yield from targets(value, below)


def may_be_named(target: str, packages: frozenset[str]) -> bool:
    """Whether a ``_target_`` is allowed, or inside a trusted package; one that is missing is for others to refuse."""
    listed = target == "???" or target in own_names() or bool(TARGETS.fullmatch(target))
    return listed or target.split(".")[0] in packages


@cache
def own_names() -> frozenset[str]:
    """What aistudio offers to a ``_target_``: the public names of its packages, read from their lists, not imported."""
    names = ((room, name) for room in ROOMS for name in public_names(room))
    return frozenset(f"aistudio.{room}.{name}" for room, name in names if name[0].isupper() or room == "oriented")


def public_names(room: str) -> list[str]:
    """What ``__all__`` of a package of aistudio lists."""
    tree = ast.parse((Path(__file__).parent.parent / room / "__init__.py").read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if isinstance(node, ast.Assign)]
    lists = [node.value for node in nodes if ast.unparse(node.targets[0]) == "__all__"]
    return [name for value in lists for name in ast.literal_eval(value)]


def hydra_problems(said: DictConfig, own: DictConfig) -> list[Problem]:
    """What files say in Hydra's section (``said``) that they may not; ``own`` is the same without those files."""
    if "hydra" in trusted():
        return []
    ours, theirs = (dict(leaves(OmegaConf.to_container(node))) for node in (own, said))
    problems = []
    for key, value in theirs.items():
        name = f"hydra.{key}"
        if ours.get(key, ()) == value:
            continue
        if key == "launcher._target_" and not _LAUNCHERS.fullmatch(str(value)):
            problems.append(Problem(f"{name}={value} is not trusted", "a launcher is code", name, f"{_VARIABLE}=hydra"))
        elif not _is_free(key, value):
            what, why = f"{name} is set by a file", "there Hydra can be told to run code and to write anywhere"
            problems.append(Problem(what, why, name, f"{_VARIABLE}=hydra before the command, or {name}=… in it"))
        elif key in FOLDERS and escapes(value):
            what, why = f"{name}={value} leaves the folder", "a file may not say that runs are written elsewhere"
            problems.append(Problem(what, why, name, f"a relative path, or {name}=… on the command line"))
    return problems


def forged(said: DictConfig, overrides: Sequence[str]) -> list[Problem]:
    """A problem where a file names overrides of its own: the receipt of a run is what its command line said."""
    if OmegaConf.to_container(said.overrides.task) == [*overrides]:
        return []
    what, why = "hydra.overrides is set by a file", "it says what the command line said, and the receipt is made of it"
    return [Problem(what, why, "hydra.overrides", "a file without it")]


def _is_free(key: str, value: Any) -> bool:
    """Whether files may set a key of Hydra's section to a value."""
    if any(key == free or key.startswith(f"{free}.") for free in _FREE + _FILLED_IN):
        return True
    word = bool(WORD.fullmatch(inside(value)))
    if not key.startswith("launcher."):
        return key in FOLDERS and word
    harmless = not value or isinstance(value, int | float)
    return harmless or bool(_LAUNCHER_KEYS.fullmatch(key.split(".", 1)[1]) and word)


def inside(path: Any) -> str:
    """A path or a word, without what Hydra itself fills in: the time, the job's name, the folder of the sweep."""
    return re.sub(r"\$\{(now:[%YmdjHMSf_-]*|hydra\.job\.name|hydra\.sweep\.dir)\}", "x", str(path))


def escapes(path: Any) -> bool:
    """Whether a path may lead out of the current folder; an interpolation may."""
    text = inside(path)
    return "${" in text or text.startswith(("/", "~", "\\")) or ".." in PurePath(text).parts or ":" in text
