"""Images of a batch that are one image: they tell nothing of a model, which cannot learn two targets for one image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from torch import Tensor

from aistudio.checks.outcome import some
from aistudio.data.sample import Sample
from aistudio.models.nested import equal

OTHER_IMAGES = "data.root needs images that differ"
_NEARLY = 0.1  # of an image's own deviation: one image saved twice differs by .04, two images by about 1


def _is_copy(one: Tensor, other: Tensor) -> bool:
    """Whether two images (3, H, W) are the same, or the same saved at another quality."""
    return one.shape == other.shape and float((one - other).abs().mean()) <= _NEARLY * float(one.std())


def one_image(samples: Sequence[Sample]) -> str:
    """That all images of a batch are the same, in words; "" where two differ."""
    first = samples[0]
    if len(samples) < 2 or not all(_is_copy(first.image, other.image) for other in samples[1:]):
        return ""
    names = list(dict.fromkeys(sample.name for sample in samples if sample.name))
    which = f"the same file, {names[0]}" if len(names) == 1 else "the same pixels" + f": {some(names)}" * bool(names)
    return f"all {len(samples)} images are {which}"


def contradiction(samples: Sequence[Sample], targets: Sequence[Any]) -> str:
    """That the same image has two targets, in words; "" where it has not."""
    for one, other in combinations(range(len(samples)), 2):
        if not equal(targets[one], targets[other]) and _is_copy(samples[one].image, samples[other].image):
            names = {samples[one].name, samples[other].name} - {""}
            which = f" ({' and '.join(sorted(names))})" if names else ""
            return one_image(samples) or f"images {one + 1} and {other + 1} of the batch are the same{which}"
    return ""
