"""Which part of a saved object is the model: itself a state dict, or one of those that training loops wrap it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_AVERAGED = ("model_ema", "state_dict_ema", "ema_state_dict", "ema_model", "ema", "averaged_model")
KNOWN = (  # the average first: it is what one would publish, and what is taken is always said
    *_AVERAGED,
    *("state_dict", "model", "model_state_dict", "model_state", "net", "network", "module", "weights", "params"),
)
_NOT_A_MODEL = ("optimizer", "optim", "scheduler", "scaler", "loops", "callbacks", "optimizer_states", "lr_schedulers")


@dataclass(frozen=True)
class Part:
    """A state dict inside a file: its dotted place (``""`` is the file itself), its tensors, and the other places."""

    place: str
    tensors: dict[str, Any]
    others: tuple[str, ...] = ()


def find_part(content: Any, is_tensor: Callable[[Any], bool]) -> Part | None:
    """The state dict to take from a saved object; None where there is none."""
    found = dict(_state_dicts(content, is_tensor, "", 3))
    if not found:
        return None
    place = min(found, key=lambda one: (_rank(one, found[one]), list(found).index(one)))
    return Part(place, found[place], tuple(other for other in found if other != place))


def _state_dicts(content: Any, is_tensor: Callable, place: str, depth: int) -> Any:
    if not isinstance(content, Mapping) or not depth:
        return
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and is_tensor(value)}
    if len(tensors) > 0.5 * len(content):
        yield place, tensors
        return
    for name, value in content.items():
        if isinstance(name, str) and not name.startswith(_NOT_A_MODEL):
            yield from _state_dicts(value, is_tensor, f"{place}.{name}" if place else name, depth - 1)


def _rank(place: str, tensors: Mapping[str, Any]) -> int:
    last = place.rpartition(".")[2]
    if last in KNOWN:
        return KNOWN.index(last)
    return len(KNOWN) + (0 if len(tensors) > 4 else 1)


def is_averaged(place: str) -> bool:
    """Whether a place holds an exponential moving average of a model."""
    return place.rpartition(".")[2] in _AVERAGED
