"""``report.json`` as it is read: a typed record, or `Unreadable` with the reason, in bounded time and memory.

The file may come from anybody and hold anything. What ``report.py`` writes is read whole; a run without a verdict may
have been refused for its configuration, which then need not be one.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aistudio.report.records import CheckResult, Measurement

VERDICTS = ("passed", "failed")
OUTCOMES = (*VERDICTS, "refused", "broke", "interrupted", "unfinished")
STATUSES = ("passed", "failed", "skipped")
LARGEST = 64 * 2**20  # bytes of a file: thousands of times what a run writes
GREATEST = 2**63  # numbers beyond it count nothing that a computer has
SHOWN = 60  # characters of a wrong value in a reason


class Unreadable(ValueError):
    """A file is no report; the message says why, in one line."""


@dataclass(frozen=True)
class Settings:
    """What a run was, from its configuration; empty or None where a run without a verdict does not say."""

    task: str
    architecture: str
    backbone: str
    level: str
    seed: int | None
    image_size: int | None
    batch_size: int | None
    top1: float | None


@dataclass(frozen=True)
class Report:
    """A report that was read: the types are as they say, and numbers are finite."""

    verdict: str
    reason: str
    seconds: float | None
    checks: Sequence[CheckResult]
    measurements: Sequence[Measurement]
    versions: Mapping[str, str]
    config_sha256: str
    weights: Mapping[str, str]
    config: Mapping[str, Any]
    settings: Settings


def read(path: Path) -> Report:
    """The report in a file.

    Raises:
        Unreadable: where there is none, for whatever reason.
    """
    return typed(whole(path))


def whole(path: Path) -> Any:
    """What JSON makes of a file, whatever it is; `Unreadable` where it makes nothing."""
    try:
        return parsed(text_of(path))
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    except UnicodeError:
        raise Unreadable("it is not UTF-8") from None
    except Unreadable:
        raise
    except ValueError as error:
        raise Unreadable(f"it is not JSON: {error}") from None


def text_of(path: Path) -> str:
    """The text of a regular file of a size that a report may have; nothing else is waited for or read."""
    # A FIFO blocks whoever opens it, a device whoever reads it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("it is no regular file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Unreadable(f"it is larger than {LARGEST // 2**20} MiB")
    return content.decode()


def parsed(content: str) -> Any:
    """What JSON makes of a text; it can hold halves of characters, which nothing can print or write."""
    whole = json.loads(content)
    if "\\ud" in content.lower():
        json.dumps(whole, ensure_ascii=False).encode()
    return whole


def typed(whole: Any) -> Report:
    """A report from what JSON made of a file."""
    whole = mapping({"report": whole}, "report")
    verdict = choice(whole, "verdict", OUTCOMES)
    receipt = mapping(whole, "receipt", {})
    config = mapping(whole, "config")
    return Report(
        verdict=verdict,
        reason=text(whole, "reason", ""),
        seconds=number(whole, "seconds"),
        checks=[check(one) for one in entries(whole, "checks")],
        measurements=[measurement(one) for one in entries(whole, "measurements")],
        versions=texts(whole, "versions"),
        config_sha256=text(receipt, "config_sha256", ""),
        weights=texts(receipt, "weights"),
        config=config,
        settings=settings(config) if verdict in VERDICTS else likely_settings(config),
    )


def check(entry: Mapping[str, Any]) -> CheckResult:
    """An entry of ``checks``."""
    words = {key: text(entry, key, "") for key in ("why", "seen", "expected", "cause")}
    status = choice(entry, "status", STATUSES)
    return CheckResult(text(entry, "name"), status=status, seconds=number(entry, "seconds") or 0.0, **words)


def measurement(entry: Mapping[str, Any]) -> Measurement:
    """An entry of ``measurements``; a spread has two ends, the lower one first."""
    name, value = text(entry, "name"), number(entry, "value")
    low, high = number(entry, "low"), number(entry, "high")
    if (low is None) != (high is None) or (low is not None and (value is None or low > high)):
        raise Unreadable(f"{name}: low={shown(low)} and high={shown(high)} are no spread of {shown(value)}")
    return Measurement(name, value, text(entry, "unit", ""), text(entry, "definition", ""), low, high)


def settings(config: Mapping[str, Any]) -> Settings:
    """What a run with a verdict was."""
    task, architecture, backbone = (mapping(config, group) for group in ("task", "architecture", "backbone"))
    sanity, data, runtime = (mapping(config, section, {}) for section in ("sanity", "data", "runtime"))
    measured = mapping(sanity, "measure", {})
    return Settings(
        task=text(task, "name"),
        architecture=text(architecture, "name"),
        backbone=text(backbone, "name"),
        level=text(sanity, "level", ""),
        seed=whole_number(runtime, "seed"),
        image_size=whole_number(task, "image_size"),
        batch_size=whole_number(measured, "batch_size") or whole_number(data, "batch_size"),
        top1=number(mapping(backbone, "published", {}), "top1"),
    )


def likely_settings(config: Mapping[str, Any]) -> Settings:
    """What a run without a verdict was meant to be, as far as its configuration says it."""
    try:
        return settings(config)
    except Unreadable:  # it may have been refused for just this
        sections = [config.get(group) for group in ("task", "architecture", "backbone")]
        names = [section.get("name") if isinstance(section, Mapping) else None for section in sections]
        return Settings(*(name if isinstance(name, str) else "" for name in names), "", None, None, None, None)


def mapping(node: Mapping[str, Any], key: str, default: Any = None) -> Mapping[str, Any]:
    """The keys and values below a key; the default where it is absent or null."""
    found = default if node.get(key) is None else node[key]
    return of_type(found, isinstance(found, dict), key, "keys and values")


def texts(node: Mapping[str, Any], key: str) -> Mapping[str, str]:
    """The words below a key, by their names."""
    found = mapping(node, key, {})
    return {name: text(found, name) for name in found}


def entries(node: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """The entries of a list."""
    found = of_type(node.get(key), isinstance(node.get(key), list), key, "a list")
    return (mapping({key: one}, key) for one in found)


def text(node: Mapping[str, Any], key: str, default: Any = None) -> str:
    """A text; the default where it is absent or null."""
    found = default if node.get(key) is None else node[key]
    return of_type(found, isinstance(found, str), key, "a text")


def choice(node: Mapping[str, Any], key: str, choices: Sequence[str]) -> Any:
    """One of some words."""
    return of_type(node.get(key), text(node, key) in choices, key, f"one of {', '.join(choices)}")


def number(node: Mapping[str, Any], key: str) -> float | int | None:
    """A number of something; None where it is absent or null."""
    found = node.get(key)
    fits = type(found) in (int, float) and 0 <= found < GREATEST
    return of_type(found, found is None or fits, key, "a number from 0 to 2^63")


def whole_number(node: Mapping[str, Any], key: str) -> int | None:
    """A count; None where it is absent or null."""
    return of_type(number(node, key), not isinstance(node.get(key), float), key, "a whole number")


def of_type(value: Any, fits: bool, key: str, what: str) -> Any:
    """The value, where it fits."""
    if not fits:
        raise Unreadable(f"{shown(key)} is {shown(value)}, not {what}")
    return value


def shown(value: Any) -> str:
    """The beginning of a value, in one line of plain characters, whatever its size."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "keys and values"
    if isinstance(value, int) and abs(value) >= GREATEST:  # Python refuses to write the longest
        return "an integer beyond 2^63"
    written = value[: SHOWN + 1] if isinstance(value, str) else "null" if value is None else str(value)
    written = ascii(written)[1:-1]
    return f"{written[:SHOWN]}…" if len(written) > SHOWN else written
