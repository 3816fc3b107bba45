"""The convention, the canonical form, and the way to other conventions."""

import math

import pytest
import torch
from torchvision.transforms.v2 import functional as F
from torchvision.tv_tensors import BoundingBoxFormat
from toys.families import boxes as draw

from aistudio.oriented import (
    boxes_from_mmrotate,
    boxes_to_corners,
    boxes_to_mmrotate,
    canonical_boxes,
    corners_to_boxes,
    resize_boxes,
    rotated_iou,
)
from aistudio.oriented.boxes import wrap_angle

BOXES = draw(200, torch.Generator().manual_seed(0), turn=720)


def other_names(boxes):
    """The names that a box goes by besides the given one."""
    swapped = boxes[:, [0, 1, 3, 2, 4]]
    turns = [boxes.new_tensor([0, 0, 0, 0, turn]) for turn in (90, -90, 180, -180, 360)]
    return [swapped + turns[0], swapped + turns[1], boxes + turns[2], boxes + turns[3], boxes + turns[4]]


def same_rectangle(a, b, tolerance=1e-9):
    return bool((rotated_iou(a, b) > 1 - tolerance).all())


def test_the_worked_example():
    corners = boxes_to_corners(torch.tensor([50.0, 50, 40, 10, 30])).reshape(4, 2)
    right_end = (corners[1] + corners[2]) / 2
    assert torch.allclose(right_end, torch.tensor([67.3205, 40.0]), atol=1e-3)
    clockwise = boxes_to_corners(torch.tensor([50.0, 50, 40, 10, -30])).reshape(4, 2)
    assert ((clockwise[1] + clockwise[2]) / 2)[1] > 50, "the wrong direction must look different"


def test_canonical_names_are_in_range_and_unique():
    named = canonical_boxes(BOXES)
    assert (named[:, 2] >= named[:, 3]).all() and (named[:, 4] >= -90).all() and (named[:, 4] < 90).all()
    assert same_rectangle(named, BOXES)
    for other in other_names(BOXES):
        assert torch.allclose(canonical_boxes(other), named, atol=1e-9)
        assert not torch.allclose(other, named, atol=1e-9)


def test_a_square_has_one_name_too():
    square = torch.tensor([[5.0, 5, 3, 3, angle] for angle in (-80, 10, 100, 190)])
    assert torch.equal(canonical_boxes(square), square[1].expand(4, 5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wrapping_never_reaches_the_upper_end(dtype):
    angles = torch.tensor([-90 - 1e-5, -90 - 1e-9, -1e-30, 90, 90 - 1e-6, 270, 1e6, -90], dtype=dtype)
    wrapped = wrap_angle(angles, -90, 180)
    assert (wrapped >= -90).all() and (wrapped < 90).all()
    assert not (torch.remainder(angles.float() + 90, 180) - 90 < 90).all(), "the plain remainder does reach it"


def test_corners_agree_with_torchvision_and_come_back():
    corners = boxes_to_corners(BOXES)
    theirs = F.convert_bounding_box_format(
        BOXES, old_format=BoundingBoxFormat.CXCYWHR, new_format=BoundingBoxFormat.XYXYXYXY
    )
    assert torch.allclose(corners, theirs, atol=1e-4)
    assert torch.allclose(corners_to_boxes(corners), canonical_boxes(BOXES), atol=1e-9)
    backwards = corners.reshape(-1, 4, 2).flip(1).reshape(-1, 8)
    assert torch.allclose(corners_to_boxes(backwards), canonical_boxes(BOXES), atol=1e-9)


def test_corners_that_are_no_rectangle_keep_the_area():
    leaning = torch.tensor([0.0, 0, 10, 0, 12, 4, 2, 4])
    assert torch.allclose(corners_to_boxes(leaning), torch.tensor([6.0, 2, 10, 4, 0]))
    assert torch.equal(corners_to_boxes(torch.full((8,), 3.0)), torch.tensor([3.0, 3, 0, 0, 0]))


RANGES = {"le90": (-math.pi / 2, math.pi / 2), "le135": (-math.pi / 4, 3 * math.pi / 4), "oc": (0, math.pi / 2)}


@pytest.mark.parametrize("angle_range", RANGES)
def test_mmrotate_there_and_back(angle_range):
    whole = BOXES.clone()
    whole[::2, 4] = (whole[::2, 4] / 45).round() * 45  # the ends of the intervals
    theirs = boxes_to_mmrotate(whole, angle_range)
    low, high = RANGES[angle_range]
    assert (theirs[:, 4] >= low - 1e-12).all() and (theirs[:, 4] <= high + 1e-12).all()
    assert (theirs[:, 4] > 0).all() if angle_range == "oc" else (theirs[:, 2] >= theirs[:, 3]).all()
    assert same_rectangle(boxes_from_mmrotate(theirs), whole)
    assert not same_rectangle(torch.cat((theirs[:, :4], theirs[:, 4:].rad2deg()), 1), whole, 0.1), "clockwise"


def test_mmrotate_example_and_refusal():
    ours = torch.tensor([50.0, 50, 40, 10, 30])
    assert torch.allclose(boxes_to_mmrotate(ours)[4], torch.tensor(-math.pi / 6))
    assert torch.allclose(boxes_to_mmrotate(ours, "oc"), torch.tensor([50.0, 50, 10, 40, math.pi / 3]))
    with pytest.raises(ValueError, match="'le90', 'le135' or 'oc'"):
        boxes_to_mmrotate(ours, "le180")


def test_resizing_there_and_back():
    slim = BOXES.clone()
    slim[:, 3] = slim[:, 2] / 2  # the long side stays the longer one
    there = resize_boxes(slim, (100, 200), (80, 200))
    assert torch.allclose(resize_boxes(there, (80, 200), (100, 200)), canonical_boxes(slim), atol=1e-9)
    assert torch.allclose(there[:, 2] * there[:, 3], slim[:, 2] * slim[:, 3] * 0.8)
    even = resize_boxes(slim, (100, 200), (50, 100))
    assert torch.allclose(even[:, :4], canonical_boxes(slim)[:, :4] / 2)
    for other in other_names(slim):
        assert torch.allclose(resize_boxes(other, (100, 200), (80, 200)), there, atol=1e-8)
