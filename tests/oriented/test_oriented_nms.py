"""Suppression against the greedy loop, in many settings."""

import pytest
import torch
from torchvision.ops import box_iou
from toys.families import detector_like, pairs
from toys.greedy import greedy_nms

from aistudio.oriented import boxes_to_corners, rotated_nms


def hull_iou(a, b):
    """What one gets from suppressing upright hulls instead."""

    def hull(boxes):
        corners = boxes_to_corners(boxes).reshape(-1, 4, 2)
        return torch.cat((corners.amin(1), corners.amax(1)), dim=1)

    return box_iou(hull(a), hull(b))


@pytest.mark.sampled(8)
@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("objects", [1, 30, 300])
def test_it_equals_the_greedy_loop(objects, threshold):
    boxes, scores, labels = detector_like(700, objects, torch.Generator().manual_seed(objects))
    kept = rotated_nms(boxes, scores, threshold, labels)
    assert torch.equal(kept, greedy_nms(boxes, scores, threshold, labels))
    assert torch.equal(rotated_nms(boxes, scores, threshold), greedy_nms(boxes, scores, threshold, labels * 0))


def test_ties_keep_the_order():
    boxes, scores, labels = detector_like(600, 40, torch.Generator().manual_seed(0))
    scores = (scores * 4).round() / 4
    assert torch.equal(rotated_nms(boxes, scores, 0.3, labels), greedy_nms(boxes, scores, 0.3, labels))


@pytest.mark.parametrize("family", ["equal, swapped, + 90", "edge-sharing", "tiny, 1e-6", "huge, 1e6", "thin, 1 : 100"])
def test_odd_boxes(family):
    boxes = torch.cat(pairs(family, 150))
    scores = torch.rand(300, generator=torch.Generator().manual_seed(0))
    for threshold in (0.1, 0.5):
        labels = torch.zeros(300, dtype=torch.int64)
        assert torch.equal(rotated_nms(boxes, scores, threshold), greedy_nms(boxes, scores, threshold, labels))


def test_negative_places_and_labels_far_apart():
    boxes, scores, labels = detector_like(400, 30, torch.Generator().manual_seed(0))
    boxes[:, :2] -= 2000
    labels = labels * 100_000 - 7
    assert torch.equal(rotated_nms(boxes, scores, 0.3, labels), greedy_nms(boxes, scores, 0.3, labels))


def test_a_chain_is_settled_in_order():
    """Each box overlaps the next only: every second one stays, for a chain longer than a block."""
    boxes = torch.tensor([[4.0 * i, 0, 10, 10, 0] for i in range(600)])
    scores = torch.linspace(1, 0.1, 600)
    assert torch.equal(rotated_nms(boxes, scores, 0.3), torch.arange(0, 600, 2))


def test_nothing_and_one():
    assert rotated_nms(torch.zeros(0, 5), torch.zeros(0), 0.5).shape == (0,)
    assert rotated_nms(torch.ones(1, 5), torch.ones(1), 0.5).tolist() == [0]
    assert rotated_nms(torch.zeros(3, 5), torch.ones(3), 0.5).tolist() == [0, 1, 2], "boxes without area"


def test_the_comparison_sees_a_wrong_suppression():
    boxes, scores, labels = detector_like(700, 30, torch.Generator().manual_seed(1))
    kept = rotated_nms(boxes, scores, 0.3, labels)
    assert not torch.equal(kept, greedy_nms(boxes, scores, 0.3, labels, hull_iou))
    assert not torch.equal(kept, greedy_nms(boxes, scores, 0.3, labels * 0))
