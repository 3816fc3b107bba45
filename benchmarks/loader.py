"""Images a second of labelled data through a DataLoader, against torchvision's datasets with the same transforms.

    python benchmarks/loader.py                   # 96 JPEGs of 500 x 375, in turns, without workers
    python benchmarks/loader.py --workers 2
    python benchmarks/loader.py many              # 100,000 images: seconds to the first batch, and memory

The reference is `torchvision.datasets` (`ImageFolder`; `CocoDetection`, wrapped for transforms v2) in a DataLoader of
the same batch size, float images brought to one size by `torchvision.transforms.v2`. Without workers time is that
of the processor, which others on the machine hardly touch.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import v2

from aistudio.data import Labelled

SIZE, BATCH, CLASSES = 224, 16, 4
REACH = 0.95


def write_images(root: Path, count: int) -> list[Path]:
    """JPEGs with broad shapes and grain, a quarter of them in each class's folder."""
    rng = np.random.default_rng(0)
    paths = []
    for index in range(count):
        path = root / f"class{index % CLASSES}" / f"{index:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        broad = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((500, 375), 3)
        grain = rng.normal(0, 8, (375, 500, 3))
        Image.fromarray((np.asarray(broad) + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return paths


def write_coco(root: Path, paths: list[Path]) -> Path:
    """Eight boxes in each image."""
    images = [
        {"id": i, "file_name": str(p.relative_to(root)), "width": 500, "height": 375} for i, p in enumerate(paths)
    ]
    boxes = [(40 * k + 5, 30 * k + 5, 60, 50) for k in range(8)]
    annotations = [
        {"id": 8 * i + k, "image_id": i, "category_id": k % 3 + 1, "bbox": box, "area": 3000, "iscrowd": 0}
        for i in range(len(paths))
        for k, box in enumerate(boxes)
    ]
    categories = [{"id": number, "name": f"thing {number}"} for number in (1, 2, 3)]
    path = root / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


class Letterbox(v2.Transform):
    """Scaled until the longer side fits, and padded to a square."""

    def forward(self, image: Any, target: Any) -> Any:
        """Both together."""
        image, target = v2.Resize(None, max_size=SIZE)(image, target)
        height, width = image.shape[-2:]
        return v2.Pad([0, 0, SIZE - width, SIZE - height])(image, target)


def plain(kind: str, root: Path, file: Path) -> Any:
    """torchvision's dataset."""
    floats = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    if kind == "classification":
        return datasets.ImageFolder(str(root), v2.Compose([*floats, v2.Resize(SIZE), v2.CenterCrop(SIZE)]))
    coco = datasets.CocoDetection(str(root), str(file), transforms=v2.Compose([*floats, Letterbox()]))
    return datasets.wrap_dataset_for_transforms_v2(coco, target_keys=("boxes", "labels"))


def ours(kind: str, root: Path, file: Path) -> Any:
    """The same images by `aistudio.data`."""
    if kind == "classification":
        return Labelled(str(root), "image_folder").dataset("train", SIZE)
    return Labelled(str(root), "coco", "object_detection", annotations=file.name).dataset("train", SIZE)


def seconds(dataset: Any, workers: int) -> float:
    """One pass over a dataset."""
    clock = time.perf_counter if workers else time.process_time
    started = clock()
    loader: Iterable[Any] = DataLoader(dataset, BATCH, num_workers=workers, collate_fn=list)
    seen = sum(len(batch) for batch in loader)
    assert seen == len(dataset)
    return clock() - started


def compare(workers: int, count: int, rounds: int) -> None:
    """Print images a second of both, and ours as a share of torchvision's, taken in turns."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        file = write_coco(root, write_images(root, count))
        for kind in ("classification", "object_detection"):
            made: list[Callable[..., Any]] = [plain, ours]
            both = [make(kind, root, file) for make in made]
            for one in both:
                seconds(one, workers)
            times = [[seconds(one, workers) for one in both] for _ in range(rounds)]
            ratios = sorted(reference / own for reference, own in times)
            rates = [count / statistics.median(column) for column in zip(*times, strict=True)]
            print(
                f"{kind:<17} torchvision {rates[0]:.0f} images/s, aistudio {rates[1]:.0f} images/s: "
                f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.2f} to {ratios[-1]:.2f}); reach {REACH}"
            )


def many(count: int) -> None:
    """Print how long the first batch of very many files takes, and what the process holds after it and after a pass."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = write_images(root / "one", 1)[0]
        with Image.open(first) as image:
            image.resize((32, 32)).save(first)
        small = first.read_bytes()
        for index in range(count):
            path = root / "set" / f"class{index % CLASSES}" / f"{index:06}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(small)
        started, before = time.perf_counter(), held()
        dataset = Labelled(str(root / "set"), "image_folder").dataset("train", 32)
        loader = iter(DataLoader(dataset, BATCH, collate_fn=list))
        next(loader)
        print(
            f"{count:,} files: {time.perf_counter() - started:.1f} s to the first batch, {held() - before:.0f} MB more"
        )
        marks = {round(share * count / BATCH): share for share in (0.1, 0.5, 1.0)}
        for index, _ in enumerate(loader, 2):
            if index in marks:
                print(f"  after {marks[index]:.0%} of a pass: {held() - before:.0f} MB more than before")


def held() -> float:
    """The most that the process has held so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="compare", choices=["compare", "many"])
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "many":
        many(given.files)
    else:
        compare(given.workers, given.images, given.rounds)


if __name__ == "__main__":
    main()
