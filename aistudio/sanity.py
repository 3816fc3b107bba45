"""The sanity run: assemble, examine, measure, and say what was found. Ends in one `SanityReport`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from aistudio.assembly.device import device_problems, resolve_device, runtime_settings, versions
from aistudio.assembly.facts import describe
from aistudio.assembly.found_classes import audit_labelled, with_labels
from aistudio.assembly.instantiate import build
from aistudio.assembly.parts import build_checks
from aistudio.assembly.prepare import make_subject
from aistudio.assembly.problems import task_or_problems
from aistudio.assembly.weights import weight_files
from aistudio.assembly.weights_in_words import as_entry, weight_warnings
from aistudio.audit import SHEETS, Audit, fails, save_sheet
from aistudio.checks.fit_plots import save_fit
from aistudio.checks.outcome import Check, Outcome
from aistudio.checks.predictions import save_batch, save_predictions
from aistudio.checks.raised import is_out_of_memory
from aistudio.checks.runner import Watch
from aistudio.checks.subject import Subject
from aistudio.config.compose import Judged, settle
from aistudio.config.conventions import label_warnings
from aistudio.config.shipped import changed_rules
from aistudio.costs.find_batch import find_batch
from aistudio.costs.machine import busy_warnings
from aistudio.errors import refuse
from aistudio.forecast import described, forecast
from aistudio.report.listeners import Listener, Listeners
from aistudio.report.records import Measurement, SanityReport, data_check
from aistudio.report.terminal import Terminal

_TIME_TO_VERDICT = "wall time from the call of sanity_run to the last measurement; importing torch left out"


def sanity_run(
    cfg: DictConfig, *listeners: Listener, drawings: Path | str | None = None, verbose: bool = False
) -> SanityReport:
    """Judge a configuration, assemble its model, run every configured check on it, and measure it.

    Args:
        cfg: a configuration, whoever composed it.
        listeners: are told of the run as it goes.
        drawings: a folder for drawings: predictions after the learning check, the batch, of labelled data its findings,
            its distribution, and whether it fits; None saves none.
        verbose: whether to print the run as it goes.

    Returns:
        The report. A failed check or too little memory is in it as a failed result, never raised.

    Raises:
        Refusal: for what the rules refuse, what only torch can know (weights, device, precision), and for data that
            cannot be read.
    """
    judged = settle(cfg)
    if verbose:
        terminal = Terminal()
        terminal.head(*(judged.values[group]["name"] for group in ("task", "backbone", "architecture")))
        listeners = (terminal, *listeners)
    return examine(cfg, judged, *listeners, drawings=drawings)


def examine(
    cfg: DictConfig,
    judged: Judged,
    *listeners: Listener,
    drawings: Path | str | None = None,
    audit: Audit | None = None,
) -> SanityReport:
    """The sanity run of a configuration that was judged.

    ``cfg`` is what was judged, as it was written: it says what is left to labelled data. ``audit`` is of that data;
    None audits it now, and draws it.
    """
    started, tell = time.perf_counter(), Listeners(listeners)
    watch = Watch(tell)
    given, audit = audit, audit or audit_labelled(cfg, judged)
    judged = with_labels(cfg, judged, audit)
    forecast_only = judged.cfg.sanity.level == "forecast"
    if audit is not None and given is None and drawings is not None and not forecast_only:
        _draw_audit(audit, Path(drawings), watch)
    findings = audit.findings if audit and not forecast_only else ()
    if audit and not forecast_only:
        watch.add(data_check(findings, fails(findings), time.perf_counter() - started))
    with runtime_settings(judged.cfg):
        found = _forecast_run(judged, watch) if forecast_only else _check_run(judged, drawings, watch)
        device = torch.device("cpu") if forecast_only else resolve_device(str(judged.cfg.runtime.device))
        report = replace(conclude(judged, found, watch, device, started), findings=findings)
    tell.measured(report.measurements)
    tell.ended(report)
    return report


def _draw_audit(audit: Audit, folder: Path, watch: Watch) -> None:
    """The findings, and how the labels are distributed; an audit that was given has been drawn."""
    for name in SHEETS:
        watch.quietly(name, partial(save_sheet, audit, folder / name))


@dataclass(frozen=True)
class Found:
    """What a run has found out besides its checks."""

    facts: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    arrival: Mapping[str, Any] = field(default_factory=dict)
    ledgers: tuple[Mapping[str, Any], ...] = ()
    measurements: Sequence[Measurement] = ()


def _check_run(judged: Judged, drawings: Path | str | None, watch: Watch) -> Found:
    """Prepare, check, draw, measure."""
    cfg = judged.cfg
    subject, checks = prepare(judged, watch)
    if subject is None:
        return Found()
    facts, warnings, arrival = describe(cfg, subject)
    watch.listener.assembled(facts)
    ledgers = tuple(as_entry(one) for one in subject.loaded)
    warnings = [*warnings, *weight_warnings(subject.loaded, ledgers, int(cfg.task.image_size))]
    watch.listener.warned([*changed_rules(judged.written), *warnings])
    watch.check(checks, subject)
    draw(subject, drawings, watch, int(cfg.task.image_size))
    return Found(facts, warnings, arrival, ledgers, measure(cfg, subject, watch))


def _forecast_run(judged: Judged, watch: Watch) -> Found:
    """What ``sanity=forecast`` does instead: no model with numbers, no device."""
    task, problems = task_or_problems(judged)
    refuse(problems)
    facts = described(judged.cfg)
    watch.listener.assembled(facts)
    return Found(facts, measurements=forecast(judged, task, watch))


def prepare(judged: Judged, watch: Watch) -> tuple[Subject | None, dict[str, Check]]:
    """The subject and the checks; no subject where the model does not fit into memory, which the watch then knows."""
    task, problems = task_or_problems(judged)
    refuse([*problems, *device_problems(judged.cfg)])
    checks = build_checks(judged)
    try:
        return make_subject(judged, task), checks
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        watch.run("assemble", "The model must fit into memory.", partial(_raise, error))
        return None, checks


def draw(subject: Subject, folder: Path | str | None, watch: Watch, size: int) -> None:
    """Images of what the backbone receives at ``size`` pixels and of what the model predicts, where they are wanted."""
    if folder is not None:
        watch.quietly("predictions.png", partial(save_predictions, subject, Path(folder)))
        watch.quietly("batch.png", partial(save_batch, subject, Path(folder), size))
        if subject.fit is not None:
            watch.quietly("fit.png", partial(save_fit, subject.fit, Path(folder)))


def measure(cfg: DictConfig, subject: Subject, watch: Watch) -> list[Measurement]:
    """The configured measurements, and the largest batch by real steps where it is asked for."""
    size, count = int(cfg.task.image_size), int(cfg.data.batch_size)
    subject.release()
    why = "The model must run at its configured size."
    found = watch.measure("measure", why, lambda: build(cfg.sanity.measure, "sanity.measure")(subject, size, count))
    if cfg.runtime.get("find_batch"):
        why = "A batch that was tried is one that will train."
        found += watch.measure("find_batch", why, partial(find_batch, subject, size, count))
    return found


def _raise(error: Exception) -> Outcome:
    raise error


def conclude(judged: Judged, found: Found, watch: Watch, device: torch.device, started: float) -> SanityReport:
    """All of it as one report."""
    seconds = time.perf_counter() - started
    taken = Measurement("time_to_verdict", seconds, "s", _TIME_TO_VERDICT)
    return SanityReport(
        config=dict(judged.written),
        assembled=found.facts,
        checks=tuple(watch.results),
        measurements=(*found.measurements, taken),
        versions=versions(device),
        seconds=seconds,
        warnings=(
            *changed_rules(judged.written),
            *label_warnings(judged.values),
            *found.warnings,
            *watch.warnings,
            *busy_warnings(found.measurements),
        ),
        weights={**weight_files(judged.cfg), **{one["file"]: one["sha256"] for one in found.ledgers}},
        arrival=found.arrival,
        ledgers=found.ledgers,
    )
