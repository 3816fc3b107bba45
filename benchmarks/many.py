"""Ten thousand jobs: judging the combinations of a sweep, and reading its reports back into a summary.

python benchmarks/many.py judge        # against composing and judging one by one
python benchmarks/many.py summarize    # against reading the same files as JSON and no more
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aistudio.cli.main import main as aistudio
from aistudio.config import groups
from aistudio.config.compose import compose
from aistudio.errors import Refusal
from aistudio.jobs.combinations import judged

JOBS = 10_000
SAMPLE = 20
SPANS = {
    "files": ["task=glob(*)", "backbone=glob(*)", "architecture=glob(*)", "runtime.seed=range(6)"],
    "values": [f"runtime.seed=range({JOBS})"],
}


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def one_by_one(lines: list[tuple[str, ...]]) -> None:
    """Compose and judge some combinations as runs of their own."""
    for line in lines:
        with contextlib.suppress(Refusal):
            compose(*line)


def judge() -> None:
    """Whole sweeps, against a sample of their combinations one by one."""
    for name, overrides in SPANS.items():
        jobs: list = []
        whole = seconds(lambda overrides=overrides, jobs=jobs: jobs.extend(judged(overrides)))
        sample = [job.overrides for job in jobs[:: len(jobs) // SAMPLE][:SAMPLE]]
        each = seconds(lambda sample=sample: one_by_one(sample)) / SAMPLE
        refused = sum(bool(job.problems) for job in jobs)
        print(
            f"{len(jobs)} combinations of {name} ({refused} refused) {whole:.1f} s / one by one "
            f"{each * 1000:.0f} ms each = {whole / (each * len(jobs)):.4f}"
        )


def reports(folder: Path) -> None:
    """Ten thousand reports, copies of a real one under every backbone's name."""
    line = ("-m", "aistudio", "backbone=mobilenet_v3_small", "sanity=quick", "runtime=cpu", f"hydra.run.dir={folder}/0")
    subprocess.run([sys.executable, *line], check=True, capture_output=True)
    report, names = json.loads((folder / "0" / "report.json").read_text()), groups.options("backbone")
    for job in range(JOBS):
        report["config"]["backbone"]["name"] = names[job % len(names)]
        report["config"]["runtime"]["seed"] = job
        (folder / f"{job}").mkdir(exist_ok=True)
        (folder / f"{job}" / "report.json").write_text(json.dumps(report, indent=2))


def summary() -> None:
    """Table, CSV, Markdown, JSON and plots, against parsing the files."""
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()) as printed:
        folder = Path(name)
        reports(folder)
        parsing = seconds(lambda: [json.loads(path.read_text()) for path in folder.rglob("report.json")])
        whole = seconds(lambda: aistudio(["summarize", name]))
    assert f"{JOBS} passed" in printed.getvalue()
    print(f"summary of {JOBS} reports {whole:.1f} s / parsing them {parsing:.1f} s = {whole / parsing:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("judge", "summarize"))
    {"judge": judge, "summarize": summary}[parser.parse_args().what]()
