"""The recipe of ``sanity=forecast``: what a configuration needs and where it fits, told before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from aistudio.assembly.device import PRECISIONS
from aistudio.assembly.model import built
from aistudio.assembly.parts import build_optimizer, build_source, build_task
from aistudio.assembly.prepare import why_not_one
from aistudio.checks.outcome import Outcome, failed, passed
from aistudio.checks.runner import Watch
from aistudio.config.cards import cards, in_bytes
from aistudio.config.compose import Judged, settle
from aistudio.config.plain import as_dict
from aistudio.config.values import show
from aistudio.costs.autocast import Backend
from aistudio.costs.card import Card
from aistudio.costs.data_dependent import CannotFollow
from aistudio.costs.measure import count_parameters
from aistudio.costs.memory import Forecaster, Peak, Workload
from aistudio.costs.outlook import GIB, Outlook, Saving, advice, outlook, savings
from aistudio.costs.real_step import real_peak, step_if_there_is_room
from aistudio.costs.tell import of_card, of_passes, of_savings
from aistudio.report.records import Measurement
from aistudio.tasks.base import Task
from aistudio.tasks.batch import make_batch

WHY = "What a run needs should be known before a machine is rented for it."
_WHY_FIT = "A step that does not fit ends a run, often hours later than it could have been known."
_SMALLER = 0.7  # of the side: half the pixels
STEP = 32  # pixels that a smaller side is a multiple of


@dataclass(frozen=True)
class Work:
    """What is forecast as ``shapes``, and the same with numbers: a ``model`` and a ``batch`` of so many images."""

    shapes: Workload
    model: Callable[[], nn.Module]
    batch: Callable[[int], tuple[Any, Any]]
    least: int = 1


def workload(judged: Judged, task: Task | None = None, backend: Backend = "cuda") -> Work:
    """The training step of a configuration, as ``backend`` runs it. Only two images are made, to see their shapes.

    ``task`` is the configured one, where it was made already.
    """
    cfg, task = judged.cfg, task or build_task(judged)
    source, size = build_source(judged), int(cfg.task.image_size)

    def batch(count: int) -> tuple[Any, Any]:
        made = make_batch(task, source, count, size, int(cfg.runtime.seed))
        return made.inputs, made.targets

    shapes = Workload(
        build=partial(_model_of, judged, task, pretrained=False),
        loss=task.loss,
        optimizer=build_optimizer(judged),
        one=batch(1),
        two=batch(2),
        precision=PRECISIONS[cfg.runtime.precision],
        backend=backend,
    )
    return Work(shapes, partial(_model_of, judged, task), batch, 2 if why_not_one(cfg, size) else 1)


def _model_of(judged: Judged, task: Task, pretrained: bool = True) -> nn.Module:
    """The configured model in its memory format; its shapes alone where no weights are loaded."""
    model = built(judged, task, None, pretrained).model
    return model.to(memory_format=torch.channels_last) if judged.cfg.runtime.channels_last else model


def forecast(judged: Judged, task: Task, watch: Watch) -> list[Measurement]:
    """Forecast a configuration: a result for what it needs and for every card, and the numbers."""
    cfg = judged.cfg
    work, count = workload(judged, task), int(cfg.data.batch_size)
    forecaster = Forecaster(work.shapes)
    found = count_parameters(forecaster.model)
    peaks: list[Peak] = []
    watch.run("forecast", WHY, partial(needs, work, forecaster, count, peaks))
    if len(peaks) < 3:  # it was measured instead, or not at all
        return found
    training, inference, single = peaks
    found += of_passes(training, inference, single, count)
    saved: list[Saving] = []
    for card in cards_of(cfg):
        seen: list[Outlook] = []
        watch.run(f"fits_{card.name}", _WHY_FIT, partial(fits, cfg, card, forecaster, peaks, work.least, seen, saved))
        found += [one for each in seen for one in of_card(each, count)]
    return found + of_savings(saved, count)


def needs(work: Work, forecaster: Forecaster, count: int, peaks: list[Peak]) -> Outcome:
    """The need of a step; where it cannot be followed, that of a real one. Fills ``peaks``."""
    try:
        training = forecaster.training(count, operations=True)
        peaks += [training, forecaster.inference(count, operations=True), forecaster.inference(1, operations=True)]
    except CannotFollow as error:
        return _measured_instead(work, count, str(error))
    low = f"{training.least / GIB:.2f} … " if training.least < training.bytes else ""
    at = f", in its {training.phase} pass at {training.place or 'the loss'}"
    return passed(f"{low}{training.bytes / GIB:.2f} GiB of tensors at the peak of a training step{at}")


def _measured_instead(work: Work, count: int, why: str) -> Outcome:
    """A real step on this machine's CPU, if there is memory for it."""
    half = work.shapes.precision != torch.float32
    autocast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=half)

    def step(images: int) -> Any:
        model = work.model()
        optimizer = work.shapes.optimizer([p for p in model.parameters() if p.requires_grad])
        return real_peak(model, optimizer, work.shapes.loss, work.batch(images), autocast)

    peak = step_if_there_is_room(step, count, work.least)
    if peak is None:
        cause = "a real step would have told, and this machine has too little memory for one"
        return failed(f"it cannot be followed: {why}", "a step that shapes alone decide", cause)
    return passed(f"{peak.tensors / GIB:.2f} GiB of tensors, measured in a real step on the CPU, for {why}")


def fits(
    cfg: DictConfig,
    card: Card,
    forecaster: Forecaster,
    peaks: list[Peak],
    least: int,
    seen: list[Outlook],
    saved: list[Saving],
) -> Outcome:
    """Whether a card has the memory; if not, what would make it fit. Fills ``seen``, and ``saved`` once."""
    training, inference, _ = peaks
    count = int(cfg.data.batch_size)
    found = outlook(card, forecaster, training, inference, count, least)
    seen.append(found)
    largest = f"largest batch {found.largest.size}" if found.largest.size else "not even the smallest batch fits"
    if found.fits:
        return passed(f"{found.words(training)}; {largest}")
    if not saved:
        saved += savings({line: workload(settle(other)).shapes for line, other in variants(cfg)}, count)
    return failed(f"{found.words(training)}; {largest}", "enough memory", advice(saved, card, found.largest, count))


def variants(cfg: DictConfig) -> Iterator[tuple[str, DictConfig]]:
    """Configurations that need less memory, each with the line that makes it of this one."""
    size = int(cfg.task.image_size)
    smaller = int(size * _SMALLER) // STEP * STEP
    least = (cfg.architecture.rules.get("image_size") or {}).get("at_least", 1)
    optimizer = cfg.architecture.learning.optimizer
    plain = set(optimizer) <= {"_target_", "lr", "weight_decay"}  # what SGD takes, too
    tries = (
        ("runtime.precision", _half_of(cards_of(cfg)), cfg.runtime.precision == "float32"),
        ("backbone.frozen", True, not cfg.backbone.frozen),
        ("backbone.activation_checkpointing", True, not cfg.backbone.activation_checkpointing),
        ("task.image_size", smaller, smaller >= max(int(least), STEP)),
        ("architecture.learning.optimizer._target_", "torch.optim.SGD", plain and "SGD" not in optimizer._target_),
    )
    for key, value, worth in tries:
        if worth:
            yield f"{key}={show(value)}", varied(cfg, key, value)


def _half_of(cards: Sequence[Card]) -> str:
    """The half precision that all of these cards compute in."""
    return "float16" if any(card.peaks and "bfloat16" not in card.peaks for card in cards) else "bfloat16"


def varied(cfg: DictConfig, key: str, value: Any) -> DictConfig:
    """A settled configuration with another value; what was resolved from it follows for the size of images."""
    other = OmegaConf.create(as_dict(cfg))
    before = OmegaConf.select(other, key)
    OmegaConf.update(other, key, value, merge=False)
    if key == "task.image_size":  # settled long ago: detectors resize to a size of their own
        for name in ("min_size", "max_size"):
            if other.architecture.model.get(name) == before:
                other.architecture.model[name] = value
    OmegaConf.set_struct(other, True)
    return other


def cards_of(cfg: DictConfig) -> list[Card]:
    """The cards that a configuration names, their published peaks as multiply-adds a second."""
    found = []
    for name, card in cards(as_dict(cfg, resolve=True)).items():
        peaks = {precision: tflops * 1e12 / 2 for precision, tflops in (card.get("tflops") or {}).items()}
        bandwidth = card.get("bandwidth")
        found.append(Card(name, in_bytes(card["memory"]) or 0, bandwidth and bandwidth * 1e9, peaks))
    return found


def described(cfg: DictConfig) -> dict[str, str]:
    """What is forecast, in words."""
    return {
        "backbone": f"{cfg.backbone.name}{', frozen' * bool(cfg.backbone.frozen)}",
        "architecture": str(cfg.architecture.name),
        "task": str(cfg.task.name),
        "forecast for": f"{cfg.data.batch_size} images of {cfg.task.image_size} px, {cfg.runtime.precision}, "
        f"{str(cfg.architecture.learning.optimizer._target_).rpartition('.')[2]}",
        "forecast by": "shapes alone: nothing is computed; kernels' workspaces are left out, a lower bound",
    }
