"""Image files: all headers, and the pixels of a sample. Whatever is wrong is a fault, never an exception."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from aistudio.audit.records import Fault, Place
from aistudio.audit.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF")  # others may start programs, as EPS Ghostscript
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xae\x42\x60\x82"}
TAIL = 4096
SMALLEST = 8  # pixels a side
THUMBNAIL = 16  # pixels a side
_BLANK = 2  # of 255, between any two pixels
SOUND = ("", "tiny_image", "blank_image")  # what keeps no image from being used
ORIENTATION = 0x0112


@dataclass
class ImageFacts:
    """What a file says of itself: ``stored`` (width, height), the EXIF ``orientation``, and what is wrong with it.

    ``thumbnail`` (16, 16, 3) uint8 is there where the pixels were decoded.
    """

    name: str
    bytes: int = 0
    stored: tuple[int, int] | None = None
    orientation: int = 1
    format: str = ""
    mode: str = ""
    fault: str = ""
    message: str = ""
    decoded: bool = False
    thumbnail: Any = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height as the image is shown: turned where EXIF says so."""
        return (self.stored[1], self.stored[0]) if self.stored and self.orientation >= 5 else self.stored


def inspect_images(
    tree: Tree, names: Iterable[str], decode: Iterable[str], tell: Callable[[str], object] = len
) -> dict[str, ImageFacts]:
    """The facts of every file; those in ``decode`` are decoded, and so is one that does not end as it should.

    ``tell`` is given words about how far it is, every hundred files.
    """
    pixels = set(decode)
    with warnings.catch_warnings(), ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 2))) as pool:
        warnings.simplefilter("ignore")
        wanted = [name for name in dict.fromkeys(names) if name in tree.names]
        headers = (inspect_image(tree, name, False) for name in wanted if name not in pixels)
        decoded = pool.map(lambda name: inspect_image(tree, name, True), [name for name in wanted if name in pixels])
        found = {}
        for facts in chain(headers, decoded):
            found[facts.name] = facts
            if len(found) % 100 == 0:
                tell(f"reading images: {len(found):,} of {len(wanted):,}")
        return found


def inspect_image(tree: Tree, name: str, decode: bool) -> ImageFacts:
    """Open one file; decode it if asked, or if its end is missing."""
    from PIL import Image, UnidentifiedImageError

    facts, path = ImageFacts(name), str(tree.path(name))
    try:
        facts.bytes = os.stat(path).st_size
        if facts.bytes == 0:
            return blamed(facts, "empty_file", "zero bytes")
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            read_header(facts, image)
            if facts.fault:
                return facts
            if decode or not _ends_well(file, facts):
                _decode_pixels(facts, image)
    except Image.DecompressionBombError as error:
        return blamed(facts, "oversized_image", first_line(error))
    except UnidentifiedImageError:
        return blamed(facts, *_unidentified(path, facts))
    except FileNotFoundError:
        return blamed(facts, "unreadable_file", "a link to a file that is not there")
    except OSError as error:
        kind = (
            "unreadable_file"
            if error.errno
            else "truncated_image"
            if facts.stored or _has_signature(path)
            else "not_an_image"
        )
        return blamed(facts, kind, first_line(error))
    except Exception as error:  # a broken file makes decoders raise anything, ZeroDivisionError included
        kind = "truncated_image" if facts.stored or _has_signature(path) else "not_an_image"
        return blamed(facts, kind, f"{type(error).__name__}: {first_line(error)}")
    return facts


def read_header(facts: ImageFacts, image: Image.Image) -> None:
    """Size, orientation and mode; blames what is too large to decode, or hardly there."""
    from PIL import Image

    facts.stored, facts.format, facts.mode = image.size, image.format or "", image.mode
    if "exif" in image.info or facts.format in ("TIFF", "MPO"):
        said = image.getexif().get(ORIENTATION, 1)
        facts.orientation = said if said in range(1, 9) else 1
    width, height = image.size
    if width * height > (Image.MAX_IMAGE_PIXELS or 1e9):
        blamed(facts, "oversized_image", f"{width} x {height} pixels in {facts.bytes} bytes")
    elif min(width, height) < SMALLEST:
        blamed(facts, "tiny_image", f"{width} x {height} pixels")


def _ends_well(file: Any, facts: ImageFacts) -> bool:
    """Whether a JPEG or PNG has its end; other formats have none."""
    end = _ENDS.get(facts.format)
    if end is None:
        return True
    position = file.tell()
    file.seek(max(0, facts.bytes - TAIL))
    found = end in file.read(TAIL)
    file.seek(position)
    return found


def _decode_pixels(facts: ImageFacts, image: Image.Image) -> None:
    """Decode all pixels, a JPEG's at a fraction of its size, and keep a thumbnail."""
    from PIL import ImageOps

    image.draft("RGB", (4 * THUMBNAIL, 4 * THUMBNAIL))
    image.load()
    facts.decoded = True
    if facts.orientation > 1:
        image = ImageOps.exif_transpose(image)
    facts.thumbnail = thumbnail(image)
    if not facts.fault and facts.thumbnail.std((0, 1)).max() < 1 and _is_blank(image):
        blamed(facts, "blank_image", f"every pixel of it is RGB {', '.join(map(str, facts.thumbnail[0, 0]))}")


def _is_blank(image: Image.Image) -> bool:
    """Whether no pixel differs from another by more than JPEG makes it."""
    bands = image.getextrema()
    return all(high - low <= _BLANK for low, high in (bands if isinstance(bands[0], tuple) else [bands]))


def thumbnail(image: Image.Image) -> np.ndarray:
    """(16, 16, 3) uint8, each pixel the mean of its share of the image."""
    import numpy as np
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        image = Image.fromarray((255 * values / max(values.max(), 1)).clip(0, 255).astype(np.uint8))
    rgb = image.convert("RGBA").convert("RGB") if image.mode in ("P", "PA") else image.convert("RGB")
    return np.asarray(rgb.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def _unidentified(path: str, facts: ImageFacts) -> tuple[str, str]:
    """Why a file is no image: cut off within its header, or something else altogether."""
    if _has_signature(path):
        return "truncated_image", f"broken within its header, {facts.bytes} bytes"
    with open(path, "rb") as file:
        return "not_an_image", f"it begins with {file.read(16)!r}"


def _has_signature(path: str) -> bool:
    """Whether a file begins as an image does."""
    try:
        with open(path, "rb") as file:
            return file.read(8).startswith(_SIGNATURES)
    except OSError:
        return False


def blamed(facts: ImageFacts, kind: str, message: str) -> ImageFacts:
    """The same facts with what is wrong."""
    facts.fault, facts.message = kind, message
    return facts


def first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def check_images(facts: dict[str, ImageFacts]) -> Iterator[Fault]:
    """What is wrong with the files themselves."""
    for name, one in facts.items():
        if one.fault:
            yield Fault(one.fault, Place(name), one.message)


def digest(path: Path) -> str:
    """The hash of a file's bytes; "" where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha1").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)
    except OSError:
        return ""


def _digest(file: Any) -> str:
    found = hashlib.sha1()
    while block := file.read(1 << 20):
        found.update(block)
    return found.hexdigest()
