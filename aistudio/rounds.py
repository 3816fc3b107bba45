"""The recipe at the end of a sweep: make its models again and time their forward passes in rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from omegaconf import DictConfig

from aistudio.assembly.device import resolve_device, runtime_settings
from aistudio.assembly.parts import build_task
from aistudio.assembly.prepare import make_subject
from aistudio.config.compose import settle
from aistudio.costs.real_step import available
from aistudio.costs.rounds import time_in_rounds
from aistudio.report.records import Rounds

SHARE = 0.5  # of the memory that is free, which all models together may take
_HELD = 2  # times the weights: a model, its images, and some room for one pass


def in_rounds(
    configs: Mapping[str, DictConfig], weights: float, budget: float, busy: bool, name: str
) -> tuple[dict[str, Rounds], str]:
    """Time the forward passes of jobs in turns.

    Args:
        configs: the configuration of each job, as its report has it.
        weights: bytes of the parameters of all of them together.
        budget: seconds for the passes; making the models comes on top.
        busy: whether the machine was, while the jobs ran.
        name: tells these rounds from those of other sweeps.

    Returns:
        The rounds of each job, and why there are none, "" where there are.
    """
    judged = {job: settle(config) for job, config in configs.items()}
    runtimes = [one.cfg.runtime for one in judged.values()]
    if any(runtime.compile for runtime in runtimes):
        return {}, "compiled models are not"
    if len({(str(runtime.device), runtime.threads) for runtime in runtimes}) > 1:
        return {}, "they run on several devices, or with several numbers of threads"
    device = resolve_device(str(runtimes[0].device))
    if device.type == "cpu" and _HELD * weights > SHARE * available():
        return {}, f"{len(judged)} models do not fit into the memory of this machine together"
    with runtime_settings(next(iter(judged.values())).cfg):
        found = time_in_rounds({job: _forward_of(one) for job, one in judged.items()}, device, budget, busy, name)
    return found, "" if found else f"not one round of {len(judged)} models fits into sweep.rounds_budget={budget:g}"


def _forward_of(judged: Any) -> Callable[[], None]:
    """The forward pass that a run of this configuration measures."""
    cfg = judged.cfg
    subject = make_subject(judged, build_task(judged))
    model = subject.built.eval()
    inputs = subject.batch(cfg.sanity.measure.batch_size or int(cfg.data.batch_size), int(cfg.task.image_size)).inputs

    def forward() -> None:
        with torch.no_grad(), subject.autocast():
            model(inputs)

    return forward
