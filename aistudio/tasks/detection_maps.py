"""What the heads of a detector say before anything is decoded, for comparing two forwards of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def raw_maps(model: nn.Module, images: Sequence[Tensor]) -> dict[str, Tensor]:
    """What the heads say before anything is decoded, sorted or suppressed, batch first: name → (N, …).

    One-stage detectors have a ``head``; two-stage ones an ``rpn`` and RoI heads, which are asked about four fixed boxes
    in place of proposals, so that two forwards stay comparable.
    """
    part = model.get_submodule
    batch, _ = part("transform")(list(images))
    features = part("backbone")(batch.tensors)
    if hasattr(model, "head"):
        return _batch_first(part("head")(list(features.values())))
    objectness, deltas = part("rpn.head")(list(features.values()))
    maps = _batch_first({"objectness": objectness, "rpn_deltas": deltas})
    return maps | _roi_maps(part("roi_heads"), features, batch.image_sizes)


def _batch_first(maps: dict[str, Tensor | list[Tensor]]) -> dict[str, Tensor]:
    """Lists of one map a level become one tensor (N, values)."""
    return {
        name: value if isinstance(value, Tensor) else torch.cat([level.flatten(1) for level in value], 1)
        for name, value in maps.items()
    }


def _roi_maps(heads: nn.Module, features: dict[str, Tensor], sizes: list[tuple[int, int]]) -> dict[str, Tensor]:
    parts = torch.tensor([[0.0, 0, 1, 1], [0, 0, 0.5, 0.5], [0.25, 0.25, 0.75, 1], [0.5, 0.1, 1, 0.4]])
    some = next(iter(features.values()))
    boxes = [parts.to(some) * some.new_tensor([width, height, width, height]) for height, width in sizes]
    part = heads.get_submodule
    logits, deltas = part("box_predictor")(part("box_head")(part("box_roi_pool")(features, boxes, sizes)))
    maps = {"class_logits": logits, "box_deltas": deltas}
    if getattr(heads, "mask_predictor", None) is not None:
        inside = part("mask_head")(part("mask_roi_pool")(features, boxes, sizes))
        maps["mask_logits"] = part("mask_predictor")(inside)
    return {name: value.unflatten(0, (len(sizes), len(parts))) for name, value in maps.items()}
