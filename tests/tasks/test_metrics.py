"""The tasks' metrics: against cases worked by hand, against scikit-learn and torchmetrics, and through the tasks."""

import math

import pytest
import torch
from perfect_outputs import perfect_output
from torch import nn

from aistudio.data.synthetic import Synthetic
from aistudio.tasks import metrics
from aistudio.tasks.anomaly_detection import AnomalyDetection
from aistudio.tasks.batch import make_batch
from aistudio.tasks.classification import Classification
from aistudio.tasks.instance_segmentation import InstanceSegmentation
from aistudio.tasks.object_detection import ObjectDetection
from aistudio.tasks.oriented_object_detection import OrientedObjectDetection
from aistudio.tasks.regression import Regression
from aistudio.tasks.segmentation import Segmentation


def random(*shape, seed=0, classes=None):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(shape, generator=generator)
        if classes is None
        else torch.randint(classes, shape, generator=generator)
    )


# ---- by hand ----


def test_accuracy_by_hand():
    logits = torch.tensor([[0.1, 0.2], [3.0, 1.0], [0.0, 5.0], [1.0, 0.0]])
    assert metrics.accuracy(logits, torch.tensor([1, 0, 0, 1])) == 0.5


def test_area_under_roc_by_hand():
    """Of the six pairs four are in order, one is a tie."""
    scores, positive = torch.tensor([0.9, 0.5, 0.2, 0.5, 0.1]), torch.tensor([1, 1, 0, 0, 1]).bool()
    assert metrics.area_under_roc(scores, positive) == pytest.approx((2 + 1.5 + 0) / 6)
    assert metrics.area_under_roc(scores, ~positive) == pytest.approx(1 - 3.5 / 6)
    assert math.isnan(metrics.area_under_roc(scores, torch.ones(5).bool()))


def test_errors_of_values_by_hand():
    values, truth = torch.tensor([[1.0, 0], [2, 0], [3, 0]]), torch.tensor([[1.0, 1], [2, 2], [6, 3]])
    assert metrics.mean_absolute_error(values, truth) == pytest.approx((0 + 0 + 3 + 1 + 2 + 3) / 6)
    first, second = 1 - 9 / 14, 1 - 14 / 2
    assert metrics.coefficient_of_determination(values, truth).tolist() == pytest.approx([first, second])
    constant = truth.mean(0).expand(3, 2)
    assert metrics.coefficient_of_determination(constant, truth).tolist() == pytest.approx([0, 0])
    assert metrics.coefficient_of_determination(values[:1], truth[:1]).isnan().all()


def test_mean_iou_by_hand():
    """Class 0: 2 of 4, class 1: 1 of 3; class 2 is nowhere, and one pixel is ignored."""
    found, truth = torch.tensor([[[0, 0, 1, 1], [0, 1, 1, 1]]]), torch.tensor([[[0, 0, 0, 1], [1, 9, 9, 9]]])
    assert metrics.mean_intersection_over_union(found, truth, 3, 9) == pytest.approx((2 / 4 + 1 / 3) / 2)
    missed = torch.tensor([[[0, 0, 2, 1]]])
    assert metrics.mean_intersection_over_union(missed, torch.zeros_like(missed), 3, 9) == pytest.approx(
        (0.5 + 0 + 0) / 3
    )


def objects(boxes, labels, scores=None):
    found = {"boxes": torch.tensor(boxes).view(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)}
    return found if scores is None else {**found, "scores": torch.tensor(scores)}


def test_average_precision_of_boxes_by_hand():
    """Class 1: hit, false, hit at precision 1 and 2/3; class 2: of two one is found; .5 exactly is no hit."""
    truth = [objects([[0.0, 0, 10, 10], [20, 20, 30, 30]], [1, 1]), objects([[0.0, 0, 8, 8], [20, 0, 30, 10]], [2, 2])]
    found = [
        objects([[0.0, 0, 10, 9], [0, 0, 10, 10], [20, 21, 30, 30]], [1, 1, 1], [0.9, 0.8, 0.7]),
        objects([[0.0, 0, 8, 7], [20, 0, 30, 5]], [2, 2], [0.6, 0.5]),
    ]
    measured = metrics.box_average_precision(found, truth)
    assert measured["map_50"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert measured == {"map_50": measured["map_50"], "map_75": measured["map_50"]}  # .9 and .875 are above .75, too
    tight = [objects([[0.0, 0, 10, 6]], [1], [0.9]), objects([], [], [])]
    assert metrics.box_average_precision(tight, truth) == {"map_50": 0.25, "map_75": 0.0}


def test_average_precision_of_masks_by_hand():
    square = torch.zeros(2, 8, 8, dtype=torch.bool)
    square[0, :4, :4], square[1, 4:, 4:] = True, True
    truth = [{"labels": torch.tensor([1, 1]), "masks": square}]
    found = [{"labels": torch.tensor([1, 1]), "scores": torch.tensor([0.9, 0.8]), "masks": square.flip(2)}]
    assert metrics.mask_average_precision(found, truth) == {"map_50": 0, "map_75": 0}
    assert metrics.mask_average_precision([{**found[0], "masks": square.flip(0)}], truth) == {"map_50": 1, "map_75": 1}
    assert metrics.mask_iou(square[:1], square[:1] & False).item() == 0


# ---- against others ----


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_images_agree_with_scikit_learn(seed):
    learn = pytest.importorskip("sklearn.metrics")
    logits, labels = random(50, 7, seed=seed), random(50, classes=7, seed=seed)
    assert metrics.accuracy(logits, labels) == pytest.approx(learn.accuracy_score(labels, logits.argmax(1)))
    scores, positive = random(50, seed=seed).mul(3).round(), random(50, classes=2, seed=seed + 9).bool()
    assert metrics.area_under_roc(scores, positive) == pytest.approx(learn.roc_auc_score(positive, scores))
    values, truth = random(50, 3, seed=seed), random(50, 3, seed=seed + 9)
    theirs = learn.r2_score(truth, values, multioutput="raw_values")
    assert metrics.coefficient_of_determination(values, truth).tolist() == pytest.approx([*theirs], abs=1e-5)
    assert metrics.mean_absolute_error(values, truth) == pytest.approx(learn.mean_absolute_error(truth, values))
    found, mask = random(4, 9, 9, classes=4, seed=seed), random(4, 9, 9, classes=4, seed=seed + 9)
    jaccard = learn.jaccard_score(mask.flatten(), found.flatten(), average="macro")
    assert metrics.mean_intersection_over_union(found, mask, 6, 255) == pytest.approx(jaccard)


def some_objects(seed, spread):
    """Eight images with true boxes and masks, and detections near them or astray."""
    truth, found = [], []
    for index in range(8):
        corner = random(4, 2, classes=30, seed=seed + index).float()
        boxes = torch.cat((corner, corner + 5 + random(4, 2, classes=25, seed=seed + index + 50)), 1)
        moved = boxes + spread * random(4, 4, seed=seed + index + 90)
        moved = torch.cat((moved[:, :2].minimum(moved[:, 2:] - 1), moved[:, 2:]), 1)
        labels = 1 + random(4, classes=3, seed=seed + index)
        seen = labels.where(random(4, seed=seed + index + 7) < 1, 1)
        scores = random(4, seed=seed + index + 3).sigmoid()
        truth.append({"boxes": boxes, "labels": labels, "masks": inside(boxes)})
        found.append({"boxes": moved, "labels": seen, "scores": scores, "masks": inside(moved)})
    return found, truth


def inside(boxes, size=64):
    place = torch.arange(size)
    x = (place >= boxes[:, :1]) & (place < boxes[:, 2:3])
    y = (place >= boxes[:, 1:2]) & (place < boxes[:, 3:])
    return y[:, :, None] & x[:, None, :]


@pytest.mark.parametrize("percent", [50, 75])
@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize(("seed", "spread"), [(0, 0.1), (1, 2.0), (2, 4.0), (3, 3.0)])
def test_average_precision_agrees_with_torchmetrics(kind, seed, spread, percent):
    """COCO's tool reads the curve at 101 places and lets a detection turn to the next best box."""
    detection = pytest.importorskip("torchmetrics.detection")
    pytest.importorskip("pycocotools")
    found, truth = some_objects(seed, spread)
    theirs = detection.MeanAveragePrecision(iou_type=kind, iou_thresholds=[percent / 100])
    theirs.update(found, truth)
    ours = metrics.box_average_precision if kind == "bbox" else metrics.mask_average_precision
    assert ours(found, truth)[f"map_{percent}"] == pytest.approx(float(theirs.compute()["map"]), abs=0.015)


# ---- through the tasks ----

SIZE = 64
TASKS = [
    Classification(5, nn.CrossEntropyLoss()),
    AnomalyDetection(nn.BCEWithLogitsLoss()),
    Regression(5, nn.MSELoss()),
    Segmentation(4, nn.CrossEntropyLoss(ignore_index=255)),
    ObjectDetection(3),
    OrientedObjectDetection(3),
    InstanceSegmentation(3),
]
PERFECT = [
    {"accuracy": 1.0},
    {"auroc": 1.0},
    {"mae": 0.0, "r2": 1.0, "r2_least": 1.0},
    {"miou": 1.0},
    {"map_50": 1.0, "map_75": 1.0},
    {"rotated_map_50": 1.0, "rotated_map_75": 1.0},
    {"mask_map_50": 1.0, "map_50": 1.0},
]


@pytest.mark.parametrize(("task", "perfect"), [*zip(TASKS, PERFECT, strict=True)], ids=lambda one: type(one).__name__)
def test_a_perfect_output_is_perfect_and_that_of_other_images_is_not(task, perfect):
    batch, other = (make_batch(task, Synthetic(), 8, SIZE, seed) for seed in (0, 1))
    assert task.metrics(perfect_output(task, batch.targets), batch.samples) == pytest.approx(perfect)
    wrong = task.metrics(perfect_output(task, other.targets), batch.samples)
    assert all(
        wrong[name] > value + 0.1 if name == "mae" else wrong[name] < value - 0.3 for name, value in perfect.items()
    )


@pytest.mark.parametrize("task", TASKS, ids=lambda one: type(one).__name__)
def test_the_truth_is_that_of_the_samples_not_what_the_task_made_of_it(task):
    batch = make_batch(task, Synthetic(), 8, SIZE, 0)
    before = task.metrics(perfect_output(task, batch.targets), batch.samples)
    task.target = None
    assert task.metrics(perfect_output(task, batch.targets), batch.samples) == before
    del task.target


def test_errors_of_values_are_in_the_users_units():
    task, batch = Regression(2, nn.MSELoss(), mean=40.0, std=12.0), make_batch(TASKS[2], Synthetic(), 4, SIZE, 0)
    output = batch.targets[:, :2] + 0.5
    assert task.metrics(output, batch.samples)["mae"] == pytest.approx(6.0)


def test_the_worst_of_several_values_is_told_apart():
    task, batch = Regression(3, nn.MSELoss()), make_batch(TASKS[2], Synthetic(), 16, SIZE, 0)
    output = batch.targets[:, :3] * torch.tensor([1.0, 1, -1])
    measured = task.metrics(output, batch.samples)
    assert measured["r2_least"] < -1 and measured["r2"] == pytest.approx((2 + measured["r2_least"]) / 3)
    assert "r2_least" not in Regression(1, nn.MSELoss()).metrics(output[:, :1], batch.samples)
