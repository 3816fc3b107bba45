"""Labelled data that a model cannot learn from, though data and model are sound by themselves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from labelled_sets import SETS, photo, save
from PIL import Image
from tiny_models import Segmenter, anchored, detection, segmentation, subject

from aistudio.data import Labelled
from bugs.bug import Bug


def anchors(size: int, side: int):
    """Objects of about 32 x 18 pixels in images 160 pixels wide."""
    folder = Path(tempfile.mkdtemp())
    SETS["coco"][0](folder)
    source = Labelled(str(folder), "coco", "object_detection")
    return subject(lambda: anchored(size, side), detection(), lr=1e-3, source=source, image_size=side)


def wires():
    """Lines of two pixels in front of a model that gives cells of eight."""
    folder = Path(tempfile.mkdtemp())
    for number in range(4):
        values = np.zeros((120, 160), dtype=np.uint8)
        for row in range(number, 110, 24):
            values[row : row + 2] = 1
        save(photo(number), folder / f"images/train/{number}.jpg")
        save(Image.fromarray(values), folder / f"masks/train/{number}.png")
    source = Labelled(str(folder), "masks", "segmentation", classes=["ground", "wire", "sky", "sea"])
    return subject(Segmenter, segmentation(), source=source, image_size=160)


BUGS = [
    Bug("anchors far larger than the objects", "data_fits_model", lambda: anchors(100, 160)),
    Bug("anchors far smaller than the objects", "data_fits_model", lambda: anchors(4, 160)),
    Bug("wires thinner than the cells of the output", "data_fits_model", wires),
]
