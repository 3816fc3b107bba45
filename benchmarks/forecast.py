"""How right the forecast is: its peak of a training step against what torch's allocator saw of a real one, row by row.

Every row is one configuration at one batch size, in this process, on the CPU: the forecast first, then two real steps
of which the second is recorded. Prints each row as it is known, and at the end the median, the worst and the seconds;
nothing is left out: a row that raises, or that this machine has no memory for, is a row that says so.
    python benchmarks/forecast.py all                  # everything below, one after the other
    python benchmarks/forecast.py backbones            # 11 backbones × 3 tasks × 2 batch sizes, float32
    python benchmarks/forecast.py bfloat16             # 11 backbones, classification
    python benchmarks/forecast.py segmenters detectors
    python benchmarks/forecast.py published            # parameters and multiply-adds against torchvision's metadata
    python benchmarks/forecast.py largest              # the largest batch on 16 GiB, and how many forecasts it took
    python benchmarks/forecast.py sweep                # 11 backbones × classification as a sweep, in one process
    python benchmarks/forecast.py --foreign            # 30 of timm's backbones by five lines of YAML (needs timm)
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ["AISTUDIO_TRUST"] = "timm"

import torch
import torchvision

import aistudio
from aistudio.config.compose import settle
from aistudio.costs.card import Card
from aistudio.costs.largest_batch import largest_batch
from aistudio.costs.memory import Forecaster
from aistudio.costs.real_step import available, real_peak
from aistudio.errors import first_line
from aistudio.forecast import workload

MIB = 2**20
KINDS = ("backbones", "bfloat16", "segmenters", "detectors", "published", "largest", "sweep")
ROOM = 1.5  # times the forecast that must be free for a real step: kernels' scratch, the profiler's events
FOREIGN = (  # of timm, in the order of its own list of families
    "lcnet_050 tinynet_e mobilenetv3_small_100 mobilenetv4_conv_small mnasnet_small mobilenetv2_050 mobilenetv1_100 "
    "ghostnet_050 repghostnet_050 hardcorenas_a fbnetc_100 mixnet_s efficientnet_b0 rexnet_100 regnetx_002 regnety_002 "
    "efficientvit_b0 edgenext_xx_small mobilevit_xxs repvit_m0_9 fastvit_t8 repvgg_a0 resnet18 seresnet18 "
    "convnext_atto poolformer_s12 hgnetv2_b0 densenet121 cspdarknet53 xception41"
)
RESNETS = [f"resnet{depth}" for depth in (18, 34, 50, 101)]
BACKBONES = [*RESNETS, *(f"efficientnet_b{n}" for n in range(5)), "mobilenet_v3_small", "mobilenet_v3_large"]
DILATED = ("resnet50", "resnet101", "mobilenet_v3_large")
SEGMENTERS = [
    *((backbone, "deeplabv3") for backbone in DILATED),
    *((backbone, "fcn") for backbone in ("resnet50", "resnet101")),
    ("mobilenet_v3_large", "lraspp"),
]
DETECTORS = {
    "object_detection": ["fasterrcnn", "fasterrcnn_v2", "retinanet", "retinanet_v2", "fcos"],
    "instance_segmentation": ["maskrcnn", "maskrcnn_v2"],
    "oriented_object_detection": ["rotated_fcos"],
}


def rows(kind: str, size: int) -> Iterator[tuple[list[str], int]]:
    """Configurations, as overrides, and batch sizes."""
    image = f"task.image_size={size}"
    if kind == "backbones":
        for task in ("classification", "regression", "anomaly_detection"):
            yield from (([f"backbone={b}", f"task={task}", image], count) for b in BACKBONES for count in (2, 6))
    if kind == "bfloat16":
        yield from (([f"backbone={b}", "runtime.precision=bfloat16", image], n) for b in BACKBONES for n in (2, 6))
    if kind == "segmenters":
        for backbone, architecture in SEGMENTERS:
            names = [f"backbone={backbone}", "task=segmentation", f"architecture={architecture}", image]
            yield from ((names, count) for count in (2, 3))
    if kind == "detectors":
        for task, architectures in DETECTORS.items():
            for architecture in architectures:
                yield from (([f"task={task}", f"architecture={architecture}", image], count) for count in (1, 2))


def compare(overrides: list[str], count: int) -> tuple[float, float, float]:
    """One row: forecast over allocator, lower end over allocator, and the seconds of the forecast."""
    config = aistudio.compose(*overrides, "runtime.device=cpu")
    work = workload(settle(config), backend="cpu")
    started = time.perf_counter()
    peak = Forecaster(work.shapes).training(count)
    seconds = time.perf_counter() - started
    if ROOM * peak.bytes > available():
        raise MemoryError(f"{peak.bytes / MIB:.0f} MiB are forecast, {available() / MIB:.0f} MiB are free")
    model = work.model()
    optimizer = work.shapes.optimizer([p for p in model.parameters() if p.requires_grad])
    half = work.shapes.precision != torch.float32
    dtype = work.shapes.precision if half else torch.bfloat16
    seen = real_peak(
        model, optimizer, work.shapes.loss, work.batch(count), lambda: torch.autocast("cpu", dtype, enabled=half)
    )
    ratio, least = peak.bytes / seen.tensors, peak.least / seen.tensors
    name = " ".join(part.split("=")[1] for part in overrides if not part.startswith("task.image_size"))
    low = f"{peak.least / MIB:.1f} … " if peak.least < peak.bytes else ""
    print(
        f"| {name} | {count} | {low}{peak.bytes / MIB:.1f} | {seen.tensors / MIB:.1f} | {seen.all / MIB:.1f} "
        f"| {100 * (ratio - 1):+.3f} % | {peak.phase} | {seconds:.2f} |",
        flush=True,
    )
    return ratio, least, seconds


def compare_all(kind: str, size: int) -> None:
    """A table of rows and what can be said of all of them."""
    print(f"\n**{kind}**, {size} px, MiB\n")
    print("| configuration | batch | forecast | tensors | with scratch | forecast − tensors | peak in | s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |")
    found, started, broken = [], time.perf_counter(), 0
    for overrides, count in rows(kind, size):
        try:
            found.append(compare(overrides, count))
        except Exception as error:
            broken += 1
            print(f"| {' '.join(overrides)} | {count} | {type(error).__name__}: {first_line(error)} |", flush=True)
        gc.collect()
    print(f"\n{time.perf_counter() - started:.0f} s for {len(found)} rows; {broken} more raised")
    if not found:
        return
    off = [abs(ratio - 1) for ratio, least, _ in found if least == ratio]
    inside = [least <= 1 <= ratio for ratio, least, _ in found if least < ratio]
    if off:
        print(f"\nmedian {100 * statistics.median(off):.4f} %, worst {100 * max(off):.3f} % of {len(off)}")
    if inside:
        over = max(100 * (ratio - 1) for ratio, least, _ in found if least < ratio)
        print(f"{sum(inside)} of {len(inside)} inside their range, its upper end at most {over:.2f} % too high")
    print(
        f"seconds a forecast: median {statistics.median(f[2] for f in found):.2f}, worst {max(f[2] for f in found):.2f}"
    )


def published() -> None:
    """torchvision's own figures of its classifiers."""
    print("\n| model | parameters | torchvision | GMACs | torchvision | at |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in BACKBONES:
        meta = torchvision.models.get_model_weights(name).DEFAULT.meta
        at = aistudio.compose(f"backbone={name}").backbone.published.gmacs_at
        work = workload(settle(aistudio.compose(f"backbone={name}", f"task.image_size={at}")))
        shapes = replace(work.shapes, build=lambda name=name: torchvision.models.get_model(name, weights=None))
        forecaster = Forecaster(shapes)
        count = sum(p.numel() for p in forecaster.model.parameters())
        gmacs = forecaster.inference(1, operations=True).multiply_adds / 1e9
        print(f"| {name} | {count} | {meta['num_params']} | {gmacs:.3f} | {meta['_ops']:.3f} | {at} |")


def largest(size: int) -> None:
    """The largest batches on a card of 16 GiB."""
    card = Card("16 GiB", 16 * 2**30)
    print("\n| configuration | largest batch | forecasts | s |\n| --- | ---: | ---: | ---: |")
    for precision in ("float32", "bfloat16"):
        for name in BACKBONES:
            work = workload(
                settle(aistudio.compose(f"backbone={name}", f"runtime.precision={precision}")), backend="cuda"
            )
            forecaster, started = Forecaster(work.shapes), time.perf_counter()
            found = largest_batch(lambda count, f=forecaster: f.training(count).bytes, card.room)
            seconds = time.perf_counter() - started
            print(f"| {name} {precision} | {found.size} | {len(found.tries)} | {seconds:.1f} |", flush=True)


def sweep() -> None:
    """How long a forecast of every backbone takes as a sweep, the start of Python and torch included."""
    with tempfile.TemporaryDirectory() as folder:
        line = ("backbone=glob(*)", "task=classification", "sanity=forecast", "gpu=t4", f"hydra.sweep.dir={folder}")
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "aistudio", "-m", *line], capture_output=True, text=True)
        seconds = time.perf_counter() - started
        print(f"\na sweep of {len(BACKBONES)} forecasts: {seconds:.1f} s, exit code {done.returncode}")


def foreign(size: int) -> None:
    """Whether timm's backbones can be forecast, each named by a file of five lines at most."""
    print("\n| model | parameters | training step of 8, MiB | s |\n| --- | ---: | ---: | ---: |")
    names, known = FOREIGN.split(), 0
    for name in names:
        started = time.perf_counter()
        try:
            said, known = f"{foreign_peak(name, size)} | {time.perf_counter() - started:.2f}", known + 1
        except Exception as error:
            said = f"| {type(error).__name__}: {first_line(error)} |"
        print(f"| {name} | {said} |", flush=True)
    print(f"\n{known} of {len(names)} forecast")


def foreign_peak(name: str, size: int) -> str:
    """Parameters and the peak of a step of 8 images."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "backbone").mkdir()
        model = f"{{_target_: timm.create_model, model_name: {name}}}"
        (Path(folder) / "backbone" / "foreign.yaml").write_text(f"name: foreign\nmodel: {model}\n")
        config = aistudio.compose("backbone=foreign", f"task.image_size={size}", config_dir=folder)
        forecaster = Forecaster(workload(settle(config), backend="cpu").shapes)
    count = sum(p.numel() for p in forecaster.model.parameters())
    return f"{count} | {forecaster.training(8).bytes / MIB:.1f}"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}, all")
    parser.add_argument("--foreign", action="store_true", help="30 of timm's backbones")
    parser.add_argument("--size", type=int, default=224)
    arguments = parser.parse_args()
    known = (*KINDS, "all")
    if not set(arguments.kinds) <= {*known} or not (arguments.kinds or arguments.foreign):
        parser.error(f"name any of {', '.join(known)}, or --foreign")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind in KINDS if "all" in arguments.kinds else arguments.kinds:
        if kind == "published":
            published()
        elif kind == "sweep":
            sweep()
        elif kind == "largest":
            largest(arguments.size)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
            print(f"\nthe process grew by {grown:.0f} MB")
        else:
            compare_all(kind, arguments.size)
    if arguments.foreign or "all" in arguments.kinds:
        foreign(arguments.size)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
