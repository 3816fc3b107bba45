"""How quick is a no? Whole processes, in turns in one run with ``python -c "import torch, torchvision"``, as ratios.

    python benchmarks/refusal.py

The limit of a refusal is what it cannot do without: starting Python, importing Hydra, composing once.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 7
REFERENCE = ["-c", "import torch, torchvision"]
LIMIT = ["-c", "import hydra.main, hydra.compose, omegaconf"]
REFUSALS = {
    "a backbone the task does not take": ["-m", "aistudio", "task=segmentation", "backbone=resnet18"],
    "a misspelt key": ["-m", "aistudio", "runtime.sead=1"],
    "four mistakes at once": ["-m", "aistudio", "task=segmentaton", "backbone=resnet18", "runtime.sead=1", "x["],
}
JUDGE_ALL = """
import sys
from itertools import product
from aistudio.config.groups import options
from aistudio.config.shipped import pair_problems
names = [options(group) for group in ("backbone", "task", "architecture")]
fitting = [triple for triple in product(*names) if not pair_problems(*triple)]
assert "torch" not in sys.modules
assert len(fitting) == 60, len(fitting)
"""


def seconds(arguments: list[str], code: int) -> float:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True)
    assert done.returncode == code, done.stderr.decode()
    return time.perf_counter() - started


def main() -> None:
    rows = {"import hydra alone (the limit)": (LIMIT, 0), **{name: (line, 2) for name, line in REFUSALS.items()}}
    rows["every backbone x task x architecture"] = (["-c", JUDGE_ALL], 0)
    seconds(REFERENCE, 0)  # reads the files once
    times = {name: [] for name in rows}
    reference = []
    for _ in range(ROUNDS):
        reference.append(seconds(REFERENCE, 0))
        for name, (arguments, code) in rows.items():
            times[name].append(seconds(arguments, code))
    print(f"{'median of ' + str(ROUNDS):<40} {'seconds':>8} {'/ import torch, torchvision':>28}")
    print(f"{'import torch, torchvision':<40} {statistics.median(reference):>8.2f} {1:>28.2f}")
    for name, taken in times.items():
        ratio = statistics.median(one / other for one, other in zip(taken, reference, strict=True))
        print(f"{name:<40} {statistics.median(taken):>8.2f} {ratio:>28.2f}")


if __name__ == "__main__":
    main()
