"""The weights that torchvision publishes, as ``conf/`` lists them: names, files, sizes, what they were trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SOURCE = "https://download.pytorch.org/models"
_FILE_ENDINGS = (".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".tar", ".th", ".pkl")
FILE = re.compile(r"[\w.-]+-([0-9a-f]{8,64})\.(pth|pt|safetensors)", re.ASCII)


@dataclass(frozen=True)
class Published:
    """One set of published weights.

    ``hash`` begins the SHA-256 of the file. ``classes`` is what the last layer gives (detectors count the background),
    ``crop`` and ``resize`` are pixels of the evaluation that was published, ``norm_epsilon`` the epsilon of the frozen
    batch norms where it is not their own.
    """

    name: str
    file: str
    url: str
    megabytes: float = 0.0
    classes: int = 1000
    crop: int | None = None
    resize: int | None = None
    norm_epsilon: float | None = None

    @property
    def hash(self) -> str:
        """The first letters of the file's SHA-256, which its name ends with."""
        named = FILE.fullmatch(self.file)
        return named[1] if named else ""


FACTS = {  # what a list of ``conf/`` may say of a set of weights, and the types of it
    "file": str,
    "megabytes": int | float,
    "classes": int,
    "crop": int,
    "resize": int,
    "norm_epsilon": int | float,
}


def is_path(weights: Any) -> bool:
    """Whether what a user wrote is a path rather than a name of published weights."""
    return isinstance(weights, str) and ("/" in weights or "\\" in weights or weights.lower().endswith(_FILE_ENDINGS))


def published(listed: Any, name: Any) -> Published | None:
    """The weights of a name (``IMAGENET1K_V2``, ``DEFAULT``, ``ResNet50_Weights.DEFAULT``) in a list of ``conf/``.

    None where the list has no such name, or has no file's name there: one that ends in its hash, in no folder.
    """
    entries = listed if isinstance(listed, Mapping) else {}
    name = str(name).rpartition(".")[2]
    entry = entries.get(name)
    if isinstance(entry, str):
        name, entry = entry, entries.get(entry)
    if not isinstance(entry, Mapping) or not FILE.fullmatch(str(entry.get("file"))):
        return None
    known: dict[str, Any] = {
        key: value for key, value in entry.items() if key in FACTS and isinstance(value, FACTS[key])
    }
    return Published(name=name, url=f"{SOURCE}/{entry['file']}", **known)
