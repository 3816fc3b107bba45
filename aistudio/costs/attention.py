"""Attention as devices compute it: fused, so that the scores of all pairs are never in memory.

On the meta device torch would choose the formula in plain operators, which holds them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_FUSED = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


class FusedAttention(TorchFunctionMode):
    """Runs scaled dot-product attention as one operator wherever CUDA and CPUs have one for it."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") != "scaled_dot_product_attention":
            return function(*args, **kwargs)
        return _attention(function, *args, **kwargs)


def _attention(
    plain: Callable[..., Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    rows = all(tensor.dim() == 4 and tensor.stride(-1) == 1 for tensor in (query, key, value))
    fits = rows and query.is_meta and key.shape == value.shape and not enable_gqa and dropout_p == 0
    if not fits or attn_mask is not None and (attn_mask.dtype == torch.bool or attn_mask.requires_grad):
        return plain(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    if attn_mask is not None:
        attn_mask = attn_mask.expand(*query.shape[:-1], key.shape[-2])
    return _FUSED(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]
