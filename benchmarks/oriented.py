"""Measure aistudio.oriented against a float64 clipping reference and torchvision's kernel, in one run on one thread.

    python benchmarks/oriented.py            # IoU error, pairs per second, NMS, lines: about two minutes
    python benchmarks/oriented.py --train    # and overfitting eight images: one minute more

Times are processor time, the best of several runs: read the ratios. torchvision's kernel needs torchvision 0.29.
"""

from __future__ import annotations

import argparse
import ast
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from torch import Tensor
from toys.clipping import reference_iou
from toys.families import FAMILIES, detector_like, pairs
from toys.greedy import greedy_nms
from toys.overfit import overfit

from aistudio import oriented
from aistudio.oriented import rotated_iou, rotated_iou_matrix, rotated_nms

KERNEL: Callable[[Tensor, Tensor], Tensor] | None = None
if hasattr(torch.ops.torchvision, "box_iou_rotated"):
    KERNEL = torch.ops.torchvision.box_iou_rotated


def best_of(times: int, work: Callable[[], object]) -> float:
    """Processor seconds of the fastest of several runs."""
    work()
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def kernel_pairwise(a: Tensor, b: Tensor) -> Tensor:
    """torchvision's IoU pair by pair: the diagonals of small matrices."""
    parts = zip(a.split(50), b.split(50), strict=True)
    return torch.cat([KERNEL(x, y).diagonal() for x, y in parts])


def print_errors(each: int) -> None:
    """Largest absolute IoU error of each family, ours and torchvision's."""
    print(f"\nIoU error against float64 clipping, {each:,} pairs a family, {each * len(FAMILIES):,} in all, float32")
    print(f"{'family':30} mean IoU   largest   > 1e-5  in [0,1]  torchvision   > 1e-3")
    missed, legal = [], True
    for name in FAMILIES:
        a, b = pairs(name, each)
        truth, ours = reference_iou(a, b), rotated_iou(a, b)
        error = (ours - truth).abs()
        inside = bool(((ours >= 0) & (ours <= 1)).all())  # False for NaN as well
        theirs = (kernel_pairwise(a, b) - truth).abs() if KERNEL else torch.full((1,), torch.nan)
        print(
            f"{name:30} {truth.mean():8.3f} {error.max():9.1e} {(error > 1e-5).double().mean():8.2%} {inside!s:>9} "
            f"{theirs.max():12.1e} {(theirs > 1e-3).double().mean():8.2%}"
        )
        legal &= inside
        missed += [name] if error.max() > 1e-5 else []
    print(f"above 1e-5: {', '.join(missed) or 'none'}; never NaN, never outside [0, 1]: {legal}")


def print_speed() -> None:
    """Pairs per second of the dense matrix, 1000 × 1000."""
    print("\ndense 1000 × 1000 IoU matrix, one thread       ours     torchvision   ratio")
    generator = torch.Generator().manual_seed(0)
    for name, spread in (("all pairs overlap", 1.0), ("half of them", 7.0), ("one in fifty", 60.0)):
        a, b = (torch.rand(1000, 5, generator=generator) for _ in range(2))
        for boxes in (a, b):
            boxes *= torch.tensor([10 * spread, 10 * spread, 20, 20, 360])
            boxes[:, 2:4] += 20
        share = (rotated_iou_matrix(a, b) > 0).double().mean()
        ours = 1 / best_of(7, lambda a=a, b=b: rotated_iou_matrix(a, b))
        theirs = 1 / best_of(7, lambda a=a, b=b: KERNEL(a, b)) if KERNEL else float("nan")
        print(f"  {name:22} ({share:4.0%})      {ours:6.1f} M/s     {theirs:6.1f} M/s     {ours / theirs:5.2f}")


def print_nms() -> None:
    """Milliseconds of NMS on detector-like boxes, against an IoU matrix and a greedy loop."""
    print("\nNMS of detector-like boxes, one thread     ours       torchvision's matrix + greedy   ratio   equal")
    generator = torch.Generator().manual_seed(0)
    for count in (1000, 2000, 5000):
        for objects, threshold in ((count // 50, 0.1), (count // 50, 0.5), (count // 12, 0.5)):
            boxes, scores, labels = detector_like(count, objects, generator)
            ours = best_of(5, lambda a=(boxes, scores, threshold, labels): rotated_nms(*a))
            equal = torch.equal(
                rotated_nms(boxes, scores, threshold, labels), greedy_nms(boxes, scores, threshold, labels)
            )
            start = time.process_time()
            greedy_nms(boxes, scores, threshold, labels, KERNEL or rotated_iou_matrix)
            theirs = time.process_time() - start
            print(
                f"  {count} boxes, {objects:3} objects, IoU {threshold}   {ours * 1e3:6.1f} ms   "
                f"{theirs * 1e3:12.0f} ms   {theirs / ours:16.0f}   {equal}"
            )


def code_lines(path: Path) -> int:
    """Lines of a file that are neither blank, nor comment, nor docstring."""
    text = path.read_text()
    lines = {n for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.strip().startswith("#")}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def print_lines() -> None:
    """Lines of every file of the package."""
    counts = {path.name: code_lines(path) for path in sorted(Path(oriented.__file__).parent.glob("*.py"))}
    print(f"\nlines, docstrings left out: {sum(counts.values())}")
    print("  " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def print_overfit() -> None:
    """Overfit eight images with a ResNet-18."""
    start = time.process_time()
    result = overfit(count=8, steps=90)
    print(f"\noverfitting 8 images, 128 px, ResNet-18: {result} in {time.process_time() - start:.0f} s of one core")


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5000, help="pairs in each of the twenty families")
    parser.add_argument("--train", action="store_true", help="also overfit eight images")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, one thread, CPU")
    print_errors(arguments.pairs)
    print_speed()
    print_nms()
    print_lines()
    if arguments.train:
        print_overfit()


if __name__ == "__main__":
    main()
