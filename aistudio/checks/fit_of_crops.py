"""What the centre crop of the tasks that say what an image is cuts off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aistudio.checks.fit_of_boxes import percent
from aistudio.checks.outcome import Outcome, passed
from aistudio.data.arrival import Arrival

LONG = 0.5  # of the area is cut off: an image more than twice as long as it is wide
MANY = 0.1  # of the images


@dataclass(frozen=True)
class CropFit:
    """``cut`` is the share of each image that the crop leaves out."""

    size: int
    cut: Sequence[float]
    seen: str
    warning: str

    def in_words(self) -> str:
        """What was seen, and what to do about it."""
        return "; ".join(filter(None, (self.seen, self.warning)))


def fit_of_crops(arrived: Arrival, size: int) -> tuple[Outcome, CropFit]:
    """The share of each image that is left; and images that are enlarged to ``size``, which adds nothing."""
    short, long = arrived.sizes.amin(1), arrived.sizes.amax(1)
    cut = 1 - short / long
    images = len(cut)
    many = f"{images:,}" if images == arrived.of else f"{images:,} of {arrived.of:,}"
    halved, enlarged = float((cut > LONG).float().mean()), float((short < size).float().mean())
    seen = (
        f"the square in the centre leaves out {percent(float(cut.median()))} of an image at the median, "
        f"{percent(float(cut.max()))} at most, in {many} images"
    )
    seen += f"; {percent(enlarged)} are enlarged to {size} px" if enlarged else ""
    warnings = []
    if halved >= MANY:
        warnings.append(
            f"{percent(halved)} of the images are more than twice as long as wide, and lose more than half of what "
            "they show: cut or pad them to squares"
        )
    if float(short.median()) * 2 <= size:
        least = max(32, round(float(short.median()) / 32) * 32)
        warnings.append(
            f"half of the images have sides of {short.median():.0f} px or fewer and are enlarged to {size}: "
            f"task.image_size={least} sees as much"
        )
    fit = CropFit(size, cut.tolist(), seen, "; ".join(warnings))
    return replace(passed(seen, "what is to be learnt is in the centre"), warning=fit.warning), fit
