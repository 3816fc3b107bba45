"""Whether a sweep's ranking survives a busy machine: 11 backbones, once as it is, once with busy loops beside.

    python benchmarks/busy.py                      # four loops beside the second sweep
    python benchmarks/busy.py --loops 8 task.image_size=128

Prints both orders, their Spearman correlation, and what each sweep says of its ranking. The reference is the first
sweep: its forward times where the machine was quiet, else the least CPU time of a round, which load hardly touches, and
it says so. Beside it stands what the jobs' own passes, one job after another, would have ranked.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aistudio.report.files import REPORT, read
from aistudio.report.ranking import indistinct, notes, rankings
from aistudio.report.records import TOLERABLE
from aistudio.report.summary import Row, rows

JOB = ("task=classification", "sanity=quick", "runtime=cpu")
REACH = 0.95


def sweep(folder: Path, overrides: list[str]) -> list[Row]:
    """The rows of a sweep of every backbone; its output is dropped, its reports are not."""
    line = ("-m", "aistudio", "-m", "backbone=glob(*)", *JOB, f"hydra.sweep.dir={folder}", *overrides)
    subprocess.run([sys.executable, *line], stdout=subprocess.DEVNULL, check=True)
    return rows([folder])


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Within it so many processes compute without end."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for one in started:
            one.kill()
            one.wait()


def reference(found: list[Row]) -> tuple[dict[str, float], str]:
    """The seconds that stand for a quiet machine, and what they are."""
    if all(row.rounds and row.rounds.taken <= TOLERABLE for row in found):
        return {row.backbone: row.forward for row in found}, "forward, median of the rounds"
    taken = max(row.rounds.taken for row in found)
    return (
        {row.backbone: min(row.rounds.cpu_seconds) for row in found},
        f"CPU time, least of the rounds: the machine took {taken:.0f} % of the time away",
    )


def spearman(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The correlation of two orders without ties."""
    places = [{name: place for place, name in enumerate(sorted(by, key=by.__getitem__))} for by in (one, other)]
    apart = sum((places[0][name] - places[1][name]) ** 2 for name in one)
    return 1 - 6 * apart / (len(one) * (len(one) ** 2 - 1))


def own_times(found: list[Row]) -> dict[str, float]:
    """The forward times of the jobs' own passes."""
    reports = {row.backbone: read(Path(row.folder) / REPORT).measurements for row in found}
    return {name: next(m.value for m in measured if m.name == "forward") for name, measured in reports.items()}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("overrides", nargs="*", help="more overrides of both sweeps")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        before = sweep(Path(name) / "as_it_is", given.overrides)
        with busy(given.loops):
            beside = sweep(Path(name) / "busy", given.overrides)
        expected, what = reference(before)
        how = rankings(beside)["classification"]
        ranked = {row.backbone: getattr(row, how.by or "forward") for row in beside}
        print(f"reference: {what}; with {given.loops} loops: {how.by or 'not ranked'}, ms")
        for backbone in sorted(expected, key=expected.__getitem__):
            print(f"  {backbone:20} {1e3 * expected[backbone]:8.1f} {1e3 * ranked[backbone]:8.1f}")
        rounds = {len(row.rounds.seconds) if row.rounds else 0 for row in beside}
        print(f"rounds: {rounds}; pairs that cannot be told apart: {', '.join(map(' ~ '.join, indistinct(beside)))}")
        for note in notes(beside):
            print(f"said: {note}")
        verdict = "refused to rank" if not how.by else f"Spearman {spearman(expected, ranked):.3f} (reach {REACH})"
        print(f"{verdict}; the jobs' own passes would have given {spearman(expected, own_times(beside)):.3f}")


if __name__ == "__main__":
    main()
