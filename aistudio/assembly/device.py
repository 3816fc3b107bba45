"""The device, its precisions, and the settings of torch during a run."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import torch
from omegaconf import DictConfig

from aistudio.errors import Problem

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_problems(cfg: DictConfig) -> list[Problem]:
    """What is wrong with ``runtime.device``, its precision and what is asked of it on this machine."""
    name, there = str(cfg.runtime.device), devices()
    if name not in ("auto", "cuda", "mps") and name not in there or name in ("cuda", "mps") and not _has(name):
        why = "torch sees " + (", ".join(there) if len(there) > 1 else "no GPU on this machine")
        return [Problem(f"runtime.device={name} is not there", why, "runtime.device", ", ".join(["auto", *there]))]
    device, precision = resolve_device(name), cfg.runtime.precision
    fine = _precisions(device)
    if precision not in fine:
        why = f"{device.type} computes in {', '.join(fine)} here"
        what = f"runtime.precision={precision} does not run on {device}"
        return [Problem(what, why, "runtime.precision", ", ".join(fine))]
    if cfg.runtime.get("find_batch") and device.type != "cuda":  # a key that older reports do not have
        what = f"runtime.find_batch=true does not run on {device}"
        why = "it trains until memory runs out, which only an NVIDIA GPU answers with an error that can be caught"
        instead = "sanity=forecast, which tells the largest batch from shapes; runtime.device=cuda where there is one"
        return [Problem(what, why, "runtime.find_batch", instead)]
    return []


def devices() -> list[str]:
    """The devices that torch can use here, as ``runtime.device`` names them."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *gpus, *["mps"] * torch.backends.mps.is_available()]


def resolve_device(name: str) -> torch.device:
    """``auto`` is the current GPU, else Apple's, else the CPU; ``cuda`` the current GPU; anything else is itself."""
    if name in ("auto", "cuda") and _has("cuda"):
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(name if name != "auto" else "mps" if _has("mps") else "cpu")


def _precisions(device: torch.device) -> list[str]:
    """The precisions that autocast offers on a device. float16 on a CPU is slow and overflows, so it is not offered."""
    if device.type == "cuda":
        return ["float32", *["bfloat16"] * torch.cuda.is_bf16_supported(), "float16"]
    return ["float32", "float16"] if device.type == "mps" else ["float32", "bfloat16"]


def _has(kind: str) -> bool:
    return torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()


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


def versions(device: torch.device) -> dict[str, str]:
    """The software and the machine that a report comes from."""
    names = ("aistudio", "torch", "torchvision", "hydra-core")
    found = {"python": platform.python_version(), **{name: _version(name) for name in names}}
    gpu = device.type == "cuda"
    found["device"] = torch.cuda.get_device_name(device) if gpu else f"{device.type} ({platform.machine()})"
    return {**found, "threads": str(torch.get_num_threads()), "system": platform.platform()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
