"""Means and deviations that somebody states of each channel of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aistudio.config.values import MISSING, is_a, lookup, show
from aistudio.errors import Problem


def statistics_problems(config: Mapping[str, Any]) -> list[Problem]:
    """``backbone.image_mean`` and ``image_std`` that are no numbers, or not one for each of ``in_channels``."""
    channels, found = lookup(config, "backbone.in_channels")[1], []
    for name, fits in (("image_mean", "from 0 to 1"), ("image_std", "above 0, at most 1")):
        key, values = f"backbone.{name}", lookup(config, f"backbone.{name}")[1]
        if values is None or values == MISSING:
            continue
        numbers = isinstance(values, list) and all(is_a(one, float) and 0 <= one <= 1 for one in values)
        if not numbers or (name == "image_std" and 0 in values):
            why = "images are in [0, 1] before they are normalised"
            found.append(Problem(f"{key}={show(values)} is not {fits} for each channel", why, key, "null, or a list"))
        elif is_a(channels, int) and len(values) != channels:
            what = f"{key} has {len(values)} numbers, backbone.in_channels is {channels}"
            found.append(Problem(what, "each channel has its own", key, f"{channels} numbers, or null"))
    return found
