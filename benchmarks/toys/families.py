"""Twenty families of pairs of rotated boxes: the easy ones, and every kind that is known to break an IoU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Pairs = tuple[Tensor, Tensor]


def boxes(n: int, g: torch.Generator, low: float = 1, high: float = 60, turn: float = 360) -> Tensor:
    """n boxes (n, 5) with centres in [0, 50)², sizes even in the logarithm, angles in ±turn."""
    u = torch.rand(n, 5, generator=g, dtype=torch.float64)
    size = low * (high / low) ** u[:, 2:4]
    return torch.cat((u[:, :2] * 50, size, (2 * u[:, 4:] - 1) * turn), 1)


def beside(a: Tensor, g: torch.Generator, shift: float = 0.5, turn: float = 360) -> Tensor:
    """A box near each of a: moved by a share of its size, resized by up to 2, turned by up to turn."""
    u = torch.rand(a.shape, generator=g, dtype=torch.float64) * 2 - 1
    moved = a.clone()
    moved[:, :2] += u[:, :2] * shift * a[:, 2:4]
    moved[:, 2:4] *= 2 ** u[:, 2:4]
    moved[:, 4] += u[:, 4] * turn
    return moved


def _thin(aspect: float) -> Callable[[int, torch.Generator], Pairs]:
    """Pairs that overlap although thin: moved along their length, and turned by no more than their slimness."""

    def family(n: int, g: torch.Generator) -> Pairs:
        a = boxes(n, g, low=20, high=60)
        a[:, 3] = a[:, 2] / aspect
        u = torch.rand(n, 3, generator=g, dtype=torch.float64) - 0.5
        b = a.clone()
        radians = torch.deg2rad(a[:, 4])
        b[:, 0] += a[:, 2] * u[:, 0] * radians.cos() + a[:, 3] * u[:, 1] * radians.sin()
        b[:, 1] += -a[:, 2] * u[:, 0] * radians.sin() + a[:, 3] * u[:, 1] * radians.cos()
        b[:, 4] += torch.rad2deg(u[:, 2] / aspect)
        return a, b

    return family


def _scaled(factor: float) -> Callable[[int, torch.Generator], Pairs]:
    def family(n: int, g: torch.Generator) -> Pairs:
        a = boxes(n, g)
        b = beside(a, g)
        a[:, :4] *= factor
        b[:, :4] *= factor
        return a, b

    return family


def _far(offset: float) -> Callable[[int, torch.Generator], Pairs]:
    def family(n: int, g: torch.Generator) -> Pairs:
        a = boxes(n, g)
        a[:, :2] += offset
        return a, beside(a, g)

    return family


def _renamed(*, swap: bool, turn: float) -> Callable[[int, torch.Generator], Pairs]:
    def family(n: int, g: torch.Generator) -> Pairs:
        a = boxes(n, g, turn=90)
        a[:, 4] = (a[:, 4] * 8).round() / 8  # eighths of a degree: the other name is exact in float32 too
        b = a[:, [0, 1, 3, 2, 4]] if swap else a.clone()
        b[:, 4] += turn
        return a, b

    return family


def _grid(step: float) -> Callable[[int, torch.Generator], Pairs]:
    def family(n: int, g: torch.Generator) -> Pairs:
        def draw() -> Tensor:
            whole = torch.randint(1, 9, (n, 5), generator=g).double()
            whole[:, 4] = torch.randint(-8, 9, (n,), generator=g) * step
            return whole

        return draw(), draw()

    return family


def _sharing(n: int, g: torch.Generator) -> Pairs:
    """b lies against a along a's own axes: neighbours with a common edge, halves, quarters, common corners."""
    a = boxes(n, g, turn=180)
    u = torch.randint(-2, 3, (n, 2), generator=g).double() / 2
    radians = torch.deg2rad(a[:, 4])
    cos, sin = radians.cos(), radians.sin()
    x, y = u[:, 0] * a[:, 2], u[:, 1] * a[:, 3]
    b = a.clone()
    b[:, 0] += x * cos + y * sin
    b[:, 1] += -x * sin + y * cos
    return a, b


def _crossing(n: int, g: torch.Generator) -> Pairs:
    a = boxes(n, g)
    b = a.clone()
    b[:, 4] += torch.rand(n, generator=g, dtype=torch.float64) * 180
    return a, b


def _nested(n: int, g: torch.Generator) -> Pairs:
    a = boxes(n, g)
    b = beside(a, g, shift=0.05)
    b[:, 2:4] *= 0.1
    return a, b


def _nearly(n: int, g: torch.Generator) -> Pairs:
    a = boxes(n, g)
    return a, a + 1e-4 * torch.randn(n, 5, generator=g, dtype=torch.float64)


def _mixed(n: int, g: torch.Generator) -> Pairs:
    return boxes(n, g, low=1e-2, high=1e3), boxes(n, g, low=1e-2, high=1e3)


FAMILIES: dict[str, Callable[[int, torch.Generator], Pairs]] = {
    "random": lambda n, g: (boxes(n, g), boxes(n, g)),
    "overlapping": lambda n, g: (a := boxes(n, g), beside(a, g)),
    "crossing": _crossing,
    "nested": _nested,
    "mixed sizes, 1 : 100,000": _mixed,
    "nearly equal": _nearly,
    "equal": _renamed(swap=False, turn=0),
    "equal, + 180": _renamed(swap=False, turn=180),
    "equal, - 360": _renamed(swap=False, turn=-360),
    "equal, swapped, + 90": _renamed(swap=True, turn=90),
    "equal, swapped, - 90": _renamed(swap=True, turn=-90),
    "edge-sharing": _sharing,
    "integer grid, upright": _grid(90),
    "integer grid, 45 degrees": _grid(45),
    "tiny, 1e-6": _scaled(1e-6),
    "huge, 1e6": _scaled(1e6),
    "far, 1e4": _far(1e4),
    "thin, 1 : 20": _thin(20),
    "thin, 1 : 100": _thin(100),
    "extremely thin, 1 : 10,000": _thin(10_000),
}


def pairs(family: str, n: int, seed: int = 0) -> Pairs:
    """n pairs of a family, rounded to float32 so that every implementation sees the very same boxes."""
    a, b = FAMILIES[family](n, torch.Generator().manual_seed(seed))
    return a.float(), b.float()


def detector_like(count: int, objects: int, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (count, 5), scores and labels as a detector gives them before suppression: bundles round objects."""
    truth = torch.rand(objects, 5, generator=g) * torch.tensor([800.0, 800, 80, 30, 180])
    truth += torch.tensor([0.0, 0, 20, 10, -90])
    owner = torch.randint(0, objects, (count,), generator=g)
    noise = torch.randn(count, 5, generator=g) * torch.tensor([4.0, 4, 5, 3, 6])
    found = truth[owner] + noise
    found[:, 2:4] = found[:, 2:4].clamp(min=2)
    return found, torch.rand(count, generator=g), torch.randint(0, 5, (objects,), generator=g)[owner]
