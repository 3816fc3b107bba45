"""What loading weights costs, against ``torch.load`` and ``load_state_dict`` of the same file, in turns in one process.

The file is ResNet-50's, 102 MB of random numbers. Ours finds the state dict in it, matches the names and fills the
model. A run's receipt also wants the SHA-256, which takes longer than that and is a row of its own. The peak is what a
fresh process grows by.

    python benchmarks/weights.py            # about 30 s
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision

import aistudio
from aistudio.assembly.model import built
from aistudio.assembly.parts import build_task
from aistudio.assembly.pretrained import load_chosen
from aistudio.config.compose import settle
from aistudio.config.plain import as_dict
from aistudio.files import file_digest

ROUNDS = 15
MB = 1e6


def loaders(path: Path) -> dict[str, Callable[[], object]]:
    """What is compared, the reference first; models are built before."""
    judged = settle(aistudio.compose("backbone=resnet50", "task=classification", f"backbone.weights={path}"))
    plain = as_dict(judged.cfg)
    model = built(judged, build_task(judged), None, pretrained=False).model
    other = torchvision.models.resnet50()
    return {
        "torch.load, load_state_dict": lambda: other.load_state_dict(torch.load(path, weights_only=True)),
        "aistudio": lambda: load_chosen(plain, model, lambda outputs: model, 1000),
        "SHA-256 alone": lambda: file_digest(path),
    }


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """By the clock and of the processor."""
    started, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - started, time.process_time() - processor


def grown(path: Path, name: str) -> float:
    """Bytes by which a fresh process grows at its highest."""
    line = [sys.executable, __file__, "--grow", str(path), name]
    return float(subprocess.run(line, capture_output=True, text=True, check=True).stdout)


def highest() -> int:
    """The most that this process held, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def refusal(path: Path) -> float:
    """Seconds after the imports until weights that are not there are refused."""
    started = time.perf_counter()
    try:
        aistudio.assemble(aistudio.compose("backbone=resnet50", f"backbone.weights={path}.gone"))
    except aistudio.Refusal:
        return time.perf_counter() - started
    raise AssertionError("weights that are not there were taken")


def main() -> None:
    """See the module."""
    if sys.argv[1:2] == ["--grow"]:
        run = loaders(Path(sys.argv[2]))[sys.argv[3]]
        Path("/proc/self/clear_refs").write_text("5")  # the highest point is what is held now
        before = highest()
        run()
        print(highest() - before)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50.pth"
        torch.save(torchvision.models.resnet50().state_dict(), path)
        runs, size = loaders(path), path.stat().st_size
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                taken[name].append(seconds(run))
        first = next(iter(taken.values()))
        print(f"{size / MB:.0f} MB, median of {ROUNDS} ratios to the first row\n")
        print("| what | least ms | clock | of least | processor | peak / file |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for name, found in taken.items():
            clock, processor = (
                statistics.median(ours[i] / theirs[i] for ours, theirs in zip(found, first, strict=True))
                for i in (0, 1)
            )
            least, of_least, peak = min(found)[0], min(found)[0] / min(first)[0], grown(path, name) / size
            print(f"| {name} | {1e3 * least:.0f} | {clock:.2f} | {of_least:.2f} | {processor:.2f} | {peak:.2f} |")
        print(f"\nweights that are not there: refused after {refusal(path):.2f} s")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
