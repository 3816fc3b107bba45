"""Average precision, against cases worked by hand."""

import math

import pytest
import torch

from aistudio.oriented import rotated_mean_average_precision
from aistudio.oriented.mean_average_precision import average_precision

A, B, C = [20.0, 20, 20, 10, 30], [60.0, 20, 20, 10, -45], [20.0, 60, 20, 10, 90]
NOTHING = [200.0, 200, 20, 10, 0]


def found(*boxes, scores, labels=None):
    labels = torch.ones(len(boxes), dtype=torch.int64) if labels is None else torch.tensor(labels)
    return {"boxes": torch.tensor(boxes).reshape(-1, 5), "scores": torch.tensor(scores), "labels": labels}


def true(*boxes, labels=None, difficult=None):
    labels = torch.ones(len(boxes), dtype=torch.int64) if labels is None else torch.tensor(labels)
    target = {"boxes": torch.tensor(boxes).reshape(-1, 5), "labels": labels}
    return target if difficult is None else {**target, "difficult": torch.tensor(difficult)}


def ap50(predictions, targets, **settings):
    return rotated_mean_average_precision(predictions, targets, **settings)["map_50"]


def test_hit_false_hit():
    """Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1."""
    predictions, targets = [found(A, NOTHING, B, scores=[0.9, 0.8, 0.7])], [true(A, B)]
    assert ap50(predictions, targets) == pytest.approx((1 + 2 / 3) / 2)
    assert ap50(predictions, targets, interpolation="11 points") == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)
    wrong_order = [found(A, NOTHING, B, scores=[0.7, 0.8, 0.9])]
    assert ap50(wrong_order, targets) == pytest.approx((1 + 2 / 3) / 2)
    assert ap50([found(NOTHING, A, B, scores=[0.9, 0.8, 0.7])], targets) == pytest.approx(2 / 3)


def test_perfect_empty_and_missing():
    assert ap50([found(A, B, scores=[0.5, 0.4])], [true(A, B)]) == 1.0
    assert ap50([found(scores=[])], [true(A, B)]) == 0.0
    assert ap50([found(scores=[])], [true(A, B)], interpolation="11 points") == 0.0
    assert ap50([found(A, scores=[0.5])], [true(A, B)]) == 0.5
    assert math.isnan(ap50([found(A, scores=[0.5])], [true()]))
    assert math.isnan(ap50([], []))


def test_the_name_of_a_box_does_not_matter():
    renamed = [20.0, 20, 10, 20, 120]
    assert rotated_mean_average_precision([found(renamed, scores=[0.5])], [true(A)])["map"] == 1.0
    assert ap50([found([20.0, 20, 20, 10, 120], scores=[0.5])], [true(A)]) == 0.0


def test_only_the_first_on_a_box_counts():
    """Hit, duplicate (false), hit: as if the duplicate had hit nothing."""
    predictions = [found(A, A, B, scores=[0.9, 0.8, 0.7])]
    assert ap50(predictions, [true(A, B)]) == pytest.approx((1 + 2 / 3) / 2)


def test_images_are_ranked_together_but_matched_apart():
    predictions = [found(A, scores=[0.6]), found(A, scores=[0.9])]
    assert ap50(predictions, [true(A), true(B)]) == pytest.approx(0.5 / 2)
    assert ap50(predictions, [true(A), true()]) == pytest.approx(0.5)


def test_difficult_boxes_neither_help_nor_hurt():
    targets = [true(A, B, difficult=[False, True])]
    assert ap50([found(B, B, A, scores=[0.9, 0.8, 0.7])], targets) == 1.0
    assert ap50([found(B, B, A, scores=[0.9, 0.8, 0.7])], [true(A, B)]) < 1.0
    assert ap50([found(scores=[])], targets) == 0.0
    assert math.isnan(ap50([found(B, scores=[0.9])], [true(B, difficult=[True])]))


def test_classes_are_averaged():
    predictions = [found(A, B, scores=[0.9, 0.8], labels=[1, 3])]
    result = rotated_mean_average_precision(predictions, [true(A, B, labels=[1, 2])])
    assert result["map_50"] == 0.5 and result["per_class"] == {1: 1.0, 2: 0.0}


def test_thresholds():
    """A box moved by a fifth of its length along its length has IoU .8 / 1.2 = .667: a hit at .50 … .65."""
    moved = [60.0 + 4, 20, 20, 10, 0]
    result = rotated_mean_average_precision([found(moved, scores=[0.9])], [true([60.0, 20, 20, 10, 0])])
    assert [result[f"map_{t}"] for t in (50, 55, 60, 65, 70, 75, 95)] == [1, 1, 1, 1, 0, 0, 0]
    assert result["map"] == pytest.approx(0.4)


def test_the_curve_by_hand():
    """Hits 1 0 1 0 0 1 of 4: precision 1, 2/3, 1/2 at recall 1/4, 2/4, 3/4; a quarter is never reached."""
    hits = torch.tensor([1, 0, 1, 0, 0, 1]).bool()
    assert average_precision(hits, 4).item() == pytest.approx((1 + 2 / 3 + 1 / 2) / 4)
    assert average_precision(hits, 4, "11 points").item() == pytest.approx((3 * 1 + 3 * 2 / 3 + 2 * 1 / 2) / 11)


def test_calls_that_cannot_be_right_are_refused():
    with pytest.raises(ValueError, match="1 predictions but 2 targets"):
        rotated_mean_average_precision([found(scores=[])], [true(), true()])
    with pytest.raises(ValueError, match="'area' or '11 points'"):
        rotated_mean_average_precision([], [], interpolation="101 points")
