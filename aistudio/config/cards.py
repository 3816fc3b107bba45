"""The cards of a forecast: what a file of ``conf/gpu/`` says, judged and read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aistudio.config.values import Config, is_a, show
from aistudio.errors import Problem

PRECISIONS = ("float32", "tf32", "bfloat16", "float16")
KEYS = {"memory": None, "tflops": dict.fromkeys(PRECISIONS), "bandwidth": None, "source": None}
_UNITS = {"B": 1, "MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(MB|GB|MiB|GiB|B)", re.ASCII)
LARGEST = 2**44  # bytes: no card has 16 TiB


def cards(config: Config) -> dict[str, Mapping[str, Any]]:
    """The cards of a configuration by their names; ``gpu.memory`` is one of which no more is known."""
    section = config.get("gpu") or {}
    named = {name: card for name, card in section.items() if isinstance(card, Mapping)}
    bare = section.get("memory")
    return named if bare is None else {**named, str(bare).replace(" ", ""): {"memory": bare}}


def in_bytes(size: Any) -> int | None:
    """``16GiB``, or a number of bytes, as a number of bytes; None where it is no size."""
    if is_a(size, int):
        return int(size) if 0 < size <= LARGEST else None
    read = SIZE.fullmatch(size) if isinstance(size, str) and len(size) < 30 else None
    found = int(float(read[1]) * _UNITS[read[2]]) if read else 0
    return found if 0 < found <= LARGEST else None


def card_problems(config: Config) -> Iterator[Problem]:
    """Cards that cannot be read."""
    section = config.get("gpu") or {}
    for name, value in section.items():
        if name != "memory" and not isinstance(value, Mapping):
            yield Problem(
                f"gpu.{name}={show(value)} is no card", "a card is a file of conf/gpu/", f"gpu.{name}", "gpu=t4"
            )
    for name, card in cards(config).items():
        where = "gpu.memory" if name not in section else f"gpu.{name}.memory"
        if in_bytes(card.get("memory")) is None:
            why = "it is the memory of a card"
            yield Problem(f"{where}={show(card.get('memory'))} is no size", why, where, f"16GiB, or {16 * 2**30}")
        yield from _number_problems(f"gpu.{name}", card)


def _number_problems(where: str, card: Mapping[str, Any]) -> Iterator[Problem]:
    """Peaks and bandwidth that are no positive numbers."""
    peaks = card.get("tflops") or {}
    if not isinstance(peaks, Mapping):
        yield Problem(
            f"{where}.tflops={show(peaks)} cannot be read", "it has a number a precision", where, "float32: 8.1"
        )
        return
    for name in peaks.keys() - set(PRECISIONS):
        yield Problem(f"{where}.tflops.{name} is unknown", "a peak has a precision", where, ", ".join(PRECISIONS))
    numbers = {f"tflops.{name}": peak for name, peak in peaks.items()} | {"bandwidth": card.get("bandwidth")}
    for name, value in numbers.items():
        if value is not None and not (is_a(value, float) and 0 < value < 1e9):
            why = "it is published in GB/s" if name == "bandwidth" else "it is published in TFLOPS"
            yield Problem(f"{where}.{name}={show(value)} is no speed", why, f"{where}.{name}", "a number above 0")
