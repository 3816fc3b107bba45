"""Other input channels than red, green and blue: the first convolution, a detector's own normalisation, the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from aistudio.assembly.pretrained import filled_backbone
from aistudio.data.channels import WithChannels
from aistudio.data.imagenet import adapted_statistics
from aistudio.data.sample import Source
from aistudio.errors import Problem, refuse
from aistudio.models.dry_run import runs_at
from aistudio.models.surgery import change_input, first_convolution


def adapt_input(model: nn.Module, backbone: Mapping[str, Any], size: int) -> None:
    """Let a model take ``backbone.in_channels``, in place; its kernels by the rule of `aistudio.models.surgery`.

    A model whose first convolution sees no colours (it may rearrange pixels into channels first) is left as it is
    where it runs on such images of ``size`` pixels. A detector normalises inside, with ``backbone.image_mean`` and
    ``image_std``, or its own, adapted alike.
    Raises `Refusal` where the first convolution is none that can be adapted.
    """
    channels = int(backbone.get("in_channels") or 3)
    _, part = filled_backbone(model)
    found = first_convolution(part)
    try:
        if found is None and channels != 3:
            raise ValueError("no convolution was found in it")
        if found is None or (found[1].in_channels != channels and not runs_at(part, size, channels=channels)):
            change_input(part, channels)
    except ValueError as error:
        what = f"backbone.in_channels={channels} cannot be had of backbone={backbone.get('name')}"
        instead = "backbone.in_channels=3, or a model whose first convolution takes as many"
        refuse([Problem(what, str(error), "backbone.in_channels", instead)])
    transform = getattr(model, "transform", None)
    for name in ("image_mean", "image_std"):
        if isinstance(own := getattr(transform, name, None), list | tuple):
            setattr(transform, name, list(backbone.get(name) or adapted_statistics(own, channels)))


def with_configured_channels(source: Source, backbone: Mapping[str, Any]) -> Any:
    """A source whose images have the channels that the model takes."""
    channels = int(backbone.get("in_channels") or 3)
    return source if channels == 3 else WithChannels(source, channels)
