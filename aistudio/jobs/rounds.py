"""What a sweep does when its jobs have ended: time the models of those that passed again, in turns with each other."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from aistudio.errors import first_line
from aistudio.jobs.job import isolated
from aistudio.report.files import REPORT, add_rounds, read
from aistudio.report.records import TOLERABLE, Rounds
from aistudio.report.summary import Row
from aistudio.report.terminal import Terminal

_FLOAT = 4  # bytes
_Timed = tuple[Mapping[str, Rounds], str]


def time_again(rows: Sequence[Row], sweep: Mapping[str, Any], launcher: str, terminal: Terminal) -> str:
    """Time the forward passes of the jobs that passed again in rounds, and write them into their reports.

    Returns:
        Why that was not done, in words; "" where it was, or where there is nothing to compare.
    """
    timed = [row for row in rows if row.outcome == "passed" and row.forward is not None]
    if len(timed) < 2 or not sweep["rounds_budget"]:
        return ""
    if isolated(OmegaConf.create({"sweep": dict(sweep)}), launcher):
        return "not timed again in rounds: jobs that have processes of their own leave no model to time"
    with terminal.busy():
        terminal.started(f"{len(timed)} models once more, in turns")
        try:
            found, why = _timed_by(import_in_rounds(), timed, float(sweep["rounds_budget"]))
            for row in timed if found else ():
                add_rounds(Path(row.folder) / REPORT, found[row.folder])
        except Exception as error:  # the sweep is over, and its reports are whole without
            why = f"{type(error).__name__}: {first_line(error)}"
    return f"not timed again in rounds: {why}" if why else ""


def _timed_by(in_rounds: Callable[..., _Timed], rows: Sequence[Row], budget: float) -> _Timed:
    """The rounds of these rows by their folders, made of what their reports say."""
    configs = {row.folder: OmegaConf.create(dict(read(Path(row.folder) / REPORT).config)) for row in rows}
    taken = sorted(row.taken or 0.0 for row in rows)
    busy = taken[len(taken) // 2] > TOLERABLE
    weights = _FLOAT * sum(row.parameters or 0.0 for row in rows)
    return in_rounds(configs, weights, budget, busy, uuid.uuid4().hex)


def import_in_rounds() -> Callable[..., _Timed]:
    """Import what needs torch; the jobs have done so before."""
    from aistudio.rounds import in_rounds

    return in_rounds
