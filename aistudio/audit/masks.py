"""Masks of class ids: of the image's size, without loss, with no id that does not exist."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aistudio.audit.images import FORMATS, SOUND, ImageFacts, first_line, inspect_image
from aistudio.audit.numbered import plausible_count
from aistudio.audit.options import Options
from aistudio.audit.records import Fault, ImageRecord, Labels, Place
from aistudio.audit.sizes import times
from aistudio.audit.tree import Tree

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np
    from PIL import Image

_BETWEEN = 0.15  # of all steps from pixel to pixel that go by a value in between: from here on, resized by blending
ENOUGH = 8
_NEARLY_ALL = 0.8  # of an image that is marked as a defect
_BINARY = ({0}, {0, 1}, {0, 255}, {1}, {255})


@dataclass
class MaskFacts:
    """What a mask holds: the pixels of each id, a hash of them, whether borders go over values in between.

    ``alpha``: all that differs from pixel to pixel is how opaque they are.
    """

    name: str
    fault: str = ""
    message: str = ""
    size: tuple[int, int] | None = None
    lossy: bool = False
    colours: bool = False
    ids: dict[int, int] = field(default_factory=dict)
    blended: bool = False
    digest: str = ""
    alpha: bool = False


def read_masks(tree: Tree, names: Iterable[str]) -> dict[str, MaskFacts]:
    """The facts of every mask."""
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("ignore")
        return {facts.name: facts for facts in pool.map(lambda name: read_mask(tree, name), dict.fromkeys(names))}


def read_mask(tree: Tree, name: str) -> MaskFacts:
    """Open and decode one mask."""
    import numpy as np
    from PIL import Image

    header = inspect_image(tree, name, False)
    facts = MaskFacts(name, header.fault, header.message, header.stored)
    if header.fault not in SOUND:
        return facts
    facts.fault = ""
    try:
        with Image.open(tree.path(name), formats=FORMATS) as image:
            facts.lossy = image.format in ("JPEG", "MPO")
            values = _ids_in(image, np)
            facts.alpha = image.mode in ("RGBA", "LA") and _is_only_alpha(image)
    except Exception as error:  # whatever a decoder raises
        facts.fault, facts.message = "truncated_image", first_line(error)
        return facts
    if values is None:
        facts.colours = True
        return facts
    found, counts = np.unique(values, return_counts=True)
    facts.ids = dict(zip(found.tolist(), counts.tolist(), strict=True))
    facts.blended = _is_blended(values.astype(np.int64))
    facts.digest = hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=8).hexdigest()
    return facts


def _ids_in(image: Image.Image, np: ModuleType) -> np.ndarray | None:
    """(H, W) ids of a mask, or None where it holds colours."""
    values = np.asarray(image)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    if values.ndim == 3:
        grey = (values[..., :3] == values[..., :1]).all() if values.shape[2] >= 3 else True
        return values[..., 0] if grey else None
    return values if values.dtype.kind in "iu" else None


def _is_only_alpha(image: Image.Image) -> bool:
    """Whether every band is of one value but the last, which is not."""
    *colours, alpha = (len({*image.getchannel(band).getextrema()}) == 1 for band in image.getbands())
    return all(colours) and not alpha


def _is_blended(values: np.ndarray) -> bool:
    """Whether borders go over values in between, as resizing with interpolation leaves them."""
    steps, between = 0, 0
    for one in (values, values.T):
        before, middle, after = one[:, :-2], one[:, 1:-1], one[:, 2:]
        steps += int((one[:, 1:] != one[:, :-1]).sum())
        between += int((((before < middle) & (middle < after)) | ((before > middle) & (middle > after))).sum())
    return between >= ENOUGH and between >= _BETWEEN * steps


def check_masks(
    labels: Labels, facts: dict[str, ImageFacts], masks: dict[str, MaskFacts], options: Options
) -> Iterator[Fault]:
    """Every mask for itself, and against its image."""
    binary = labels.format == "mvtec"
    many = 0 if binary else count_classes(labels, masks, options)
    if not binary and many == 1 and any(255 in one.ids for one in masks.values()) and _is_binary(masks):
        for name, one in masks.items():
            if 255 in one.ids and not one.fault:
                yield Fault("mask_not_ids", Place(name), "only 0 and 255: the objects are marked with the id to ignore")
        return
    for image in labels.images:
        if (image.mask or "") not in masks:
            continue
        one = masks[image.mask or ""]
        place = Place(one.name)
        yield from _check_mask_size(image, one, facts.get(image.name))
        if one.fault:
            yield Fault(one.fault, place, one.message)
        elif one.lossy:
            yield Fault("mask_is_lossy", place, f"a JPEG with {len(one.ids)} different values")
        elif one.alpha:
            yield Fault("mask_not_ids", place, "the ids are in the alpha channel; the colours are all the same")
        elif one.colours:
            yield Fault("mask_not_ids", place, "three channels that differ: colours, not class ids")
        else:
            yield from _check_binary(one, image) if binary else _check_ids(one, many, labels)


def _is_binary(masks: dict[str, MaskFacts]) -> bool:
    """Whether hardly a mask holds anything but 0 and 255."""
    sound = [one for one in masks.values() if one.ids]
    return 2 * sum(set(one.ids) <= {0, 255} for one in sound) > len(sound)


def _check_mask_size(image: ImageRecord, mask: MaskFacts, facts: ImageFacts | None) -> Iterator[Fault]:
    """A mask of the size that its image is shown with."""
    if facts is None or mask.size is None or facts.stored is None or facts.fault not in SOUND:
        return
    if facts.orientation > 1 and mask.size == facts.stored:
        kind = "exif_rotation" if facts.stored != facts.size else "exif_unclear"
        said = f"EXIF orientation {facts.orientation} turns {times(facts.stored)}; its mask {mask.name} is not turned"
        yield Fault(kind, Place(image.name), said)
    elif mask.size != facts.size:
        yield Fault("mask_size", Place(mask.name), f"{times(mask.size)}, {image.name} has {times(facts.size)}")


def _check_binary(mask: MaskFacts, image: ImageRecord) -> Iterator[Fault]:
    """A mask of a defect: two values, and something marked; that of a normal image has nothing marked."""
    place = Place(mask.name)
    if set(mask.ids) not in _BINARY:
        others = [value for value in mask.ids if value not in (0, 1, 255)][:8]
        kind = "mask_interpolated" if len(mask.ids) > 2 else "class_out_of_range"
        yield Fault(kind, place, f"{len(mask.ids)} different values, {', '.join(map(str, others))} among them")
    elif image.label == 0:
        if set(mask.ids) != {0}:
            said = f"a defect is marked in {image.name}, which its folder calls good"
            yield Fault("image_with_two_labels", place, said)
    elif set(mask.ids) == {0}:
        yield Fault("empty_mask", place, "no pixel is marked")
    elif mask.ids.get(0, 0) <= (1 - _NEARLY_ALL) * sum(mask.ids.values()):
        share = 1 - mask.ids.get(0, 0) / sum(mask.ids.values())
        yield Fault("mask_inverted", place, f"{share:.0%} of the image are marked as a defect")


def _check_ids(mask: MaskFacts, many: int, labels: Labels) -> Iterator[Fault]:
    """Ids from 0 to the number of classes, or the one to ignore."""
    place, ignore = Place(mask.name), labels.ignore_index
    unknown = {i: n for i, n in mask.ids.items() if i != ignore and not 0 <= i < many}
    if mask.blended:
        some = ", ".join(map(str, [*unknown][:8])) or "none unknown"
        yield Fault("mask_interpolated", place, f"borders go over values in between; ids that do not exist: {some}")
    elif unknown:
        some = ", ".join(f"{i} in {n} pixels" for i, n in [*unknown.items()][:8])
        yield Fault("class_out_of_range", place, f"id {some}, where there are {many} classes, 0 … {many - 1}")
    elif set(mask.ids) == {ignore}:
        yield Fault("unlabelled_mask", place, f"every pixel is {ignore}")
    elif set(mask.ids) <= {0, ignore}:
        yield Fault("empty_mask", place, "every pixel is 0")


def count_classes(labels: Labels, masks: dict[str, MaskFacts], options: Options) -> int:
    """How many classes there are: as named, as stated, or as most masks say; they get numbers for names."""
    sound = [one for one in masks.values() if not (one.fault or one.lossy or one.blended or one.colours)]
    if not labels.classes:
        ids = Counter(i for one in sound for i in one.ids if i != labels.ignore_index)
        many = options.num_classes or plausible_count([*ids.elements()])
        labels.classes = [str(number) for number in range(many)]
        for one in sound:
            for number in one.ids:
                if 0 <= number < many:
                    labels.class_places.setdefault(str(number), Place(one.name))
    return len(labels.classes)
