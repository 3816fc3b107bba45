"""How long the sanity run takes: against a hand-written script, and for everything that ships.

python benchmarks/sanity.py ratio            # sanity=quick on resnet18 as a process, against a plain script
python benchmarks/sanity.py matrix quick     # seconds after imports, a line a model; standard and full likewise
python benchmarks/sanity.py matrix full --seeds 0 1 2 --only fcos retinanet
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

BY_HAND = """
import torch, torchvision
from torch import nn
torch.manual_seed(0)
model = torchvision.models.resnet18(num_classes=10)
images, labels = torch.rand(4, 3, 64, 64), torch.tensor([0, 3, 6, 9])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
losses = []
for step in range({steps}):
    loss = nn.functional.cross_entropy(model.train()(images), labels)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    losses.append(loss.item())
assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in model.parameters())
with torch.no_grad():
    for labels in (labels, labels.roll(1)):
        nn.functional.cross_entropy(model(images), labels)
    model.eval()
    answers = [model(images) for _ in range(4)]
    assert torch.equal(answers[0], answers[1]) and answers[0].isfinite().all()
    large = torch.rand(1, 3, 224, 224)
    for _ in range(4):
        model(large)
print(sum(p.numel() for p in model.parameters()), losses[-1] / losses[0])
"""


def process(*arguments: str) -> float:
    """Seconds that a Python process takes; its output is dropped, a failure is not."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def ratio(repeats: int, steps: int) -> None:
    """Alternate the two processes, so that what else the machine does hits both."""
    with tempfile.TemporaryDirectory() as folder:
        ours = ("-m", "aistudio", "backbone=resnet18", "sanity=quick", "runtime=cpu", f"hydra.run.dir={folder}")
        pairs = [(process(*ours), process("-c", BY_HAND.format(steps=steps))) for _ in range(repeats)]
    mine, hand = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"sanity=quick {mine:.2f} s, by hand {hand:.2f} s, ratio {mine / hand:.2f} (medians of {repeats})")


def matrix(level: str, seeds: list[int], only: list[str]) -> None:
    """One line a model and seed: seconds after imports, the verdict, what failed."""
    from aistudio.config.compose import compose
    from aistudio.config.shipped import models
    from aistudio.sanity import sanity_run

    for seed in seeds:
        for row in models():
            if only and not any(words in name for words in only for name in row):
                continue
            choices = [f"{group}={name}" for group, name in zip(("task", "architecture", "backbone"), row, strict=True)]
            report = sanity_run(compose(*choices, f"sanity={level}", f"runtime.seed={seed}"))
            broken = "; ".join(f"{check.name}: {check.seen}" for check in report.failures)
            learned = next((check.seen for check in report.checks if check.name == "overfits_one_batch"), "")
            checks = sum(check.seconds for check in report.checks)
            line = f"{report.seconds:6.1f} s, of them checks {checks:6.1f} s  {learned}  {broken}"
            print(f"{seed} {' '.join(row):62} {report.verdict} {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    first = what.add_parser("ratio")
    first.add_argument("--repeats", type=int, default=5)
    first.add_argument("--steps", type=int, default=3, help="training steps, as many as sanity=quick took")
    second = what.add_parser("matrix")
    second.add_argument("level", choices=["quick", "standard", "full"])
    second.add_argument("--seeds", type=int, nargs="*", default=[0])
    second.add_argument("--only", nargs="*", default=[])
    chosen = parser.parse_args()
    if chosen.what == "ratio":
        ratio(chosen.repeats, chosen.steps)
    else:
        matrix(chosen.level, chosen.seeds, chosen.only)


if __name__ == "__main__":
    main()
