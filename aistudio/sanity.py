"""The sanity run: assemble, examine, measure, and say what was found. Ends in one `SanityReport`."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from aistudio.assembly import (
    PRECISIONS,
    as_config,
    assemble,
    build,
    build_optimizer,
    build_source,
    build_task,
    device_problems,
    refuse,
    resolve_device,
    torch_problems,
    weights_of,
)
from aistudio.catalog import changed_rules
from aistudio.checks.arrival import arrival, arrival_warnings, received
from aistudio.checks.outcome import Check, Outcome
from aistudio.checks.pictures import save_pictures
from aistudio.checks.subject import Subject
from aistudio.checks.watch import OnResult, OnStart, Watch, finding, is_out_of_memory
from aistudio.config import settle
from aistudio.errors import Problem, Refusal
from aistudio.receipt import file_digest
from aistudio.records import CheckResult, Measurement, SanityReport

TIME_TO_VERDICT = "wall time from the call of sanity_run to the last measurement; importing torch left out"


def sanity_run(
    cfg: DictConfig,
    on_facts: Callable[[Mapping[str, str]], None] | None = None,
    on_result: OnResult | None = None,
    on_start: OnStart | None = None,
    pictures: Path | str | None = None,
) -> SanityReport:
    """Assemble the configured model, run every configured check on it, and measure it.

    Args:
        cfg: a composed configuration, judged by the rules.
        on_facts: called with what was assembled, in words, before the first check.
        on_result: called with each check's result as soon as it is known.
        on_start: called with the name of each check (and ``measure``) before it starts.
        pictures: a folder for pictures of the predictions after the learning check; None saves none.

    Returns:
        The report. A failed check or too little memory is in it as a failed result, never raised.

    Raises:
        Refusal: for what only torch can know (weights, device, precision) and for data that cannot be read.
    """
    started = time.perf_counter()
    watch = Watch(on_result, on_start)
    settled = settle(cfg)
    cfg = as_config(settled.values)  # from here on nothing is left to interpret
    with runtime_settings(cfg):
        subject, checks = prepare(cfg, watch)
        if subject is None:
            return _report(cfg, settled.written, {}, watch, [], started, ())
        facts, warnings = describe(cfg, subject)
        warnings = [*changed_rules(settled.written), *warnings]
        if on_facts:
            on_facts(facts)
        for name, check in checks.items():
            watch.run(name, check.why, partial(_seeded, check, subject))
        if pictures is not None:
            watch.quietly("pictures", partial(save_pictures, subject, Path(pictures)))
        measurements = measure(cfg, subject, watch)
        return _report(cfg, settled.written, facts, watch, measurements, started, (*warnings, *watch.warnings))


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


def make_subject(cfg: DictConfig) -> Subject:
    """Everything that checks need, built from a configuration, with the model on its device."""
    device = resolve_device(str(cfg.runtime.device))
    model = assemble(cfg).to(device)
    if cfg.runtime.channels_last:
        model = model.to(memory_format=torch.channels_last)
    size = min(int(cfg.task.image_size), int(cfg.sanity.image_size))
    return Subject(
        task=build_task(cfg),
        source=build_source(cfg),
        built=model,
        rebuild=partial(assemble, cfg),
        optimizer=build_optimizer(cfg),
        device=device,
        size=size,
        batch_size=int(cfg.sanity.batch_size),
        seed=int(cfg.runtime.seed),
        precision=PRECISIONS[cfg.runtime.precision],
        channels_last=bool(cfg.runtime.channels_last),
        compiled=bool(cfg.runtime.compile),
        frozen=bool(cfg.backbone.frozen),
        pretrained=is_pretrained(cfg),
        why_not_one=why_not_one(cfg, size),
        economy=OmegaConf.to_container(cfg.sanity.economy, resolve=True),
    )


def is_pretrained(cfg: DictConfig) -> bool:
    """Whether the backbone starts from trained weights, its own or the whole model's."""
    model = cfg.architecture.model
    return cfg.backbone.weights is not None or ("weights" in model and model.weights is not None)


def why_not_one(cfg: DictConfig, size: int) -> str:
    """The rule that keeps this architecture from training on one image of ``size`` pixels, or "" where none does."""
    rules = cfg.architecture.rules
    if "batch_size" in rules and rules.batch_size.at_least > 1:
        return rules.batch_size.because
    if "batch_of_one" in rules and size < rules.batch_of_one.image_size_at_least:
        return rules.batch_of_one.because
    return ""


@contextmanager
def runtime_settings(cfg: DictConfig) -> Iterator[None]:
    """The configured seed and threads for the duration of a block; the caller's are put back."""
    threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_available() else []):
        torch.manual_seed(cfg.runtime.seed)
        torch.backends.cudnn.benchmark = False  # the fastest algorithm of the moment is not the same one every time
        if cfg.runtime.threads is not None:
            torch.set_num_threads(int(cfg.runtime.threads))
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.backends.cudnn.benchmark = benchmark


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


def describe(cfg: DictConfig, subject: Subject) -> tuple[dict[str, str], list[str]]:
    """What was assembled, in words, and what is remarkable about what the backbone receives."""
    warnings = []
    try:
        batch = subject.batch(count=subject.batch_size, size=int(cfg.task.image_size))
        values = received(subject.built.eval(), batch.inputs)
        arriving = arrival(values)
        warnings += arrival_warnings(values.float())
    except Refusal:
        raise
    except Exception as error:  # a model that cannot run is reported by its checks
        arriving = f"unknown: {finding(error).seen}"
    weights = cfg.backbone.weights or ("the whole model's" if subject.pretrained else "random")
    facts = {
        "backbone": f"{cfg.backbone.name}, weights: {weights}{', frozen' * subject.frozen}",
        "architecture": cfg.architecture.name,
        "task": f"{cfg.task.name}, {subject.task.outputs} output{'s' * (subject.task.outputs != 1)}",
        "data": subject.source.description,
        "backbone receives": arriving,
        "checked at": f"{subject.size} px, batches of {subject.batch_size}",
        "measured at": f"{cfg.task.image_size} px",
        "device": f"{subject.device}, {cfg.runtime.precision}{', channels last' * subject.channels_last}",
    }
    return facts, [*subject.source.warnings, *warnings]


def versions(device: torch.device) -> dict[str, str]:
    """The software and the machine that a report comes from."""
    names = ("aistudio", "torch", "torchvision", "hydra-core")
    found = {"python": platform.python_version(), **{name: _version(name) for name in names}}
    gpu = device.type == "cuda"
    found["device"] = torch.cuda.get_device_name(device) if gpu else f"{device.type} ({platform.machine()})"
    return {**found, "threads": str(torch.get_num_threads()), "system": platform.platform()}


def weight_files(cfg: DictConfig) -> dict[str, str]:
    """SHA-256 of the files of torchvision's weights that the configuration names, by their names in torch's cache."""
    full = cfg.architecture.model
    named = [(cfg.backbone.model, cfg.backbone.weights), (full, full.weights if "weights" in full else None)]
    found = {}
    for node, name in named:
        choices = weights_of(node)
        if name is not None and choices is not None:
            weights = choices[str(name).removeprefix(f"{choices.__name__}.")]
            path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
            found |= {path.name: file_digest(path)} if path.is_file() else {}
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _seeded(check: Check, subject: Subject) -> Outcome:
    torch.manual_seed(subject.seed)
    return check(subject)


def _raise(error: Exception) -> Outcome:
    raise error


def _report(
    cfg: DictConfig, written: Mapping, facts: dict, watch: Watch, measurements: list, started: float, warnings: tuple
) -> SanityReport:
    seconds = time.perf_counter() - started
    taken = Measurement("time_to_verdict", seconds, "s", TIME_TO_VERDICT)
    return SanityReport(
        config=dict(written),
        assembled=facts,
        checks=tuple(watch.results),
        measurements=(*measurements, taken),
        versions=versions(resolve_device(str(cfg.runtime.device))),
        seconds=seconds,
        warnings=warnings,
        weights=weight_files(cfg),
    )
