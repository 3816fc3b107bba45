"""The sanity run: assemble, examine, measure, and say what was found. Ends in one `SanityReport`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from aistudio.assembly.device import device_problems, resolve_device, runtime_settings, versions
from aistudio.assembly.facts import describe
from aistudio.assembly.found_classes import with_found_classes
from aistudio.assembly.instantiate import as_config, build
from aistudio.assembly.prepare import make_subject
from aistudio.assembly.problems import torch_problems
from aistudio.assembly.weights import weight_files
from aistudio.assembly.weights_in_words import as_entry, weight_warnings
from aistudio.audit import Audit, audit_configured, fails, outputs_key
from aistudio.checks.outcome import Check, Outcome
from aistudio.checks.predictions import save_pictures
from aistudio.checks.runner import OnResult, OnStart, Watch, finding, is_out_of_memory
from aistudio.checks.subject import Subject
from aistudio.config.compose import settle
from aistudio.config.shipped import changed_rules
from aistudio.config.stated import names_labelled, stated_outputs
from aistudio.errors import Problem, refuse
from aistudio.forecast import described, forecast
from aistudio.report.records import CheckResult, Measurement, SanityReport, data_check

TIME_TO_VERDICT = "wall time from the call of sanity_run to the last measurement; importing torch left out"


def sanity_run(
    cfg: DictConfig,
    on_facts: Callable[[Mapping[str, str]], None] | None = None,
    on_result: OnResult | None = None,
    on_start: OnStart | None = None,
    pictures: Path | str | None = None,
    audit: Audit | None = None,
) -> SanityReport:
    """Assemble the configured model, run every configured check on it, and measure it.

    Args:
        cfg: a composed configuration, judged by the rules.
        on_facts: called with what was assembled, in words, before the first check.
        on_result: called with each check's result as soon as it is known.
        on_start: called with the name of each check (and ``measure``) before it starts.
        pictures: a folder for pictures of the predictions after the learning check; None saves none.
        audit: of the configured labelled data; None audits it now.

    Returns:
        The report. A failed check or too little memory is in it as a failed result, never raised.

    Raises:
        Refusal: for what only torch can know (weights, device, precision) and for data that cannot be read.
    """
    started = time.perf_counter()
    watch = Watch(on_result, on_start)
    audit = audit or audit_labelled(cfg)
    cfg = with_found_classes(cfg, audit.labels if audit else None)
    settled = settle(cfg)
    cfg = as_config(settled.values)  # from here on nothing is left to interpret
    if cfg.sanity.level == "forecast":
        return forecast_run(cfg, settled.written, watch, started, on_facts)
    if audit:
        watch.add(data_check(audit.findings, fails(audit.findings), time.perf_counter() - started))
    with runtime_settings(cfg):
        subject, checks = prepare(cfg, watch)
        if subject is None:
            return _report(cfg, settled.written, {}, watch, [], started, (), audit)
        facts, warnings, arrival = describe(cfg, subject)
        ledgers = tuple(as_entry(one) for one in subject.loaded)
        about_weights = weight_warnings(subject.loaded, ledgers, int(cfg.task.image_size))
        warnings = [*changed_rules(settled.written), *warnings, *about_weights]
        if on_facts:
            on_facts(facts)
        for name, check in checks.items():
            watch.run(name, check.why, partial(_seeded, check, subject))
        if pictures is not None:
            watch.quietly("pictures", partial(save_pictures, subject, Path(pictures)))
        measurements = measure(cfg, subject, watch)
        report = _report(cfg, settled.written, facts, watch, measurements, started, (*warnings, *watch.warnings), audit)
        hashes = {one["file"]: one["sha256"] for one in ledgers}
        return replace(report, weights={**report.weights, **hashes}, ledgers=ledgers, arrival=arrival)


def forecast_run(
    cfg: DictConfig,
    written: Mapping,
    watch: Watch,
    started: float,
    on_facts: Callable[[Mapping[str, str]], None] | None,
) -> SanityReport:
    """What ``sanity=forecast`` does instead: no model with numbers, no device."""
    refuse(torch_problems(cfg))
    facts = described(cfg)
    if on_facts:
        on_facts(facts)
    with runtime_settings(cfg):
        measurements = forecast(cfg, watch)
    return _report(cfg, written, facts, watch, measurements, started, (*changed_rules(written), *watch.warnings), None)


def audit_labelled(cfg: DictConfig) -> Audit | None:
    """The audit of labelled data; None where the configuration names none."""
    if not names_labelled(cfg):
        return None
    values = settle(cfg).values
    return audit_configured(values, stated_outputs(cfg, outputs_key(values)))


def prepare(cfg: DictConfig, watch: Watch) -> tuple[Subject | None, dict[str, Check]]:
    """The subject and the checks; no subject where the model does not fit into memory, which the watch then knows."""
    refuse([*torch_problems(cfg), *device_problems(cfg)])
    nodes = cfg.sanity.checks.items()
    checks = {name: build(node, f"sanity.checks.{name}") if OmegaConf.is_dict(node) else node for name, node in nodes}
    refuse([*what_are_no_checks(checks)])
    try:
        return make_subject(cfg), checks
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        watch.run("assemble", "The model must fit into memory.", partial(_raise, error))
        return None, checks


def what_are_no_checks(checks: Mapping[str, object]) -> Iterator[Problem]:
    """Entries of ``sanity.checks`` whose objects cannot be asked, a layer or a number for example."""
    for name, check in checks.items():
        if not callable(check) or not isinstance(getattr(check, "why", None), str):
            why = "a check is an object with a sentence `why` and a call that takes a subject and returns an Outcome"
            where = f"sanity.checks.{name}"
            yield Problem(f"{where} is no check but a {type(check).__name__}", why, where, "a class as in README.md")


def measure(cfg: DictConfig, subject: Subject, watch: Watch) -> list[Measurement]:
    """The configured measurements; what they raise is a failed result named ``measure``."""
    if watch.on_start:
        watch.on_start("measure")
    subject.release()
    started = time.perf_counter()
    try:
        return build(cfg.sanity.measure, "sanity.measure")(subject, int(cfg.task.image_size), int(cfg.data.batch_size))
    except Exception as error:
        why, outcome = "The model must run at its configured size.", asdict(finding(error))
        watch.add(CheckResult("measure", why, **outcome, seconds=time.perf_counter() - started))
        return []


def _seeded(check: Check, subject: Subject) -> Outcome:
    torch.manual_seed(subject.seed)
    return check(subject)


def _raise(error: Exception) -> Outcome:
    raise error


def _report(
    cfg: DictConfig,
    written: Mapping,
    facts: dict,
    watch: Watch,
    measurements: list,
    started: float,
    warnings: tuple,
    audit: Audit | None,
) -> SanityReport:
    seconds = time.perf_counter() - started
    taken = Measurement("time_to_verdict", seconds, "s", TIME_TO_VERDICT)
    return SanityReport(
        config=dict(written),
        assembled=facts,
        checks=tuple(watch.results),
        measurements=(*measurements, taken),
        versions=versions(
            torch.device("cpu") if cfg.sanity.level == "forecast" else resolve_device(str(cfg.runtime.device))
        ),
        seconds=seconds,
        warnings=warnings,
        weights=weight_files(cfg),
        findings=audit.findings if audit else (),
    )
