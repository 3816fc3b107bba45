"""A run as one HTML file: the verdict, checks, figures, what the model saw, and whatever else its report holds."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aistudio.report.html.charts import Curve, Histogram, curve, histogram
from aistudio.report.html.images import OF_DATA, Embedded
from aistudio.report.html.pages import page
from aistudio.report.html.sections import Block, blocks, words
from aistudio.report.html.values import (
    counted,
    flat,
    is_number,
    items,
    mapping,
    mappings,
    metrics,
    named,
    number,
    text,
    written,
)

STATUSES = ("failed", "passed", "skipped")
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}
KNOWN = {  # what the page has a form of its own for
    *("schema", "verdict", "reason", "seconds", "assembled", "checks", "measurements", "warnings", "versions"),
    *("receipt", "config", "arrival", "origins"),
}
SETTINGS = 1500  # keys of a configuration in the page at most
COMMAND_LINE = "the command line"
SHIPPED = "conf/"  # how the files that come with aistudio are named


@dataclass(frozen=True)
class Check:
    """A check as it is shown."""

    name: str
    status: str
    mark: str
    seen: str
    seconds: str
    details: list[tuple[str, str]]
    losses: Curve | None


@dataclass(frozen=True)
class Figure:
    """A measurement as it is shown; ``glyph`` is where low, value and high are between 0 and 100."""

    name: str
    value: str
    spread: str
    definition: str
    glyph: tuple[float, float, float] | None


@dataclass(frozen=True)
class Setting:
    """A key of the configuration, its value, and who said so."""

    key: str
    value: str
    origin: str


def run_page(report: Any, images: Sequence[Embedded] = (), images_note: str = "") -> str:
    """The page of a run.

    Args:
        report: what ``report.json`` holds, or as much of it as there is.
        images: what the model saw and said.
        images_note: which images are not among them.
    """
    report = mapping(report)
    config, receipt = mapping(report.get("config")), mapping(report.get("receipt"))
    checks = [check(one) for one in mappings(report.get("checks"))]
    found = [one for one in mappings(report.get("findings")) if {*one} >= {"kind", "severity", "places"}]
    found = found if len(found) == len(items(report.get("findings"))) else []
    named_parts = [named(config, group) for group in ("backbone", "task", "architecture")]
    verdict = text(report.get("verdict")) or "unknown"
    return page(
        "run.html.j2",
        kind="run",
        title=" · ".join(filter(None, named_parts[:2])) or "a run",
        names=named_parts,
        verdict=verdict,
        tone=tone(verdict),
        summary=summary(checks, report.get("seconds")),
        reason=text(report.get("reason")),
        command=command(receipt),
        ground=ground(report, config),
        spine=[one.status for one in checks],
        warnings=[text(one) for one in items(report.get("warnings"))],
        assembled=[(text(key), text(value)) for key, value in mapping(report.get("assembled")).items()],
        arrival=arrival(report.get("arrival")),
        images=[one for one in images if one.name not in OF_DATA],
        data_images=[one for one in images if one.name in OF_DATA],
        images_note=images_note,
        checks=sorted(checks, key=lambda one: STATUSES.index(one.status)),
        figures=[figure(one) for one in mappings(report.get("measurements"))],
        findings=[finding(one) for one in found],
        others=others({key: value for key, value in report.items() if key != "findings" or not found}),
        settings=settings(config, mapping(report.get("origins"))),
        receipt=[
            (words(text(key)), text(value))
            for key, value in receipt.items()
            if key != "overrides" and value not in (None, {}, [])
        ],
        versions=[(text(key), text(value)) for key, value in mapping(report.get("versions")).items()],
    )


def shown(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook shows of a report: as much as fits under the cell that made it."""
    checks = [check(one) for one in mappings(report.get("checks"))]
    config = mapping(report.get("config"))
    return {
        "names": [name for group in ("task", "backbone", "architecture") if (name := named(config, group))],
        "verdict": text(report.get("verdict")),
        "summary": summary(checks, report.get("seconds")),
        "warnings": [text(one) for one in items(report.get("warnings"))],
        "checks": checks,
        "figures": [figure(one) for one in mappings(report.get("measurements"))],
    }


def tone(verdict: str) -> str:
    """Which colour a verdict has."""
    known = {"passed": "passed", "failed": "failed", "broke": "failed", "refused": "failed", "unreadable": "failed"}
    return known.get(verdict, "other")


def summary(checks: Sequence[Check], seconds: Any) -> str:
    """How many checks ended how, and when."""
    counts = counted([one.status for one in checks])
    parts = [", ".join(f"{counts[status]} {status}" for status in ("passed", "failed", "skipped") if status in counts)]
    if is_number(seconds):
        parts.append(f"{seconds:.1f} s to the verdict")
    return "; ".join(filter(None, parts))


def command(receipt: Mapping[str, Any]) -> str:
    """The command that repeats the run; "" where the receipt does not know it."""
    if "overrides" not in receipt:
        return ""
    return shlex.join(["python", "-m", "aistudio", *(text(one) for one in items(receipt["overrides"]))])


def ground(report: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """On what and how it was run, in a line."""
    versions, sanity = mapping(report.get("versions")), mapping(config.get("sanity"))
    torch = text(versions.get("torch"))
    parts = (
        text(versions.get("device")),
        text(mapping(config.get("runtime")).get("precision")),
        f"sanity={text(sanity.get('level'))}" if sanity.get("level") else "",
        f"torch {torch}" if torch else "",
        f"aistudio {text(versions.get('aistudio'))}" if versions.get("aistudio") else "",
    )
    return " · ".join(filter(None, parts))


def check(one: Mapping[str, Any]) -> Check:
    """A check as it is shown; the sentence of what was seen is the cause where it was skipped."""
    status = text(one.get("status"))
    status = status if status in STATUSES else "skipped"
    seen, cause, seconds = text(one.get("seen")), text(one.get("cause")), one.get("seconds")
    parts = (
        ("expected", text(one.get("expected"))),
        ("cause", cause),
        ("why", text(one.get("why"))),
        ("metrics", metrics(one.get("metrics"))),
    )
    return Check(
        name=text(one.get("name")) or "a check without a name",
        status=status,
        mark=MARKS[status],
        seen=seen or (cause if status == "skipped" else ""),
        seconds=f"{seconds:.2f} s" if is_number(seconds) else "",
        details=[(name, said) for name, said in parts if said and not (status == "skipped" and name == "cause")],
        losses=curve(items(one.get("losses"))),
    )


def finding(one: Mapping[str, Any]) -> Check:
    """A kind of mistake in the data, shown as checks are: its reason, how often, and the first places."""
    severity, count = text(one.get("severity")), one.get("count")
    places = [(text(place.get("place")), text(place.get("message"))) for place in mappings(one.get("places"))]
    return Check(
        name=words(text(one.get("kind"))),
        status="skipped" if severity == "odd" else "failed",
        mark="!" if severity == "odd" else "✗",
        seen=text(one.get("why")),
        seconds=f"{count:,}" if is_number(count) else "",
        details=places,
        losses=None,
    )


def figure(one: Mapping[str, Any]) -> Figure:
    """A measurement as it is shown."""
    value, low, high, unit = one.get("value"), one.get("low"), one.get("high"), one.get("unit")
    spread = glyph = None
    if is_number(low) and is_number(high):
        spread = between(number(low, unit), number(high, unit))
        if is_number(value) and 0 <= low <= value <= high and high > 0:
            glyph = (round(100 * low / high, 1), round(100 * value / high, 1), 100.0)
    return Figure(words(text(one.get("name"))), number(value, unit), spread or "", text(one.get("definition")), glyph)


def between(low: str, high: str) -> str:
    """Two numbers with their unit said once."""
    value, _, unit = low.partition(" ")
    return f"{value if unit and high.endswith(f' {unit}') else low} … {high}"


def arrival(value: Any) -> Histogram | None:
    """The histogram of what the backbone receives."""
    value = mapping(value)
    return histogram(items(value.get("counts")), value.get("low"), value.get("high"))


def others(report: Mapping[str, Any]) -> list[tuple[str, list[Block]]]:
    """Sections that the page has no form of its own for."""
    found = [(words(str(key)), blocks(value)) for key, value in report.items() if key not in KNOWN]
    return [(name, parts) for name, parts in found if parts]


def _origin_of(key: str, origins: Mapping[str, Any]) -> str:
    """Who set a key: what is said of it, or of the nearest above it."""
    while key not in origins and "." in key:
        key = key.rpartition(".")[0]
    return text(origins.get(key))


def settings(config: Mapping[str, Any], origins: Mapping[str, Any]) -> list[tuple[str, list[Setting], int]]:
    """The configuration by who said it, and how many keys of each are left out."""
    groups: dict[str, list[Setting]] = {"said on the command line": [], "from files of your own": [], "shipped": []}
    for key, value in flat(config):
        origin = _origin_of(key, origins)
        own = "shipped" if not origin or origin.startswith(SHIPPED) else "from files of your own"
        groups["said on the command line" if origin == COMMAND_LINE else own].append(
            Setting(key, written(value), origin)
        )
    if not origins:
        groups = {"resolved": [one for group in groups.values() for one in group]}
    return [(name, group[:SETTINGS], max(0, len(group) - SETTINGS)) for name, group in groups.items() if group]
