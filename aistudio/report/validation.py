"""``report.json`` judged: the typed record of what JSON made of a file that may come from anybody and hold anything.

What is written by a run is read whole; one without a verdict may have been refused for its configuration, which then
need not be one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from aistudio.report.records import CheckResult, Ending, Measurement, Report, Rounds, Settings, Status, Verdict

VERDICTS = get_args(Verdict)
ENDINGS = tuple(one for one in get_args(Ending) if one != "unreadable")
STATUSES = get_args(Status)
_GREATEST = 2**63  # numbers beyond it count nothing that a computer has
SHOWN = 60  # characters of a wrong value in a reason


class Unreadable(ValueError):
    """A file is no report; the message says why, in one line."""


def typed(whole: Any) -> Report:
    """A report from what JSON made of a file."""
    whole = mapping({"report": whole}, "report")
    verdict = choice(whole, "verdict", ENDINGS)
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
        settings=settings(config) if verdict in VERDICTS else _likely_settings(config),
        rounds=rounds(mapping(whole, "rounds")) if whole.get("rounds") is not None else None,
    )


def check(entry: Mapping[str, Any]) -> CheckResult:
    """An entry of ``checks``."""
    words: dict[str, Any] = {key: text(entry, key, "") for key in ("why", "seen", "expected", "cause")}
    status = choice(entry, "status", STATUSES)
    return CheckResult(text(entry, "name"), status=status, seconds=number(entry, "seconds") or 0.0, **words)


def measurement(entry: Mapping[str, Any]) -> Measurement:
    """An entry of ``measurements``; a spread has two ends, the lower one first."""
    name, value = text(entry, "name"), number(entry, "value")
    low, high = number(entry, "low"), number(entry, "high")
    ends = [end for end in (low, high) if end is not None]
    if len(ends) == 1 or (ends and value is None) or ends != sorted(ends):
        raise Unreadable(f"{name}: low={shown(low)} and high={shown(high)} are no spread of {shown(value)}")
    return Measurement(name, value, text(entry, "unit", ""), text(entry, "definition", ""), low, high)


def rounds(entry: Mapping[str, Any]) -> Rounds:
    """The ``rounds`` of a job of a sweep: as many seconds of the one clock as of the other."""
    seconds, cpu_seconds = (numbers(entry, key) for key in ("seconds", "cpu_seconds"))
    if len(seconds) != len(cpu_seconds) or not seconds:
        raise Unreadable(f"rounds have {len(seconds)} seconds and {len(cpu_seconds)} cpu_seconds")
    taken, threads = number(entry, "taken") or 0.0, _whole_number(entry, "threads") or 0
    return Rounds(text(entry, "name"), seconds, cpu_seconds, taken, threads)


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
        seed=_whole_number(runtime, "seed"),
        image_size=_whole_number(task, "image_size"),
        batch_size=_whole_number(measured, "batch_size") or _whole_number(data, "batch_size"),
        top1=_published_accuracy(task, mapping(backbone, "published", {})),
    )


def _published_accuracy(task: Mapping[str, Any], published: Mapping[str, Any]) -> float | int | None:
    """ImageNet top-1 in percent, where a run is a classification at the size that it was published for; else None.

    Beside the speed of another size, or of another task, it would promise what nobody has measured.
    """
    classifies = text(task, "name") == "classification" or task.get("_target_") == "aistudio.tasks.Classification"
    size, at = _whole_number(task, "image_size"), _whole_number(published, "gmacs_at")
    return number(published, "top1") if classifies and at in (None, size) else None


def _likely_settings(config: Mapping[str, Any]) -> Settings:
    """What a run without a verdict was meant to be, as far as its configuration says it."""
    try:
        return settings(config)
    except Unreadable:  # it may have been refused for just this
        sections = [config.get(group) for group in ("task", "architecture", "backbone")]
        names = [section.get("name") if isinstance(section, Mapping) else None for section in sections]
        task, architecture, backbone = (name if isinstance(name, str) else "" for name in names)
        return Settings(task, architecture, backbone, "", None, None, None, None)


def mapping(node: Mapping[str, Any], key: str, default: Any = None) -> Mapping[str, Any]:
    """The keys and values below a key; the default where it is absent or null."""
    found = default if node.get(key) is None else node[key]
    return _of_type(found, isinstance(found, dict), key, "keys and values")


def texts(node: Mapping[str, Any], key: str) -> Mapping[str, str]:
    """The words below a key, by their names."""
    found = mapping(node, key, {})
    return {name: text(found, name) for name in found}


def entries(node: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """The entries of a list."""
    found = _of_type(node.get(key), isinstance(node.get(key), list), key, "a list")
    return (mapping({key: one}, key) for one in found)


def numbers(node: Mapping[str, Any], key: str) -> tuple[float | int, ...]:
    """A list of numbers, none of them null."""
    found = _of_type(node.get(key), isinstance(node.get(key), list), key, "a list")
    return tuple(_of_type(number({key: one}, key), one is not None, key, "a number from 0 to 2^63") for one in found)


def text(node: Mapping[str, Any], key: str, default: Any = None) -> str:
    """A text; the default where it is absent or null."""
    found = default if node.get(key) is None else node[key]
    return _of_type(found, isinstance(found, str), key, "a text")


def choice(node: Mapping[str, Any], key: str, choices: Sequence[str]) -> Any:
    """One of some words."""
    return _of_type(node.get(key), text(node, key) in choices, key, f"one of {', '.join(choices)}")


def number(node: Mapping[str, Any], key: str) -> float | int | None:
    """A number of something; None where it is absent or null."""
    found = node.get(key)
    fits = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < _GREATEST
    return _of_type(found, found is None or fits, key, "a number from 0 to 2^63")


def _whole_number(node: Mapping[str, Any], key: str) -> int | None:
    """A count; None where it is absent or null."""
    return _of_type(number(node, key), not isinstance(node.get(key), float), key, "a whole number")


def _of_type(value: Any, fits: bool, key: str, what: str) -> Any:
    """The value, where it fits."""
    if not fits:
        raise Unreadable(f"{shown(key)} is {shown(value)}, not {what}")
    return value


def shown(value: Any) -> str:
    """The beginning of a value, in one line of plain characters, whatever its size."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "keys and values"
    if isinstance(value, int) and abs(value) >= _GREATEST:  # Python refuses to write the longest
        return "an integer beyond 2^63"
    written = value[: SHOWN + 1] if isinstance(value, str) else "null" if value is None else str(value)
    written = ascii(written)[1:-1]
    return f"{written[:SHOWN]}…" if len(written) > SHOWN else written
