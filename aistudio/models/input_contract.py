"""What an assembled model takes: on the model itself, for whoever feeds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InputContract:
    """How images come to a model; ``model.input_contract`` of what `aistudio.assemble` gives.

    ``layout`` is ``(N, C, H, W)`` with the number of channels, or a list of images. ``normalised`` says who normalises:
    with True the images are ``(image - mean) / std`` of an image in [0, 1] when they come, with False they are in
    [0, 1], and the model does it inside, if ``mean`` and ``std`` (one value a channel) are not empty. ``size`` is the
    configured side in pixels, of a square, or of the longer side where the model resizes.
    """

    layout: str
    normalised: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int

    def __str__(self) -> str:
        statistics = f"mean {_row(self.mean)}, std {_row(self.std)}"
        if self.normalised:
            return f"takes {self.layout}, normalised once: {statistics}; {self.size} px"
        inside = f"; normalises inside: {statistics}" if self.mean else ""
        return f"takes {self.layout} in [0, 1]{inside}; {self.size} px"


def _row(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
