"""Draws docs/forecast.png: memory of a training step over the batch size, forecast, with the memory of some cards.

python scripts/forecast_picture.py
"""

from __future__ import annotations

from pathlib import Path

import aistudio
from aistudio.config.compose import settle
from aistudio.costs.memory import Forecaster
from aistudio.forecast import cards_of, workload
from aistudio.report.figures import COLOURS, GREY, as_png, empty

BACKBONES = ("mobilenet_v3_small", "resnet18", "efficientnet_b0", "resnet50", "efficientnet_b4")
CARDS = ("t4", "rtx_4090", "a100_80")
SIZES = (1, 4, 16, 64, 128, 256, 512, 1024, 2048)
GIB = 2**30


def main() -> None:
    """See the module."""
    figure = empty((9.0, 5.4))
    axes = figure.add_subplot()
    for name, colour in zip(BACKBONES, COLOURS, strict=False):
        for precision, style in (("float32", "-"), ("bfloat16", "--")):
            config = aistudio.compose(f"backbone={name}", f"runtime.precision={precision}")
            forecaster = Forecaster(workload(settle(config), backend="cuda").shapes)
            needed = [forecaster.training(count).bytes / GIB for count in SIZES]
            axes.plot(SIZES, needed, style, color=colour, linewidth=1.4, label=name if style == "-" else None)
    for card in cards_of(aistudio.compose(f"gpu=[{','.join(CARDS)}]")):
        axes.axhline(card.room / GIB, color=GREY, linewidth=0.9, linestyle=":")
        axes.text(1, card.room / GIB * 1.05, card.name.replace("_", " "), fontsize=8, color=GREY)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_ylim(0.03, 128)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("images a step")
    axes.set_ylabel("GiB of tensors at the peak")
    axes.set_title(
        "Memory of a training step, 224 px, Adam: float32 (solid), bfloat16 (dashed)", loc="left", fontsize=11
    )
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        "a lower bound, told from shapes; dotted: what a card has after the margin", fontsize=8, color=GREY
    )
    Path(__file__).parent.parent.joinpath("docs", "forecast.png").write_bytes(as_png(figure))


if __name__ == "__main__":
    main()
