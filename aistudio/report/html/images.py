"""The images of a run inside its page: JPEG, and together never more than a budget."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from aistudio.files import unfit

if TYPE_CHECKING:
    from PIL.Image import Image

BUDGET = 600_000  # characters of base64 in a page
MOST = 12  # images in a page
_PIXELS = 40_000_000  # in an image at most; a file may claim any size
# width and JPEG's quality, the first that fits
SIZES = ((1008, 82), (800, 82), (640, 82), (512, 78), (400, 72), (288, 65), (192, 55))
KINDS = (".png", ".jpg", ".jpeg")
OF_DATA = ("findings.png", "labels.png")  # the others are of the model
WORDS = {
    "findings.png": "the worst findings, cut out of their images",
    "labels.png": "how the labels are distributed",
    "predictions.png": "images with what the model gives and what was expected",
    "fit.png": "whether the data fits the model, and the size to set",
    "batch.png": "the batch as the backbone receives it, with its targets",
}
FIRST = ("predictions.png", "batch.png", "fit.png", *OF_DATA)


@dataclass(frozen=True)
class Embedded:
    """An image in the page: its file's name, its size on the page, and where its bytes are."""

    name: str
    width: int
    height: int
    address: str

    @property
    def words(self) -> str:
        """What is in it, for those who cannot see it."""
        return WORDS.get(self.name, f"image, target and output, {self.name}")


def embedded(folder: Path) -> tuple[list[Embedded], str]:
    """The images of a folder as they fit into a page, and a note on what is not shown."""
    files = found(folder)
    shown = _as_they_are(tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files[:MOST]))
    missing = len(files) - len(shown)
    return shown, f"{missing} more in {folder.name}" if missing else ""


@lru_cache(maxsize=1)
def _as_they_are(files: tuple[tuple[Path, int, int], ...]) -> list[Embedded]:
    """The files, each with when it was changed and its bytes, as JPEG; a run writes its page again as it goes on."""
    return fitting([path for path, _, _ in files])


def found(folder: Path) -> list[Path]:
    """The image files of a folder, ``10.png`` after ``9.png``; no links and no pipes."""
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in KINDS and not unfit(path)]
    except OSError:
        return []
    return sorted(
        files, key=lambda path: (FIRST.index(path.name) if path.name in FIRST else len(FIRST), _natural(path))
    )


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """How people sort names with numbers in them."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def fitting(files: Sequence[Path]) -> list[Embedded]:
    """The files as JPEG, all as large as their sum allows; what cannot be read is left out."""
    images = [(path.name, image) for path in files if (image := opened(path)) is not None]
    for side, quality in SIZES:
        made = [encoded(name, image, side, quality) for name, image in images]
        if sum(len(one.address) for one in made) <= BUDGET:
            return made
    return made[: max(1, BUDGET // max(len(one.address) for one in made))]


def opened(path: Path) -> Image | None:
    """An image in RGB; None where there is none or it is too large."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            return None if image.width * image.height > _PIXELS else image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def encoded(name: str, image: Image, side: int, quality: int) -> Embedded:
    """An image ``side`` pixels wide at most; sheets are higher than wide."""
    small = image.copy()
    small.thumbnail((side, 3 * side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=quality, optimize=True)
    address = "data:image/jpeg;base64," + b64encode(buffer.getvalue()).decode()
    return Embedded(name, small.width, small.height, address)
