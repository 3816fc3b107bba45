"""The end of a sweep: one row a job, read from ``report.json`` files, as CSV, Markdown and JSON.

Rows come from the files alone, so that the summary of a sweep that was interrupted is right, and summaries of several
sweeps can be made together: ``aistudio summarize FOLDER…``. Nothing here needs torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, get_args

from aistudio.report.figures_in_words import PASSES
from aistudio.report.files import REPORT, read
from aistudio.report.records import ENOUGH_PASSES, TAKEN_AWAY, TOLERABLE, Ending, Measurement, Rounds
from aistudio.report.validation import Unreadable

SCHEMA = 1
OUTCOMES = get_args(Ending)
NAMES = ("outcome", "job", "task", "architecture", "backbone")
_TIMES = ("forward", "training_step")
LARGEST = "largest_batch_"  # and the name of a card: a measurement
COLUMNS = {  # field of a row: its heading, its unit, and whether less or more is better
    "parameters": ("parameters", "", min),
    "multiply_adds": ("multiply-adds", "MACs", min),
    "activations": ("activations", "", min),
    "forward": ("forward", "s", min),
    "forward_cpu": ("CPU time", "s", min),
    "training_step": ("training", "s", min),
    "tensor_memory": ("memory", "bytes", min),
    "peak_memory": ("process peak", "bytes", min),
    "forecast_memory": ("forecast", "bytes", min),
    "largest_batch": ("largest batch", "", max),
}
MEASURED = ("parameters", "multiply_adds", "forward", "training_step")  # columns of every table


@dataclass(frozen=True)
class Row:
    """One job: what it was, how it ended and why, and what was measured (None where nothing was).

    ``job`` is the name of its folder. Times are medians in seconds with their spread ``low`` … ``high``; ``taken`` is
    the percent of the time that the machine took away meanwhile; ``top1`` is the published ImageNet accuracy of the
    backbone in percent; ``batch_size`` is of the measurement, and a median is of so many ``…_passes``. Memory is in
    bytes: ``tensor_memory`` of the tensors of the pass or step that needs most, ``peak_memory`` of the whole process,
    Python and libraries included. ``forecast_memory`` is the training step's, told from shapes; ``largest_batch`` fits
    on ``card``, the first that was named, which has room for ``card_memory`` bytes of tensors. Where the sweep has
    timed its models again in ``rounds``, forward times are of these.
    """

    job: str
    task: str
    architecture: str
    backbone: str
    level: str
    seed: int | None
    image_size: int | None
    batch_size: int | None
    device: str
    top1: float | None
    outcome: Ending
    reason: str
    parameters: float | None
    multiply_adds: float | None
    activations: float | None
    forward: float | None
    forward_low: float | None
    forward_high: float | None
    forward_cpu: float | None
    images_per_second: float | None
    images_per_second_low: float | None
    images_per_second_high: float | None
    training_step: float | None
    training_step_low: float | None
    training_step_high: float | None
    taken: float | None
    tensor_memory: float | None
    peak_memory: float | None
    forecast_memory: float | None
    largest_batch: float | None
    card: str | None
    card_memory: float | None
    seconds: float | None
    folder: str
    rounds: Rounds | None = None
    forward_passes: int | None = None
    training_passes: int | None = None


def rows(folders: Iterable[Path]) -> list[Row]:
    """A row for every ``report.json`` below the folders, each file once; jobs in the order of their numbers."""
    found = (Path(at) for folder in folders for at, *names in os.walk(folder) if REPORT in chain(*names))
    files = {os.path.realpath(at): at / REPORT for at in found}
    return [row(path) for path in sorted(files.values(), key=_natural)]


def row(path: Path) -> Row:
    """What one report says; a file that is no report gives a row that says so."""
    names = os.path.basename(os.path.realpath(path.parent)), path.parent.as_posix()
    job, folder = (os.fsencode(name).decode(errors="backslashreplace") for name in names)  # a name may be any bytes
    try:
        report = read(path)
    except Unreadable as error:
        nothing = dict.fromkeys(("task", "architecture", "backbone", "level", "device"), "")
        unknown: dict[str, Any] = dict.fromkeys(Row.__dataclass_fields__)
        reason = f"{path.name} is no report of aistudio: {error}"
        unknown |= {**nothing, "outcome": "unreadable", "reason": reason, "folder": folder, "job": job}
        return Row(**unknown)
    failures = [check for check in report.checks if check.status == "failed"]
    return Row(
        job=job,
        **asdict(report.settings),
        device=report.versions.get("device", ""),
        outcome=report.verdict,
        reason=report.reason or "; ".join(f"{check.name}: {check.seen}" for check in failures),
        seconds=report.seconds,
        folder=folder,
        rounds=report.rounds,
        **_numbers({one.name: one for one in report.measurements}, report.rounds),
    )


def _numbers(measured: Mapping[str, Measurement], rounds: Rounds | None = None) -> dict[str, Any]:
    """The measurements of a row; forward and training step with their spread."""
    if rounds:
        measured = {**measured, **_in_rounds(measured, rounds)}
    values = {name: one.value for name, one in measured.items()}
    found: dict[str, Any] = {name: values.get(name) for name in ("parameters", "multiply_adds", "activations")}
    for name, source in (*((name, name) for name in _TIMES), ("images_per_second", "forward_images_per_second")):
        one = measured.get(source)
        found |= {name: one and one.value, f"{name}_low": one and one.low, f"{name}_high": one and one.high}
    found |= {"forward_cpu": values.get("forward_cpu_time"), "taken": values.get(TAKEN_AWAY)}
    for memory in ("tensor_memory", "peak_memory"):
        peaks = [values.get(f"{name}_{memory}") for name in _TIMES]
        found[memory] = max((peak for peak in peaks if peak is not None), default=None)
    found |= {"forward_passes": _passes(measured, "forward"), "training_passes": _passes(measured, "training_step")}
    found["forecast_memory"] = values.get("training_step_forecast_memory")
    card = next((name.removeprefix(LARGEST) for name in values if name.startswith(LARGEST)), None)
    of_card = {"largest_batch": values.get(f"{LARGEST}{card}"), "card_memory": values.get(f"room_{card}")}
    return {**found, "card": card, **of_card}


def _passes(measured: Mapping[str, Measurement], name: str) -> int | None:
    """How many passes a time is the median of."""
    found = PASSES.search(measured[name].definition) if name in measured else None
    return int(found[1]) if found else None


def _in_rounds(measured: Mapping[str, Measurement], rounds: Rounds) -> dict[str, Measurement]:
    """The forward times that rounds say better than the job itself: on a busy machine its CPU time alone."""
    found = {}
    times = {"forward_cpu_time": rounds.cpu_seconds}
    if rounds.taken <= TOLERABLE:
        times["forward"] = rounds.seconds
    for name, seconds in times.items():
        ends = (min(seconds), max(seconds)) if len(seconds) >= ENOUGH_PASSES else (None, None)
        found[name] = Measurement(name, median(seconds), "s", f"median of {len(seconds)} passes", *ends)
    rate, own = measured.get("forward_images_per_second"), measured.get("forward")
    new = found.get("forward")
    if new and rate and own and rate.value and own.value and new.value:
        images = rate.value * own.value
        ends = (images / new.high, images / new.low) if new.low and new.high else (None, None)
        found[rate.name] = Measurement(rate.name, images / new.value, rate.unit, "", *ends)
    return found


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """``job/10`` after ``job/9``."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in path.parts]
