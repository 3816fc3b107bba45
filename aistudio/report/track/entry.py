"""What a tracker is told of a run: parameters, metrics, the losses of its learning, and its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aistudio.report.html.images import found
from aistudio.report.html.run_folder import drawings_in
from aistudio.report.html.values import flat, is_number, items, mapping, mappings, text, written

FILES = ("report.html", "report.json", "config.yaml")
LONGEST = 200  # characters of a name, and of a parameter; all trackers take more, but not much
_OTHERS = re.compile(r"[^\w./ -]", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A run as a tracker is told of it; ``group`` is the sweep that it belongs to, or ""."""

    name: str
    group: str
    verdict: str
    parameters: dict[str, str]
    metrics: dict[str, float]
    losses: dict[str, list[float]]
    files: list[Path]
    images: list[Path]

    @property
    def passed(self) -> bool:
        """Whether the run did."""
        return self.verdict == "passed"


def entry(report: Any, folder: Path, group: str = "") -> Entry:
    """What a tracker is told of the run that left this report in this folder."""
    report = mapping(report)
    checks = mappings(report.get("checks"))
    settings = {name(key): written(value)[:LONGEST] for key, value in flat(mapping(report.get("config"))) if key}
    losses = {f"checks/{name(text(one.get('name')))}/loss": numbers(one.get("losses")) for one in checks}
    return Entry(
        name=folder.resolve().name,
        group=group,
        verdict=text(report.get("verdict")) or "unknown",
        parameters=settings,
        metrics=metrics(report, checks),
        losses={key: values for key, values in losses.items() if values},
        files=[path for path in (folder / one for one in FILES) if path.is_file()],
        images=found(drawings_in(folder)),
    )


def metrics(report: Mapping[str, Any], checks: list[Mapping[str, Any]]) -> dict[str, float]:
    """The measurements with their spreads, how many checks ended how, and the time to the verdict."""
    told: dict[str, Any] = {"seconds": report.get("seconds")}
    for status in ("passed", "failed", "skipped"):
        told[f"checks/{status}"] = sum(one.get("status") == status for one in checks)
    for one in mappings(report.get("measurements")):
        measured = name(text(one.get("name")))
        told |= {measured: one.get("value"), f"{measured}/low": one.get("low"), f"{measured}/high": one.get("high")}
    return {key: float(value) for key, value in told.items() if is_number(value)}


def numbers(values: Any) -> list[float]:
    """The finite numbers of a list."""
    return [float(value) for value in items(values) if is_number(value)]


def name(words: str) -> str:
    """A name that every tracker takes."""
    return _OTHERS.sub("_", words)[:LONGEST] or "unnamed"
