"""What the wrapper costs: forward against torchvision's own features, forward_multiscale against forward.

Prints one line a backbone: medians over interleaved rounds of ratios of single calls (batch 1, eval mode, one thread),
so that a busy machine slows both sides alike. The last column, plain against itself, is the noise of the machine.
    python benchmarks/backbones.py --rounds 40 resnet18 mobilenet_v3_small
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision import models

from aistudio.models.backbone import BackboneWrapper

NAMES = [
    *(f"resnet{depth}" for depth in (18, 34, 50, 101)),
    *(f"efficientnet_b{size}" for size in range(5)),
    "mobilenet_v3_small",
    "mobilenet_v3_large",
]


def plain_features(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """Torchvision's features as its own forward writes them, without pooling and classifier."""
    if hasattr(model, "features"):
        return model.features

    def resnet(x: Tensor) -> Tensor:
        x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
        return model.layer4(model.layer3(model.layer2(model.layer1(x))))

    return resnet


def seconds(call: Callable[[Tensor], object], x: Tensor) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call(x)
    return time.perf_counter() - start


def ratios(name: str, size: int, rounds: int) -> tuple[float, float, float, float]:
    """Median ratios: wrapper to plain, multiscale to forward, plain to itself; and plain's median in milliseconds."""
    model = models.get_model(name, weights=None).eval()
    wrapper = BackboneWrapper(model, name).eval()
    plain, x = plain_features(model), torch.randn(1, 3, size, size)
    calls = [plain, wrapper, wrapper.forward_multiscale, lambda x: plain(x)]
    forward, multiscale, noise, base = [], [], [], []
    with torch.inference_mode():
        for round_ in range(rounds + 3):  # the first three warm up
            order = calls[round_ % 4 :] + calls[: round_ % 4]  # nobody is always first
            took = {id(call): seconds(call, x) for call in order}
            if round_ >= 3:
                base.append(took[id(plain)])
                forward.append(took[id(wrapper)] / base[-1])
                multiscale.append(took[id(calls[2])] / took[id(wrapper)])
                noise.append(took[id(calls[3])] / base[-1])
    forward, multiscale, noise, base = map(statistics.median, (forward, multiscale, noise, base))
    return forward, multiscale, noise, 1000 * base


def main() -> None:
    """One line a backbone, and the worst and the median of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    print(f"{'backbone':20} forward/plain  multiscale/forward  plain/plain  plain ms   (limits 1.01, 1.02)")
    for name in options.names:
        rows.append(ratios(name, options.size, options.rounds))
        print(
            f"{name:20} {rows[-1][0]:13.3f}  {rows[-1][1]:18.3f}  {rows[-1][2]:11.3f}  {rows[-1][3]:8.1f}", flush=True
        )
    for name, summary in (("median", statistics.median), ("worst", max)):
        forward, multiscale, noise = (summary(row[column] for row in rows) for column in range(3))
        print(f"{name:20} {forward:13.3f}  {multiscale:18.3f}  {noise:11.3f}")


if __name__ == "__main__":
    main()
