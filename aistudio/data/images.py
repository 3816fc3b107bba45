"""A folder of photographs: whatever lies in it is converted to RGB in [0, 1], or named in ``warnings`` and passed over.

Photographs carry no labels, so objects are *assumed* in them: good enough to prove that a model trains on these
images, not to learn anything from them.

How files become RGB: the first frame of animations and pages; EXIF rotation applied; transparency laid on white; CMYK
and grey converted; 16-bit grey divided by 65535; float and 32-bit grey divided by the next of 1, 255, 65535 or
their own maximum. Then the shorter side is scaled to the wanted size and the centre cut out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Generator, Tensor

from aistudio.data.objects import place_objects
from aistudio.data.sample import Sample
from aistudio.errors import Problem, Refusal, first_line

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF")  # others may start programs, as EPS Ghostscript
TRIES = 1000  # files that are opened in vain before the folder is given up
_WHITES = (1.0, 255.0, 65535.0)  # what white may be in a file whose format does not say


class ImageFolder:
    """Every image below ``root``, nested folders and links to folders included; hidden files are left out.

    Only as many files as needed are opened. ``warnings`` names those that could not be read. ``invents_targets`` says
    that what it paints to order is not in the image. Raises `Refusal` if there is no such folder, no image in it, or
    none that can be read.
    """

    invents_targets: ClassVar[bool] = True

    def __init__(self, root: str | Path, batch_size: int = 4):
        self.root = Path(root).expanduser()
        self.batch_size = batch_size
        self.warnings: list[str] = []
        if not self.root.is_dir():
            what = f"data.root={self.root} is " + ("a file" if self.root.exists() else "not there")
            raise Refusal([Problem(what, "it names the folder of photographs", "data.root", _nearest(self.root))])
        self.files = sorted(self._list())
        if not self.files:
            why = "files count as images by their names: " + " ".join(SUFFIXES)
            raise Refusal([Problem(f"data.root={self.root} has no images in it", why, "data.root", "another folder")])
        self.description = f"{len(self.files)} image files below {printable(self.root)}"

    def samples(self, count: int, size: int, generator: Generator) -> list[Sample]:
        """``count`` photographs of ``size`` x ``size`` pixels, of which nothing else is known; again from the first
        where there are fewer."""
        order = torch.randperm(len(self.files), generator=generator).tolist()
        images: list[Sample] = []
        for tried, index in enumerate(order):
            if len(images) == count or (not images and tried == TRIES):
                break
            image = self._read(self.files[index], size)
            name = printable(os.path.relpath(self.files[index], self.root))
            images += [] if image is None else [Sample(image, name=name)]
        if not images:
            what = f"none of {min(len(order), TRIES)} image files below data.root={printable(self.root)} can be read"
            raise Refusal([Problem(what, self.warnings[-1], "data.root", "a folder of photographs")])
        return [images[index % len(images)] for index in range(count)]

    def paint(self, labels: Sequence[Sequence[int]], size: int, generator: Generator) -> list[Sample]:
        """One photograph for each list of labels, unpainted: such objects are only assumed in it."""
        photographs = self.samples(len(labels), size, generator)
        return [
            replace(place_objects(one.image, kinds, generator), name=one.name)
            for one, kinds in zip(photographs, labels, strict=True)
        ]

    def _list(self) -> Iterator[str]:
        """Paths of everything below the root that is named like an image. A folder reached twice is listed once."""
        seen: set[tuple[int, int]] = set()
        folders = [str(self.root)]
        while folders:
            folder = folders.pop()
            try:
                status = os.stat(folder)
                again = (status.st_dev, status.st_ino) in seen  # a link back to a folder above
                entries = [] if again else list(os.scandir(folder))
            except OSError as error:
                self._warn(folder, error)
                continue
            seen.add((status.st_dev, status.st_ino))
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                    yield entry.path
                elif entry.is_dir():
                    folders.append(entry.path)

    def _warn(self, path: str, error: Exception) -> None:
        reason = printable(first_line(error))
        warning = f"{printable(os.path.relpath(path, self.root))}: {type(error).__name__}, {reason}"
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _read(self, path: str, size: int) -> Tensor | None:
        try:
            return read_image(path, size)
        except Exception as error:  # a broken file makes decoders raise anything, ZeroDivisionError included
            self._warn(path, error)
            return None


def read_image(path: str | Path, size: int) -> Tensor:
    """(3, size, size) float32 in [0, 1]: the centre of the image in a file. Raises whatever the decoder raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as file:
            file.draft(None, (size, size))  # JPEG: decode at a fraction of the size if that is enough
            image = ImageOps.fit(to_rgb(ImageOps.exif_transpose(file)), (size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).contiguous().float() / 255


def to_rgb(image: Image.Image) -> Image.Image:
    """Any PIL mode → RGB of 8 bits, as the module's docstring says."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_grey(image)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _grey(image: Image.Image) -> np.ndarray:
    """(H, W) uint8 of an image with one channel of 16 or 32 bits; NaN becomes black."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), nan=0, posinf=0, neginf=0)
    highest = values.max()
    white = 65535.0 if image.mode.startswith("I;16") else next((w for w in _WHITES if highest <= w), highest)
    return np.round(255 * np.clip(values / white, 0, 1)).astype(np.uint8)


def printable(name: object) -> str:
    """A file name that any terminal can print: bytes that are no UTF-8 become question marks."""
    return str(name).encode("utf-8", "replace").decode("utf-8")


def _nearest(root: Path) -> str:
    """The nearest parent folder that exists."""
    there = next((parent for parent in root.absolute().parents if parent.is_dir()), Path.cwd())
    return f"a folder; {there} exists"
