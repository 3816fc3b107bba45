"""Does the rotated detector learn, rather than memorise? Train on 400 toy images, test on 60 it has not seen.

    python benchmarks/learn_oriented.py              # about four minutes on one core; --seed 1 for another run

The images (128 px) hold one to four bars of three classes, 1 to 5 times as long as wide, at any angle. The network
is a ResNet-18 with a pyramid of 64 channels, from random weights. Images are turned by quarters and mirrored, which
no pixel is lost by.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor
from toys.detection import small_detector, toy_images

from aistudio.oriented import rotated_mean_average_precision

BATCH = 8


def turned(image: Tensor, target: dict[str, Tensor], generator: torch.Generator) -> tuple[Tensor, dict]:
    """A square image and its boxes, perhaps mirrored and turned by some quarters counter-clockwise."""
    side, boxes = image.shape[-1], target["boxes"].clone()
    mirror, quarters = torch.randint(0, 2, (), generator=generator), torch.randint(0, 4, (), generator=generator)
    if mirror:
        image = image.flip(-1)
        boxes[:, 0] = side - boxes[:, 0]
        boxes[:, 4] = 180 - boxes[:, 4]
    for _ in range(int(quarters)):
        x, y = boxes[:, 0].clone(), boxes[:, 1].clone()
        boxes[:, 0], boxes[:, 1], boxes[:, 4] = y, side - x, boxes[:, 4] + 90
    return image.rot90(int(quarters), (1, 2)), {**target, "boxes": boxes}


def train(
    model: torch.nn.Module, images: list[Tensor], targets: list[dict], epochs: int, rate: float, seed: int
) -> None:
    """AdamW with one rise and fall of the learning rate; prints the mean losses of every epoch."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
    for epoch in range(epochs):
        seen: dict[str, float] = {}
        for chosen in torch.randperm(len(images), generator=generator).split(BATCH):
            batch = [turned(images[i], targets[i], generator) for i in chosen.tolist()]
            losses = model([image for image, _ in batch], [target for _, target in batch])
            optimiser.zero_grad()
            sum(losses.values()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimiser.step()
            schedule.step()
            for name, loss in losses.items():
                seen[name] = seen.get(name, 0.0) + loss.item() * BATCH / len(images)
        print(f"epoch {epoch + 1:2}  " + "  ".join(f"{name} {value:.3f}" for name, value in seen.items()), flush=True)


def main() -> None:
    """Train, test, print the average precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rate", type=float, default=1e-3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start, work = time.perf_counter(), time.process_time()
    images, targets = toy_images(400, seed=1)
    model = small_detector(seed=arguments.seed).train()
    train(model, images, targets, arguments.epochs, arguments.rate, arguments.seed)
    images, targets = toy_images(60, seed=2)
    with torch.no_grad():
        found = [model.eval()([image])[0] for image in images]
    result = rotated_mean_average_precision(found, targets)
    old = rotated_mean_average_precision(found, targets, interpolation="11 points")
    print(
        f"AP50 {result['map_50']:.3f}  AP75 {result['map_75']:.3f}  AP50:95 {result['map']:.3f}  (11 points: AP50 "
        f"{old['map_50']:.3f}, AP75 {old['map_75']:.3f})  in {time.perf_counter() - start:.0f} s, "
        f"{time.process_time() - work:.0f} s of one core"
    )


if __name__ == "__main__":
    main()
