"""Whether memory stays flat: many small jobs in one process, as a sweep runs them, and what the process holds then.

    python benchmarks/memory.py             # 300 jobs, three minutes
    python benchmarks/memory.py --jobs 60

Prints the resident memory at job 20, at the end and at its highest in between, and the ratio to job 20.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from aistudio import compose
from aistudio.config.compose import settle
from aistudio.jobs.job import import_examine

SETTLED = 20  # jobs after which caches are full
JOB = ("backbone=mobilenet_v3_small", "sanity=quick", "task.image_size=64", "runtime=cpu", "runtime.threads=1")


def resident() -> float:
    """What this process holds, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=300)
    given = parser.parse_args()
    held = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for seed in range(given.jobs):
            config = compose(*JOB, f"runtime.seed={seed}")
            report = import_examine()(config, settle(config))
            assert report.ok, [failure.name for failure in report.failures]
            held.append(resident())
            if (seed + 1) % 20 == 0:
                print(f"{seed + 1:4} jobs  {held[-1]:6.0f} MiB", flush=True)
        os.chdir("/")
    base, highest, last = held[SETTLED - 1], max(held[SETTLED:]), held[-1]
    print(f"job {SETTLED} {base:.0f} MiB; highest / job {SETTLED} {highest / base:.3f}; last {last / base:.3f}")


if __name__ == "__main__":
    main()
