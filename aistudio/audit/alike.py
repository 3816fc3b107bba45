"""Images with the same content in another size, quality, brightness or orientation, by thumbnails and then by details.

Where many images show one scene, as those of a fixed camera do, what they share proves nothing: two of them are the
same only if they differ from the others alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from aistudio.audit.images import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from PIL import Image

_BLOCK = 40.0  # of 255: how far a sixteenth of the side may differ in the same image
_SCENE_BLOCK = 8.0  # the same of images of one scene: less than what moves in it changes
_ALIKE = 0.98  # correlation of thumbnails
_SHARES = 3  # pixels of the smaller image to one of the details that are compared, which are 16 to 256 a side
_SAME_DETAIL = 0.65  # correlation of details: another photograph of the same scene has other grain
_FLAT = 4.0  # of 255: an image without more contrast is like any other
_CANDIDATES = 20  # for each image
_SCENE = 4  # other images that are like one of a pair, from which on they are taken for one scene
_OTHERS = 6  # of that scene, whose mean is what its images share
_SAME_REST = 0.5  # correlation of what is left without that mean: .9 in copies, .4 where the camera shakes
_MAYBE = 0.25  # the same of thumbnails, of which little is left
_GREY = (0.299, 0.587, 0.114)  # shares of red, green and blue, as PIL has them
_WAYS = [(mirrored, quarters) for mirrored in (False, True) for quarters in range(4)]
_ROWS = 2048  # thumbnails that are compared with all others at a time
_CACHED = 512  # images of up to 64 KiB, for those of one scene are compared with each other
Candidate = tuple[int, int]  # an image, and a way to turn one


class Seen(Protocol):
    """An image whose thumbnail is known: (16, 16, 3) uint8."""

    name: str
    stored: tuple[int, int] | None
    thumbnail: Any


def alike(root: Path, those: Sequence[Seen]) -> Iterator[tuple[int, int]]:
    """Pairs of indices, a later and an earlier image with the same content; one pair for each later image."""
    import numpy as np

    if len(those) < 2:
        return
    thumbnails = np.stack([one.thumbnail for one in those]).astype(np.float32)
    grey = thumbnails @ np.asarray(_GREY, dtype=np.float32)
    centred = grey - grey.mean((1, 2), keepdims=True)
    contrast = centred.std((1, 2))
    unit = centred / np.maximum(contrast, 1e-6)[:, None, None]
    candidates = _find_candidates(unit, contrast)
    neighbours: dict[int, set[int]] = {}
    for one, some in candidates.items():
        for other, way in some:
            if way == 0:
                neighbours.setdefault(one, set()).add(other)
                neighbours.setdefault(other, set()).add(one)
    images = lru_cache(_CACHED)(lambda index, side: _grey(root / those[index].name, side))
    for one in sorted(candidates):
        for other, way in sorted(candidates[one]):
            scene, scene_way = _nearest(unit, other, neighbours.get(other, set()) - {one}), 0
            if not scene:
                scene, scene_way = _nearest(unit, one, neighbours.get(one, set()) - {other}), way
            seen = turned(unit[one], way)
            if scene and _difference(seen, unit[other], contrast[[one, other]]) > _SCENE_BLOCK:
                continue
            if scene and _rest(seen, unit[other], turned(unit[scene].mean(0), scene_way)) < _MAYBE:
                continue
            side = _side_of([those[index].stored for index in (one, other)])
            if _same_details(images, (one, way), other, (scene, scene_way), side):
                yield one, other
                break


def _nearest(unit: np.ndarray, one: int, others: set[int]) -> list[int]:
    """Those of the images of one scene that are most like one of them; none where they are too few for a scene."""
    if len(others) < _SCENE:
        return []
    return sorted(others, key=lambda other: (-float((unit[one] * unit[other]).sum()), other))[:_OTHERS]


def _find_candidates(unit: np.ndarray, contrast: np.ndarray) -> dict[int, list[Candidate]]:
    """The earlier images that each image is like, turned in some way; ``unit`` (N, 16, 16)."""
    import numpy as np

    contrasted = np.flatnonzero(contrast >= _FLAT)
    found: dict[int, list[Candidate]] = {}
    for way in range(len(_WAYS)):
        for one, other in _close_pairs(unit, contrasted, way):
            if _difference(turned(unit[one], way), unit[other], contrast[[one, other]]) <= _BLOCK:
                found.setdefault(one, []).append((other, way))
    return found


def _difference(one: np.ndarray, other: np.ndarray, contrasts: np.ndarray) -> float:
    """How far two thumbnails are apart where they are furthest, of 255, in the contrast of the duller one."""
    return float(abs(one - other).max() * contrasts.min())


def _close_pairs(unit: np.ndarray, those: np.ndarray, way: int) -> Iterator[tuple[int, int]]:
    """Each of those images, turned one way, with the earlier ones that it is most like; ``unit`` (N, 16, 16)."""
    import numpy as np

    flat = unit[those].reshape(len(those), -1)
    other_way = turned(unit[those], way).reshape(flat.shape)
    for start in range(0, len(those), _ROWS):
        likeness = other_way[start : start + _ROWS] @ flat.T
        close = likeness >= _ALIKE * flat.shape[1]
        for row in np.flatnonzero(close.any(1)):
            columns = np.flatnonzero(close[row, : row + start])
            if len(columns) > _CANDIDATES:
                columns = columns[np.argsort(-likeness[row, columns], kind="stable")[:_CANDIDATES]]
            for column in columns:
                yield int(those[row + start]), int(those[column])


def turned(images: np.ndarray, way: int) -> np.ndarray:
    """Images (..., H, W), H = W, mirrored and turned by quarters."""
    import numpy as np

    mirrored, quarters = _WAYS[way]
    return np.rot90(images[..., ::-1] if mirrored else images, quarters, axes=(-2, -1))


def _side_of(sizes: Sequence[tuple[int, int] | None]) -> int:
    """How many details a side are compared in images of these sizes."""
    shortest = min(side for size in sizes for side in size or (0,))
    return max(16, min(256, shortest // _SHARES))


def _same_details(images: Any, one: Candidate, other: int, scene: tuple[Sequence[int], int], side: int) -> bool:
    """Whether what is left of two images without their broad shapes is the same, one of them turned.

    Of images of one scene, whether what is left without what the others show is the same, too.
    """
    import numpy as np

    first, second = images(one[0], side), images(other, side)
    if first is None or second is None:
        return False
    a, b = turned(_detail(first), one[1]), _detail(second)
    if correlation(a, b) < _SAME_DETAIL:
        return False
    others = [_detail(image) for index in scene[0] if (image := images(index, side)) is not None]
    return not others or _rest(a, b, turned(np.mean(others, axis=0), scene[1])) >= _SAME_REST


def _rest(one: np.ndarray, other: np.ndarray, shared: np.ndarray) -> float:
    """The correlation of two images of a scene, each as bright as is most like what the scene shows, without that."""
    rests = [
        image * (float((image * shared).sum()) / max(float((image * image).sum()), 1e-9)) for image in (one, other)
    ]
    return correlation(rests[0] - shared, rests[1] - shared)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of the angle between two arrays; 0 where one of them is nothing."""
    import numpy as np

    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / scale if scale > 0 else 0.0


def _grey(path: Path, side: int) -> Image.Image | None:
    """An image in grey, ``side`` pixels wide and high; None where it cannot be read."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=FORMATS) as file:
            whole = ImageOps.exif_transpose(file).convert("L")
    except Exception:  # it was read before; whatever changed since is not this check's matter
        return None
    return whole.resize((side, side), Image.Resampling.BOX)


def _detail(fine: Image.Image) -> np.ndarray:
    """(side, side) float32: a grey image less what one of half the size says."""
    import numpy as np
    from PIL import Image

    width, height = fine.size
    coarse = fine.resize((width // 2, height // 2), Image.Resampling.BOX).resize(fine.size, Image.Resampling.BILINEAR)
    return np.asarray(fine, dtype=np.float32) - np.asarray(coarse, dtype=np.float32)
