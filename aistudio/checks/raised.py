"""What a check, a model or a task raised, as a finding: where it was raised, what it means, and what to try first."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

from aistudio.checks.outcome import Outcome, failed
from aistudio.errors import first_line

_OUT_OF_MEMORY = (
    "the device has not enough memory: take a smaller task.image_size, data.batch_size or sanity.image_size, "
    "a smaller backbone, runtime.precision=bfloat16, or another runtime.device"
)
ONE_VALUE = (
    "a batch norm sees a single value a channel, as a batch of one image gives it behind the pooling: "
    "drop_last=True in the loader leaves such batches out, GroupNorm or LayerNorm in place of the batch norm takes them"
)
_DEVICES = "a tensor was made or left on another device: register_buffer it, or make it with device=x.device"
_DTYPES = (
    "two dtypes meet: look for .double(), .half(), .bfloat16() and numbers of numpy; give dtype=x.dtype. Images come "
    "in float32: weights stay float32, too, and runtime.precision=bfloat16 computes in bfloat16"
)
_MEANINGS = {  # words of torch's errors, and what to try first
    "Expected more than 1 value per channel": ONE_VALUE,
    "shapes cannot be multiplied": (
        "a linear layer expects another number of features than arrives: compare its in_features with the shape before "
        "it, and pool to one size (AdaptiveAvgPool2d(1)) where that depends on the image"
    ),
    "does not require grad": (
        "the loss does not hang on any parameter: look for detach(), no_grad(), .item() or argmax on the way to it"
    ),
    "modified by an inplace operation": (
        "something that the backward pass needs was overwritten: replace x += y, x.relu_() or x[...] = by a new tensor"
    ),
    "backward through the graph a second time": (
        "a tensor of an earlier step is used again: detach() what is kept from one step to the next"
    ),
    "out of bounds": (
        "an index that is not there, mostly a class id without output: compare the largest label with the last layer"
    ),
    "loss takes one tensor": (
        "return the tensor itself from forward, e.g. return output.logits or output[0]; or write a task of your own "
        "whose loss and raw_outputs take it out"
    ),
    "same device": _DEVICES,
    "not on the expected device": _DEVICES,
    "expected scalar type": _DTYPES,
    "same dtype": _DTYPES,
    "should be the same": _DTYPES,
    "must match the size of tensor": (
        "two shapes do not go together: print both before that line; look for sizes that are written down as numbers"
    ),
    "is invalid for input of size": "a view is written for one batch or image size: take it from x.shape",
    "expected input": "a layer is built for another number of channels: compare its in_channels with what arrives",
}


def finding(error: Exception) -> Outcome:
    """An exception as the failed outcome of the check that met it, with the last line that is not a library's."""
    if is_out_of_memory(error):
        seen = f"{type(error).__name__}: {first_line(error)}"
        return failed(seen, "enough memory for the model and one batch", _OUT_OF_MEMORY)
    place = _place(error)
    cause = meaning(error)
    if not cause:
        where = "the line named in brackets is the place to look" if place else "a library raised by itself"
        cause = f"the model, the task or the check raised: {where}; call the model on one batch in a shell to see all"
    return failed(f"{type(error).__name__}: {first_line(error)}{place}", "no exception", cause)


def meaning(error: BaseException) -> str:
    """What an error of torch's comes from, with the first thing to try; "" where that is not known."""
    said = first_line(error)
    return next((words for heard, words in _MEANINGS.items() if heard in said), "")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a GPU or on the CPU."""
    said = any(words in repr(error) for words in ("can't allocate memory", "out of memory"))
    return said or isinstance(error, torch.OutOfMemoryError | MemoryError)


def _place(error: Exception) -> str:
    """The last line of code that is no library's, `` (file:line, function)``, or ""."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and "<" not in frame.filename]
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno}, {own[-1].name})" if own else ""
