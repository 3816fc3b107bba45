"""The weights that torchvision publishes, as ``conf/`` lists them: names, files, sizes, what they were trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SOURCE = "https://download.pytorch.org/models"
FILE_ENDINGS = (".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".tar", ".th", ".pkl")
HASH = re.compile(r"-([0-9a-f]{8,})\.\w+$")


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
        found = HASH.search(self.file)
        return found[1] if found else ""


def is_path(weights: Any) -> bool:
    """Whether what a user wrote is a path rather than a name of published weights."""
    return isinstance(weights, str) and ("/" in weights or "\\" in weights or weights.lower().endswith(FILE_ENDINGS))


def names_of(listed: Mapping[str, Any] | None) -> list[str]:
    """The names that a list of ``conf/`` knows, ``DEFAULT`` first."""
    return list(listed or {})


def published(listed: Mapping[str, Any] | None, name: str) -> Published | None:
    """The weights of a name (``IMAGENET1K_V2``, ``DEFAULT``, ``ResNet50_Weights.DEFAULT``) in a list of ``conf/``."""
    name = str(name).rpartition(".")[2]
    entry = (listed or {}).get(name)
    if isinstance(entry, str):
        name, entry = entry, (listed or {}).get(entry)
    if not isinstance(entry, Mapping):
        return None
    return Published(name=name, url=f"{SOURCE}/{entry['file']}", **entry)
