"""The IoU against half-plane clipping in float64, on every family that is known to break one."""

import math

import pytest
import torch
from toys.clipping import reference_iou
from toys.families import FAMILIES, pairs

from aistudio.oriented import rotated_iou, rotated_iou_matrix

EXTREME = "extremely thin, 1 : 10,000"


def largest_error(iou, family, n=300):
    """Largest distance from the reference; infinite if a value is NaN or outside [0, 1]."""
    a, b = pairs(family, n)
    value = iou(a, b)
    legal = ((value >= 0) & (value <= 1)).all()
    return (value - reference_iou(a, b)).abs().max().item() if legal else math.inf


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_exact(family):
    assert largest_error(rotated_iou, family) <= (1e-3 if family == EXTREME else 1e-5)
    assert largest_error(lambda a, b: rotated_iou(a.double(), b.double()), family) <= 1e-9


def clockwise(a, b):
    flip = torch.tensor([1, 1, 1, 1, -1.0])
    return rotated_iou(a * flip, b * flip)


def upright(a, b):
    straight = torch.tensor([1, 1, 1, 1, 0.0])
    return rotated_iou(a * straight, b * straight)


def radians_first(a, b):
    """What happens when the large angle is rounded before the difference is taken."""
    rounded = (a[:, 4].deg2rad().half().float()).rad2deg()
    return rotated_iou(torch.cat((a[:, :4], rounded[:, None]), 1), b)


def not_clamped(a, b):
    return rotated_iou(a, b) * 1.00001


def nan_without_overlap(a, b):
    iou = rotated_iou(a, b)
    return torch.where(iou > 0, iou, torch.nan)


@pytest.mark.parametrize("broken", [clockwise, upright, radians_first, not_clamped, nan_without_overlap])
def test_the_families_catch_a_broken_iou(broken):
    assert max(largest_error(broken, family) for family in FAMILIES if family != EXTREME) > 1e-5


def test_cases_worked_by_hand():
    square = torch.tensor([0.0, 0, 2, 2, 0])
    octagon = 8 * (math.sqrt(2) - 1) * 1.0  # a square of side 2 and itself turned by 45°
    cases = {
        (1.0, 0, 2, 2, 0): 2 / 6,
        (0.0, 0, 2, 2, 45): octagon / (8 - octagon),
        (2.0, 0, 2, 2, 90): 0.0,
        (0.0, 0, 4, 1, 0): 2 / 6,
        (0.0, 0, 0, 2, 30): 0.0,
    }
    for box, expected in cases.items():
        assert rotated_iou(square, torch.tensor(box)).item() == pytest.approx(expected, abs=1e-6)
    assert rotated_iou(torch.zeros(5), torch.zeros(5)).item() == 0.0


def test_no_size_overflows():
    for size in (1e-30, 1e-18, 1e18, 1e30):
        a = torch.tensor([0, 0, 2 * size, size, 20.0])
        assert rotated_iou(a, a).item() == 1.0
        assert rotated_iou(a, torch.tensor([0.0, 0, 1, 1, 0])).isfinite()


def test_boxes_that_do_not_meet_have_exactly_nothing_in_common():
    for family in ("random", "mixed sizes, 1 : 100,000", "integer grid, 45 degrees", "far, 1e4"):
        a, b = pairs(family, 2000)
        apart = reference_iou(a, b) == 0
        assert apart.any() and (rotated_iou(a, b)[apart] == 0).all(), family


def test_gradients():
    a, b = (boxes.double()[:40].requires_grad_() for boxes in pairs("overlapping", 40))
    assert torch.autograd.gradcheck(rotated_iou, (a, b))
    for family in ("equal", "integer grid, upright", "edge-sharing", "equal, swapped, + 90"):
        a, b = (boxes.requires_grad_() for boxes in pairs(family, 50))
        rotated_iou(a, b).sum().backward()
        assert a.grad.isfinite().all() and b.grad.isfinite().all(), family


def test_the_loss_pulls_apart_from_nothing_but_the_boxes():
    a = torch.tensor([10.0, 10, 8, 4, 10], requires_grad=True)
    b = torch.tensor([12.0, 10, 8, 4, 10])
    rotated_iou(a, b).backward()
    assert a.grad[0] > 0, "moving towards b must raise the IoU"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_lesser_types_are_computed_in_float32(dtype):
    a, b = (boxes.to(dtype) for boxes in pairs("integer grid, 45 degrees", 100))
    assert rotated_iou(a, b).dtype == torch.float32
    assert torch.equal(rotated_iou(a, b), rotated_iou(a.float(), b.float()))


def test_shapes_broadcast_and_the_matrix_holds_the_pairs():
    a, b = pairs("overlapping", 300)
    full = rotated_iou_matrix(a, b)  # more than one chunk
    assert full.shape == (300, 300) and torch.equal(full.diagonal(), rotated_iou(a, b))
    batched = rotated_iou_matrix(a.reshape(2, 150, 5), b.reshape(2, 150, 5))
    assert torch.equal(batched[1], full[150:, 150:])
    assert torch.equal(rotated_iou_matrix(a[None, :200], b.reshape(2, 150, 5))[1], full[:200, 150:])
    assert rotated_iou(a[:3, None, None], b[None, :4, None]).shape == (3, 4, 1)
    assert rotated_iou_matrix(a[:0], b).shape == (0, 300) and rotated_iou_matrix(a, b[:0]).shape == (300, 0)


def test_it_does_not_depend_on_where_the_pair_lies():
    a, b = pairs("integer grid, 45 degrees", 200)
    shift = torch.tensor([1024.0, -512, 0, 0, 0])
    assert torch.allclose(rotated_iou(a + shift, b + shift), rotated_iou(a, b), atol=1e-6)
    assert torch.allclose(rotated_iou(b, a), rotated_iou(a, b), atol=1e-6)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("function", [rotated_iou, rotated_iou_matrix])
def test_it_compiles_in_one_graph(function):
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    a, b = pairs("overlapping", 150)
    a.requires_grad_()
    assert torch.allclose(compiled(a, b), function(a, b), atol=1e-6)
    compiled(a, b).sum().backward()
    assert a.grad.isfinite().all()
