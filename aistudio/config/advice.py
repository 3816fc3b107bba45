"""What to take in the place of a word that is unknown here: first ours for what other tools call so, then the nearest.

The words of other tools are data, in ``elsewhere.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import yaml

from aistudio.config.groups import GROUPS, options, quick_loader
from aistudio.config.values import lookup, suggest
from aistudio.errors import Problem

WORD = re.compile(r"\w+", re.ASCII)
README = "README.md, Your own backbone, in five lines"
FILES = {".yaml": "yolo", ".yml": "yolo", ".json": "coco", ".csv": "csv"}  # of labels that people name as data
VALUE = "{value}"
NOT_SET = ("pretrained", "published", "rules", "hydra")  # sections of facts, and Hydra's own


@cache
def _table(*keys: str) -> dict[str, str]:
    """A table of ``elsewhere.yaml``, a word each."""
    node = _tables()
    for key in keys:
        node = node.get(key, {})
    return {word: " ".join(str(here).split()) for typed, here in node.items() for word in str(typed).lower().split()}


@cache
def _tables() -> dict[str, Any]:
    return yaml.load((Path(__file__).parent / "elsewhere.yaml").read_text(encoding="utf-8"), quick_loader())


def bare(word: str) -> str:
    """A word without capitals and signs: ``ResNet-50`` as ``resnet50``."""
    return re.sub(r"[\W_]+", "", word.lower())


def command_elsewhere(word: str) -> str:
    """What to type for a word that comes first on other command lines; empty where none is known."""
    return _table("commands").get(bare(word), "")


def value_here(key: str, value: str) -> str:
    """A value of a key as it is called here; itself where no other word for it is known."""
    return _table("values", key).get(bare(value), value)


def option_here(group: str, name: str, there: Sequence[str]) -> str:
    """The option of a group that a word means; empty where none is as good as certain."""
    here, word = _table("options", group).get(bare(name), ""), bare(name)
    if here:
        return here if here in there else ""
    alike = [option for option in there if bare(option) == word]
    inside = [option for option in there if len(word) > 1 and word in bare(option)]
    certain = [] if group == "backbone" and _is_another_model(name, there) else [*alike, *inside]
    near = [] if certain or _is_another_model(name, there) else get_close_matches(name.lower(), there, n=1, cutoff=0.6)
    return next(iter([*certain, *near]), "")


def _is_another_model(name: str, there: Sequence[str]) -> bool:
    """Whether a name is that of another model than those that ship, however near: ``resnet152``, ``resnet50d``."""
    low = name.lower()
    return low in _tables()["cnns"].split() or any(low.startswith(one) and bare(one) != bare(name) for one in there)


def absent_option(group: str, name: str, there: Sequence[str], why: str, where: str) -> Problem:
    """An option that a group does not have, and what to take."""
    what, words = f"{group}={name} does not exist", _table("options", group).get(bare(name), "")
    name = re.split(r"[/:]|models\.", name)[-1] if group == "backbone" else name  # timm/resnet50
    others = [f"{other}={name}" for other in GROUPS if other != group and name in options(other)]
    near = option_here(group, name, there)
    if group == "data" and (path := _as_data(name)):
        return Problem(what, "data= names how it is written down, data.root= where it is", where, path)
    if Path(name).suffix in (".yaml", ".yml"):
        file, why = Path(name).stem, f"an option is named as its file in {group}/ is, without folder and suffix"
        return Problem(what, why, where, f"{group}={file} --config-dir FOLDER, which holds {group}/{file}.yaml")
    if any(sign in name for sign in "*?"):
        return Problem(what, "a pattern stands for several options", where, f"-m '{group}=glob({name})', a sweep")
    if words:
        is_option = words.split()[0] in there and "," not in words and " or " not in words and ";" not in words
        return Problem(what, why, where, f"{group}={words}" if is_option else words)
    if others:
        return Problem(what, why, where, f"{others[0]}, for that is its group")
    if group == "backbone" and not near:
        return _own_backbone(what, name, there, where)
    first = [option for option in there if len(bare(name)) > 1 and bare(name) in bare(option)] or [near] * bool(near)
    first = [near] if near in first and bare(near) == bare(name) else first
    rest = [option for option in there if option not in first]
    return Problem(what, why, where, ", ".join([*(f"{one} (nearest)" for one in first), *rest]))


def _own_backbone(what: str, name: str, there: Sequence[str], where: str) -> Problem:
    """A model that does not ship: the lines that bring it, or why no lines would."""
    low, shipped = name.lower(), ", ".join(there)
    if low.startswith(tuple(_tables()["detectors"].split())):
        return Problem(
            what, "it is a whole detector, and no backbone", where, _table("options", "architecture")["yolo"]
        )
    if low.startswith(tuple(_tables()["tokens"].split())):
        why = "it gives tokens and no feature map, so that it is no backbone here; Swin and ConvNeXt give one"
        return Problem(what, why, where, shipped)
    if not re.fullmatch(r"[A-Za-z][\w.-]*", name):
        return Problem(what, "no file of that name is in the group", where, shipped)
    if name in _tables()["cnns"].split():
        why, trust = "it does not ship; these lines bring it from torchvision", ""
        model = f"model: {{_target_: torchvision.models.{name}, weights: '${{backbone.weights}}'}}"
    else:
        why = "it does not ship; these lines bring it, if timm has it (a class of yours goes in the same way)"
        model, trust = f"model: {{_target_: timm.create_model, model_name: {name}}}", "AISTUDIO_TRUST=timm and "
    file = f"conf/backbone/{name}.yaml"
    rows = (f"{file}:", f"  name: {name}", f"  {model}")
    return Problem(what, why, where, f"that file, with {trust}--config-dir conf ({README}); or {shipped}", rows)


def _as_data(name: str) -> str:
    """How a path is said that somebody has given as data=; empty for what is no path."""
    path = PurePath(name)
    if path.suffix.lower() in FILES:
        folder = f"data.root={path.parent if str(path.parent) != '.' else 'FOLDER'}"
        return f"data={FILES[path.suffix.lower()]} {folder} data.annotations={path.name}"
    looks = "/" in name or "\\" in name or name.startswith(("~", ".")) or (len(name) < 200 and _is_folder(name))
    return _table("sentences")["root"].replace(VALUE, name) if looks else ""


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def key_here(name: str, value: str | None, known: Mapping[str, Any]) -> str:
    """What to write for a key that ``known`` does not have, with its value; empty where no other word is known.

    ``name`` is the dotted key, of which the first part that is unknown is told by ``known``.
    """
    parts = name.split(".")
    depth = next((one for one in range(len(parts)) if not lookup(known, ".".join(parts[: one + 1]))[0]), len(parts) - 1)
    words = dict.fromkeys([parts[-1], parts[0]] if depth == 0 else parts[depth:] if depth == len(parts) - 1 else [])
    if len(parts) == 1 and bare(name) in GROUPS:
        return _setting(bare(name), value)
    for word in words:
        targets = [one for one in _table("keys").get(bare(word), "").split(" or ") if one and _takes(known, one)]
        targets += [one for one in _keys(known) if bare(one.rpartition(".")[2]) == bare(word)]
        targets.sort(key=lambda one: one.lstrip("+").split(".")[0] != parts[0])
        if targets:
            return _setting(targets[0], value)
        if sentence := _table("sentences").get(bare(word)):
            return sentence.replace(VALUE, value or "VALUE")
    return ""


def _takes(known: Mapping[str, Any], key: str) -> bool:
    """Whether a configuration has a key, or a section that it may be added to."""
    if key in GROUPS or key.startswith("hydra."):
        return True
    return lookup(known, key.lstrip("+").rpartition(".")[0] if key.startswith("+") else key)[0]


def _keys(node: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The dotted keys of a configuration that a person sets, the topmost first; lists of published files are none."""
    below = [(f"{path}{key}", value) for key, value in node.items() if key not in NOT_SET]
    yield from (key for key, _ in below if path)
    for key, value in below:
        if isinstance(value, Mapping):
            yield from _keys(value, f"{key}.")


def _setting(key: str, value: str | None) -> str:
    """A key with the value that was meant for it."""
    if value is None:
        return key
    if key in GROUPS:
        others = [group for group in (key, *GROUPS) if value in options(group)]
        here = option_here(key, value, options(key))
        if others or here:
            return f"{others[0]}={value}" if others else f"{key}={here}"
        said = absent_option(key, value, options(key), "", "").instead
        return said if "=" in said else f"{key}=NAME, one of {said}"
    here = value_here(key, value)
    if key.endswith("_target_") and here == value:
        return key
    return f"{key}={here}"


def key_advice(name: str, value: str | None, above: str, node: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """What to take for an unknown key: ours for another tool's word, the nearest, and what else the section has."""
    if here := key_here(name, value, known):
        return here
    keys = [str(key) for key in node if not str(key).startswith("_") and (above or key != "hydra")]
    word = name.removeprefix(f"{above}.").split(".")[0] if above else name.split(".")[0]
    prefix = f"{above}." if above else ""
    if not above and not get_close_matches(word, keys, n=1, cutoff=0.6):
        ends = {key.rpartition(".")[2]: key for key in reversed([*_keys(known)])}
        if near := get_close_matches(name.rpartition(".")[2], ends, n=1, cutoff=0.8):
            return f"{ends[near[0]]} (nearest)"
    return ", ".join(f"{prefix}{one}" for one in suggest(word, keys).split(", ") if one)
