"""YOLO with rotated boxes: ``class x1 y1 x2 y2 x3 y3 x4 y4`` a line, corners in shares of the image."""

from __future__ import annotations

from aistudio.audit.formats.yolo import read_set
from aistudio.audit.options import Options
from aistudio.audit.records import Labels, ObjectRecord
from aistudio.audit.tree import Tree


def read(tree: Tree, options: Options) -> Labels:
    """Four corners a line."""
    return read_set(tree, options, "yolo_obb", corners)


def corners(numbers: list[float], found: ObjectRecord) -> str:
    """Eight numbers; what is wrong with them, or ""."""
    found.corners = numbers
    return "" if len(numbers) == 8 else f"{1 + len(numbers)} columns where there are nine, class and four corners"
