"""How right the forecast is: its peak of a training step against what torch's allocator saw of a real one, row by row.

Every row is one configuration at one batch size, in this process, on the CPU: the forecast first, then two real steps
of which the second is recorded. Prints a table, and at the end the median and the worst row; nothing is left out.
    python benchmarks/forecast.py backbones            # 11 backbones × 3 tasks × 2 batch sizes, float32
    python benchmarks/forecast.py bfloat16             # 11 backbones, classification
    python benchmarks/forecast.py segmenters detectors
    python benchmarks/forecast.py published            # parameters and multiply-adds against torchvision's metadata
    python benchmarks/forecast.py largest              # the largest batch on 16 GiB, and how many forecasts it took
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
import torchvision

import aistudio
from aistudio.config.compose import settle
from aistudio.costs.card import Card
from aistudio.costs.largest_batch import largest_batch
from aistudio.costs.memory import Forecaster
from aistudio.costs.real_step import real_peak
from aistudio.forecast import workload

MIB = 2**20
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
    found = []
    for overrides, count in rows(kind, size):
        found.append(compare(overrides, count))
        gc.collect()
    off = [abs(ratio - 1) for ratio, least, _ in found if least == ratio]
    inside = [least <= 1 <= ratio for ratio, least, _ in found if least < ratio]
    if off:
        print(f"\nmedian {100 * statistics.median(off):.4f} %, worst {100 * max(off):.3f} % of {len(off)}")
    if inside:
        print(f"{sum(inside)} of {len(inside)} inside their range")
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


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="+")
    parser.add_argument("--size", type=int, default=224)
    arguments = parser.parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind in arguments.kinds:
        if kind == "published":
            published()
        elif kind == "largest":
            largest(arguments.size)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
            print(f"\nthe process grew by {grown:.0f} MB")
        else:
            compare_all(kind, arguments.size)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
