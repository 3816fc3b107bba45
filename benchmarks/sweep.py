"""What a sweep costs beyond its jobs: against separate runs, with a process for every job, and side by side.

python benchmarks/sweep.py                # 11 backbones, classification, sanity=quick
python benchmarks/sweep.py --joblib       # also two jobs at a time (needs the extra joblib)
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aistudio.config.groups import options

JOB = ("task=classification", "sanity=quick", "runtime=cpu")


def seconds(*arguments: str) -> float:
    """How long a Python process takes; its output is dropped, a failure is not."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def sweep(folder: Path, backbones: list[str], *others: str) -> tuple[float, float]:
    """Seconds of a whole sweep, and the sum of its jobs' own."""
    line = ("-m", "aistudio", "-m", f"backbone={','.join(backbones)}", *JOB, f"hydra.sweep.dir={folder}", *others)
    whole = seconds(*line)
    own = (json.loads(path.read_text())["seconds"] for path in folder.glob("*/report.json"))
    return whole, sum(own)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--joblib", action="store_true", help="two jobs at a time, against one after another")
    given = parser.parse_args()
    backbones = options("backbone")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds("-c", "import aistudio.sanity")  # the files come from the disk only once
        started = seconds("-c", "import aistudio.cli.main, aistudio.sanity")
        one = [seconds("-m", "aistudio", f"backbone={b}", *JOB, f"hydra.run.dir={folder / b}") for b in backbones]
        whole, own = sweep(folder / "in_process", backbones)
        once, own_once = sweep(folder / "once", backbones, "sweep.rounds_budget=0")
        alone, own_of_one = sweep(folder / "one", backbones[:1])
        isolated, own_isolated = sweep(folder / "isolated", backbones, "sweep.isolate=true", "sweep.rounds_budget=0")
        further = (once - own_once - (alone - own_of_one)) / (len(backbones) - 1)
        between = (isolated - own_isolated - (alone - own_of_one)) / (len(backbones) - 1)
        print(f"sweep {whole:.1f} s / {len(backbones)} separate runs {sum(one):.1f} s = {whole / sum(one):.2f}")
        print(f"sweep / (the jobs' own {own:.1f} s + one import {started:.1f} s) = {whole / (own + started):.2f}")
        print(f"the same without rounds {once:.1f} s, their own {own_once:.1f} s: {once / (own_once + started):.2f}")
        print(f"each further job costs {further:.2f} s more than its own time, in a process of its own {between:.2f} s")
        print(f"sweep.isolate=true {isolated:.1f} s / in process, both without rounds = {isolated / once:.2f}")
        if given.joblib:
            parallel, _ = sweep(folder / "joblib", backbones, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
            print(f"hydra/launcher=joblib, 2 at a time: {parallel:.1f} s / in process = {parallel / whole:.2f}")


if __name__ == "__main__":
    main()
