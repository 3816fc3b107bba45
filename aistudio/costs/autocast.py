"""Autocast where there is none: the meta device has no such mode, so the casts that CUDA and CPUs make are made here.

What is cast is torch's documented choice (its "Autocast Op Reference"). Which bytes are alive depends on it: CUDA runs
normalisation over layers, softmax, interpolation and sums in float32, CPUs do not.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from aistudio.models.nested import map_tensors

Backend = Literal["cuda", "cpu"]

CONVOLUTIONS = {f"conv{transposed}{axes}d" for transposed in ("", "_transpose") for axes in (1, 2, 3)}
_PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "addmm", "addmv", "addr", "addbmm", "baddbmm"}
_ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward", "_native_multi_head_attention"}
_LOW = CONVOLUTIONS | _PRODUCTS | _ATTENTION | {"linear", "einsum", "chain_matmul", "multi_dot", "bilinear"}

LOSSES = {
    "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "ctc_loss", "hinge_embedding_loss",
    "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss",
    "nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss",
}  # fmt: skip
_FUNCTIONS = {
    "__pow__", "__rdiv__", "__rpow__", "__rtruediv__", "acos", "asin", "cosh", "cumprod", "cumsum", "dist", "erfinv",
    "exp", "expm1", "log", "log10", "log1p", "log2", "logsumexp", "norm", "pow", "prod", "reciprocal", "renorm",
    "rsqrt", "sinh", "softplus", "sum", "tan",
}  # fmt: skip
_NORMALISED = {"cosine_similarity", "group_norm", "layer_norm", "log_softmax", "normalize", "softmax", "softmin"}
HIGH: dict[Backend, set[str]] = {
    "cuda": LOSSES | _FUNCTIONS | _NORMALISED | {"cdist", "interpolate", "pdist", "upsample"},
    "cpu": LOSSES - {"smooth_l1_loss"} | {"avg_pool3d", "binary_cross_entropy", "cdist", "grid_sample", "prod"},
}
_WIDEST = {"cat", "stack", "concat", "concatenate", "hstack", "vstack"}
_ROI = {"roi_align", "ps_roi_align", "roi_pool", "ps_roi_pool", "deform_conv2d", "nms"}  # torchvision's own casts


class Autocast(TorchFunctionMode):
    """Casts what autocast casts on ``backend`` to ``dtype``; a weight is cast once until the mode is left."""

    def __init__(self, dtype: torch.dtype, backend: Backend = "cuda"):
        super().__init__()
        self.dtype, self.high = dtype, HIGH[backend]
        self._weights: dict[int, tuple[weakref.ref, Tensor]] = {}

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._weights.clear()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(function, "__name__", ""), kwargs or {}
        if name in _LOW:
            args, kwargs = _each(self._lowered, args, kwargs)
        elif name in self.high or name in _WIDEST and _has(args, torch.float32):
            args, kwargs = _each(_raised, args, kwargs)
        elif name in _ROI:
            return self._in_float32(function, args, kwargs)
        return function(*args, **kwargs)

    def _in_float32(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """torchvision computes its operators in float32 and gives back what it got."""
        wanted = args[0].dtype
        args, kwargs = _each(_raised, args, kwargs)
        result = function(*args, **kwargs)
        return result.to(wanted) if result.is_floating_point() else result

    def _lowered(self, value: Any) -> Any:
        if not _eligible(value) or value.dtype == self.dtype:
            return value
        if not (value.is_leaf and value.requires_grad and value.dtype == torch.float32):
            return value.to(self.dtype)
        known = self._weights.get(id(value))
        if known is None or known[0]() is not value:
            known = self._weights[id(value)] = weakref.ref(value), value.to(self.dtype)
        return known[1]


def _eligible(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dtype != torch.float64 and value.is_meta


def _raised(value: Any) -> Any:
    return value.float() if _eligible(value) and value.dtype != torch.float32 else value


def _each(cast: Callable[[Any], Any], args: Any, kwargs: Any) -> tuple[Any, Any]:
    return map_tensors(cast, args), map_tensors(cast, kwargs)


def _has(args: Any, dtype: torch.dtype) -> bool:
    parts = args[0] if args and isinstance(args[0], list | tuple) else ()
    return any(isinstance(part, Tensor) and part.dtype == dtype for part in parts)
