"""What a format may be told, and how it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from aistudio.errors import Problem, Refusal


@dataclass(frozen=True)
class Options:
    """The keys of ``data`` that a label file is read with; null: found out.

    ``classes`` are names in the order of their numbers, ``num_classes`` their count where it was stated. ``reader`` is
    that of a format of one's own, or the ``_target_`` entry that makes it.
    """

    root: str
    format: str
    task: str = "classification"
    annotations: Any = None
    filename: str | None = None
    label: str | None = None
    values: Any = None
    split_column: str = "split"
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    classes: Any = None
    num_classes: int | None = None
    ignore_index: int | None = 255
    images: str | None = None
    masks: str | None = None
    batch_size: int = 4
    limit: int | None = 2000
    shard: str | None = None
    reader: Any = None

    def names(self) -> list[str]:
        """The stated names of classes, or none."""
        return [str(name) for name in self.classes or []]


def options_from(data: Mapping[str, Any], task: str, num_classes: int | None) -> Options:
    """The options of a configuration's ``data`` node; what is no option of a format is left alone."""
    known = {field.name for field in fields(Options)}
    given = {key: value for key, value in data.items() if key in known and value is not None}
    given |= {"limit": data.get("limit", 2000), "ignore_index": data.get("ignore_index", 255)}
    return Options(**{**given, "task": task, "num_classes": num_classes})


def refuse(what: str, why: str = "", where: str = "", instead: str = "") -> NoReturn:
    """Stop: this data set cannot be read."""
    raise Refusal([Problem(what, why, where, instead)])
