"""The parts of a model."""

from __future__ import annotations

from torch import nn


def named_backbone(model: nn.Module) -> tuple[str, nn.Module]:
    """The feature extractor of a model after its prefix: ``backbone.body.`` in detectors, else ``backbone.``."""
    backbone = getattr(model, "backbone", None)
    if not isinstance(backbone, nn.Module):
        return "", model
    body = getattr(backbone, "body", None)
    return ("backbone.body.", body) if isinstance(body, nn.Module) else ("backbone.", backbone)
