"""Toy images with rotated bars, and a small detector: what the tests and the learning script train on."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from aistudio.oriented import RotatedFCOS

COLOURS = torch.tensor([[0.9, 0.2, 0.2], [0.2, 0.8, 0.3], [0.25, 0.35, 0.95]])


def toy_picture(
    generator: torch.Generator, size: int = 128, aspect: tuple[float, float] = (1.0, 5.0)
) -> tuple[Tensor, dict]:
    """One image (3, size, size) with one to four bars that do not touch, and its target with labels 1 … 3."""

    def draw(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    image = torch.nn.functional.interpolate(
        torch.rand(1, 3, 4, 4, generator=generator) * 0.4 + 0.2, size=(size, size), mode="bilinear"
    )[0]
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    boxes, labels = [], []
    wanted = int(draw(1, 4.999))
    for _ in range(40):
        if len(boxes) == wanted:
            break
        w = draw(0.18, 0.45) * size
        h = max(w / draw(*aspect), 0.05 * size)
        reach = math.hypot(w, h) / 2
        cx, cy, angle = draw(reach, size - reach), draw(reach, size - reach), draw(-90, 90)
        if any(math.hypot(cx - b[0], cy - b[1]) < reach + math.hypot(b[2], b[3]) / 2 for b in boxes):
            continue
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        across = ((x - cx) * cos - (y - cy) * sin).abs() <= w / 2
        inside = across & (((x - cx) * sin + (y - cy) * cos).abs() <= h / 2)
        label = int(draw(0, 2.999))
        image[:, inside] = COLOURS[label][:, None]
        boxes.append([cx, cy, w, h, angle])
        labels.append(label + 1)
    image = (image + 0.03 * torch.randn(image.shape, generator=generator)).clamp(0, 1)
    return image, {"boxes": torch.tensor(boxes).reshape(-1, 5), "labels": torch.tensor(labels, dtype=torch.int64)}


def toy_images(count: int, seed: int, **settings) -> tuple[list[Tensor], list[dict]]:
    """Images and targets, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    pairs = [toy_picture(generator, **settings) for _ in range(count)]
    return [image for image, _ in pairs], [target for _, target in pairs]


def small_detector(num_classes: int = 4, channels: int = 64, size: int = 128, seed: int = 0, **settings) -> nn.Module:
    """A rotated FCOS on an untrained ResNet-18 with a narrow pyramid."""
    torch.manual_seed(seed)
    layers = {"layer2": "0", "layer3": "1", "layer4": "2"}
    backbone = BackboneWithFPN(
        resnet18(weights=None), layers, [128, 256, 512], channels, LastLevelP6P7(channels, channels)
    )
    return RotatedFCOS(backbone, num_classes, min_size=size, max_size=size, **settings)
