"""One contract, one tester: every task keeps what `aistudio.tasks.base.Task` promises, and notices what breaks it."""

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models
from torchvision.models import detection, segmentation

from aistudio.data import Sample, Synthetic
from aistudio.errors import Refusal
from aistudio.models.backbone import BackboneWrapper
from aistudio.models.head import BackboneWithHead
from aistudio.oriented import rotated_fcos_resnet50_fpn
from aistudio.tasks.anomaly_detection import AnomalyDetection
from aistudio.tasks.batch import draw_labels, make_batch, pick
from aistudio.tasks.classification import Classification
from aistudio.tasks.detection_contracts import check_rotated_targets, check_targets
from aistudio.tasks.instance_segmentation import InstanceSegmentation
from aistudio.tasks.object_detection import ObjectDetection
from aistudio.tasks.oriented_object_detection import OrientedObjectDetection
from aistudio.tasks.regression import Regression
from aistudio.tasks.segmentation import Segmentation

SIZE = 64
TAPS = {"features.1": 16, "features.3": 24, "features.8": 48, "features.12": 576}
SMALL = {"weights": None, "weights_backbone": None, "min_size": SIZE, "max_size": SIZE}
CHEAP = {"box_batch_size_per_image": 8, "rpn_post_nms_top_n_train": 32, "rpn_post_nms_top_n_test": 32}


def pooled(outputs):
    return BackboneWithHead(BackboneWrapper(models.mobilenet_v3_small(weights=None), "small", TAPS), outputs)


def lraspp(outputs):
    return segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=outputs)


TASKS = {
    "classification": (Classification(5, nn.CrossEntropyLoss()), pooled),
    "anomaly": (AnomalyDetection(nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))), pooled),
    "regression": (Regression(7, nn.MSELoss(), mean=40.0, std=12.0), pooled),
    "segmentation": (Segmentation(4, nn.CrossEntropyLoss(ignore_index=255)), lraspp),
    "detection": (
        ObjectDetection(3),
        lambda c: detection.retinanet_resnet50_fpn(num_classes=c, score_thresh=0.0, **SMALL),
    ),
    "oriented": (
        OrientedObjectDetection(3),
        lambda c: rotated_fcos_resnet50_fpn(c, None, SIZE, SIZE, score_thresh=0.0),
    ),
    "instances": (InstanceSegmentation(3), lambda c: detection.maskrcnn_resnet50_fpn(num_classes=c, **SMALL, **CHEAP)),
}


@dataclass
class Case:
    """A task, its model after one training step, and what the model said in train and in eval mode."""

    task: Any
    model: nn.Module
    batch: Any
    losses: dict
    training_output: Any
    output: Any
    raw: dict


@pytest.fixture(scope="module", params=TASKS)
def case(request):
    torch.manual_seed(0)
    task, make = TASKS[request.param]
    model, batch = make(task.num_outputs).train(), make_batch(task, Synthetic(), 2, SIZE, 0)
    said = []
    hook = model.register_forward_hook(lambda module, args, output: said.append(output))
    losses = task.loss(model, batch.inputs, batch.targets)
    hook.remove()
    sum(losses.values()).backward()
    with torch.no_grad():
        model.eval()
        return Case(task, model, batch, losses, said[0], model(batch.inputs), task.raw_outputs(model, batch.inputs))


def test_losses_are_named_scalars_that_reach_the_first_layer(case):
    assert case.losses
    assert all(loss.dim() == 0 and loss.isfinite() and loss.requires_grad for loss in case.losses.values())
    assert next(case.model.parameters()).grad.abs().sum() > 0


def test_outputs_keep_the_contract_in_both_modes(case):
    assert case.task.output_problems(case.output, case.batch.inputs) == []
    assert case.task.training_output_problems(case.training_output, case.batch.inputs) == []


def test_raw_outputs_are_batch_first_and_repeat(case):
    assert all(value.shape[0] == 2 and value.isfinite().all() for value in case.raw.values())
    with torch.no_grad():
        again = case.task.raw_outputs(case.model, case.batch.inputs)
    assert all(torch.equal(value, again[name]) for name, value in case.raw.items())


def test_pictures_are_readable_from_96_to_1024_pixels(case):
    picture = case.task.draw(case.batch.samples[0].image, case.batch.targets[0], pick(case.output, 0))
    assert isinstance(picture, Image.Image) and picture.mode == "RGB" and min(picture.size) >= 384


def test_the_contract_notices_a_missing_image(case):
    if isinstance(case.output, list):
        assert case.task.output_problems(case.output[:1], case.batch.inputs)
        assert case.task.training_output_problems({}, case.batch.inputs)
        assert case.task.training_output_problems({"loss": torch.zeros(2)}, case.batch.inputs)
    else:
        short = pick(case.output, slice(1))
        assert case.task.output_problems(short, case.batch.inputs) and case.task.training_output_problems(
            short, case.batch.inputs
        )


def test_the_contract_notices_nan(case):
    assert case.task.output_problems(spoiled(case.output), case.batch.inputs)


def spoiled(output):
    output = copy.deepcopy(output)
    if isinstance(output, torch.Tensor):
        output[0] = float("nan")
    elif isinstance(output, dict):
        output["out"][0] = float("nan")
    else:
        first = {"boxes": output[0]["boxes"].new_full((1, output[0]["boxes"].shape[1]), float("nan"))}
        output[0] |= first | {"scores": torch.ones(1), "labels": torch.ones(1, dtype=torch.int64)}
    return output


@pytest.mark.parametrize("name", TASKS)
def test_batches_depend_on_the_seed_and_on_nothing_else(name):
    task = TASKS[name][0]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, two, other = (make_batch(task, Synthetic(), 3, SIZE, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(one.samples, two.samples, strict=True):
        assert torch.equal(a.image, b.image)
    assert str(one.targets) == str(two.targets)
    assert not torch.equal(one.samples[0].image, other.samples[0].image)
    moved = one.to("meta")
    assert moved.inputs[0].device.type == "meta" and one.inputs[0].device.type == "cpu"


@pytest.mark.parametrize("name", TASKS)
def test_targets_are_right_for_every_label_and_size(name):
    task = TASKS[name][0]
    edge = [[0], [task.sample_labels - 1], [0, task.sample_labels - 1]]
    for labels in (edge, [[]] * 3 if task.allows_empty else edge):
        for size in (64, 97):
            batch = make_batch(task, Synthetic(), 3, size, 0, labels)
            assert task.target_problems([sample.image for sample in batch.samples], batch.targets) == []


@pytest.mark.parametrize("name", ["segmentation", "detection", "oriented", "instances"])
def test_pictures_without_objects_train(name):
    torch.manual_seed(0)
    task, make = TASKS[name]
    batch = make_batch(task, Synthetic(), 2, SIZE, 0, [[], []])
    assert all(
        loss.isfinite() for loss in task.loss(make(task.num_outputs).train(), batch.inputs, batch.targets).values()
    )
    empty = {"boxes": torch.zeros(0, 5 if name == "oriented" else 4), "labels": torch.zeros(0, dtype=torch.int64)}
    output = empty | {"scores": torch.zeros(0), "masks": torch.zeros(0, 1, SIZE, SIZE)}
    if name != "segmentation":
        assert task.output_problems([output, output], batch.inputs) == []
        task.draw(batch.samples[0].image, batch.targets[0], output)


def test_labels_run_through_the_classes():
    generator = torch.Generator().manual_seed(0)
    assert sorted(one[0] for one in draw_labels(6, 3, 1, generator)) == [0, 0, 1, 1, 2, 2]
    drawn = draw_labels(50, 3, 3, generator)
    assert {len(one) for one in drawn} == {1, 2, 3} and {label for one in drawn for label in one} == {0, 1, 2}


def test_normalised_exactly_once():
    image = torch.zeros(3, 8, 8)
    image[:, :, 4:] = 1
    for task in (TASKS["classification"][0], TASKS["anomaly"][0], TASKS["regression"][0], TASKS["segmentation"][0]):
        values = task.inputs([image])
        assert values.shape == (1, 3, 8, 8) and -2.12 < values.min() < -2.1 and 2.6 < values.max() < 2.65
    for name in ("detection", "oriented", "instances"):
        assert TASKS[name][0].inputs([image])[0] is image


def test_regression_targets_are_standardised():
    batch = make_batch(Regression(5, nn.MSELoss()), Synthetic(), 200, SIZE, 0)
    assert batch.targets.mean(0).abs().max() < 0.3
    assert batch.targets.std(0).min() > 0.7 and batch.targets.std(0).max() < 1.3


def test_segmentation_targets_have_a_ring_and_every_class():
    task = TASKS["segmentation"][0]
    batch = make_batch(task, Synthetic(), 4, SIZE, 0, [[0, 1, 2]] * 4)
    assert all(mask.unique().tolist() == [0, 1, 2, 3, 255] for mask in batch.targets)
    for sample, mask in zip(batch.samples, batch.targets, strict=True):
        assert torch.equal(sample.masks.any(0), (mask > 0) & (mask < 255))


def test_segmentation_weighs_the_auxiliary_loss():
    task = Segmentation(3, nn.CrossEntropyLoss(ignore_index=255), aux_weight=0.25)
    logits, mask = torch.randn(1, 3, 4, 4), torch.randint(3, (1, 4, 4))
    losses = task.loss(lambda x: {"out": logits, "aux": logits}, None, mask)
    assert torch.allclose(losses["aux"], losses["out"] * 0.25)
    problems = task.output_problems({"aux": logits}, torch.zeros(1, 3, 4, 4))
    assert problems == ["the output is aux; expected a dict with out, and aux at most"]


def test_a_loss_that_ignores_another_index_is_refused():
    with pytest.raises(Refusal, match="task.loss ignores -100, task.ignore_index is 255"):
        Segmentation(3, nn.CrossEntropyLoss())


def good(rotated=False):
    boxes = torch.tensor([[20.0, 20, 10, 5, 30]]) if rotated else torch.tensor([[4.0, 4, 20, 30]])
    target = {"boxes": boxes, "labels": torch.tensor([3])}
    if not rotated:
        target["masks"] = torch.zeros(1, 40, 50, dtype=torch.uint8)
        target["masks"][0, 4:30, 4:20] = 1
    return [torch.rand(3, 40, 50)], [target]


WRONG = [
    (lambda i, t: i.append(i[0]), "2 images, but 1 targets"),
    (lambda i, t: i[0].mul_(255), "divide by 255"),
    (lambda i, t: i[0].sub_(1.5), "normalised already"),
    (lambda i, t: i[0][0, 0, 0].fill_(float("nan")), "NaN"),
    (lambda i, t: i.__setitem__(0, i[0][:1]), "expected (3, H, W)"),
    (lambda i, t: i.__setitem__(0, (i[0] * 255).byte()), "torch.uint8"),
    (lambda i, t: t.pop("labels"), "has no labels"),
    (lambda i, t: t["labels"].fill_(0), "0 is the background"),
    (lambda i, t: t["labels"].fill_(4), "expected 1 … 3"),
    (lambda i, t: t.update(labels=t["labels"].int()), "torch.int32"),
    (lambda i, t: t.update(labels=torch.tensor([1, 1])), "1 boxes and labels"),
    (lambda i, t: t["boxes"].fill_(float("nan")), "not finite"),
    (lambda i, t: t.update(boxes=t["boxes"].long()), "not finite floats"),
    (lambda i, t: t.update(boxes=t["boxes"][:, :3]), "boxes of shape (1, 3)"),
]
WRONG_UPRIGHT = [
    (lambda i, t: t["boxes"].div_(50), "0–1 units"),
    (lambda i, t: t["boxes"][0, 2].fill_(51), "outside its image of 50 x 40"),
    (lambda i, t: t["boxes"][0, 1].fill_(-1), "outside its image of 50 x 40"),
    (lambda i, t: t["boxes"][0, 2].fill_(3), "x2 <= x1"),
    (lambda i, t: t.pop("masks"), "has no masks"),
    (lambda i, t: t["masks"].zero_(), "empty mask"),
    (lambda i, t: t["masks"].mul_(255), "up to 255"),
    (lambda i, t: t.update(masks=t["masks"][:, 1:]), "masks of shape"),
]
WRONG_ROTATED = [
    (lambda i, t: t["boxes"][0, 3].fill_(0), "h <= 0"),
    (lambda i, t: t["boxes"][0, :4].div_(50), "0–1 units"),
    (lambda i, t: t["boxes"][0, 0].fill_(51), "centre is outside"),
]


@pytest.mark.parametrize(("spoil", "problem"), WRONG + WRONG_UPRIGHT, ids=[p for _, p in WRONG + WRONG_UPRIGHT])
def test_wrong_targets_that_torchvision_takes_are_named(spoil, problem):
    images, targets = good()
    assert check_targets(images, targets, 3, masks=True) == []
    spoil(images, targets[0])
    assert any(problem in found for found in check_targets(images, targets, 3, masks=True))


@pytest.mark.parametrize(("spoil", "problem"), WRONG + WRONG_ROTATED, ids=[p for _, p in WRONG + WRONG_ROTATED])
def test_wrong_rotated_targets_are_named(spoil, problem):
    images, targets = good(rotated=True)
    assert check_rotated_targets(images, targets, 3) == []
    spoil(images, targets[0])
    assert any(problem in found for found in check_rotated_targets(images, targets, 3))


@pytest.mark.parametrize(
    ("name", "targets", "problem"),
    [
        ("classification", torch.tensor([0, 5]), "expected 0 … 4"),
        ("classification", torch.tensor([0.0, 1.0]), "torch.float32"),
        ("anomaly", torch.tensor([[0.0], [2.0]]), "not all 0."),
        ("anomaly", torch.tensor([0.0, 1.0]), "expected floats (2, 1)"),
        ("regression", torch.full((2, 7), float("inf")), "not all finite"),
        ("regression", torch.full((2, 7), 100.0), "standardised"),
        ("segmentation", torch.full((2, 8, 8), 4), "expected 0 … 3 or 255"),
        ("segmentation", torch.full((2, 8, 8), 255), "every pixel is to be ignored"),
        ("segmentation", torch.zeros(2, 8, 9, dtype=torch.int64), "expected torch.int64 (2, 8, 8)"),
    ],
)
def test_wrong_targets_are_named(name, targets, problem):
    found = TASKS[name][0].target_problems([torch.zeros(3, 8, 8)] * 2, targets)
    assert problem in found[0]


BOX = {"boxes": torch.tensor([[1.0, 1, 9, 9]]), "labels": torch.tensor([1]), "scores": torch.tensor([0.5])}
TURNED = BOX | {"boxes": torch.tensor([[5.0, 5, 4, 2, 30]])}


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("detection", {}, ""),
        ("detection", {"boxes": torch.tensor([[1.0, 1, 99, 9]])}, "a box outside"),
        ("detection", {"boxes": torch.tensor([[5.0, 1, 3, 9]])}, "x2 < x1"),
        ("detection", {"scores": torch.tensor([1.5])}, "outside [0, 1]"),
        ("detection", {"labels": torch.tensor([4])}, "outside 1 … 3"),
        ("detection", {"labels": torch.tensor([1.0])}, "expected float, float, int64"),
        ("detection", {"boxes": torch.zeros(2, 4)}, "do not fit"),
        ("instances", {}, "masks none"),
        ("instances", {"masks": torch.full((1, 1, 16, 16), 2.0)}, "outside [0, 1]"),
        ("instances", {"masks": torch.zeros(1, 16, 16)}, "expected floats (1, 1, 16, 16)"),
        ("oriented", TURNED, ""),
        ("oriented", {}, "do not fit"),
        ("oriented", {"boxes": torch.tensor([[5.0, 5, 2, 4, 30]])}, "w >= h > 0"),
        ("oriented", {"boxes": torch.tensor([[5.0, 5, 4, 2, 90]])}, "-90 <= angle < 90"),
    ],
)
def test_broken_detections_are_named(name, change, problem):
    found = TASKS[name][0].output_problems([BOX | change], [torch.zeros(3, 16, 16)])
    assert problem in found[0] if problem else found == []


def test_wrong_targets_are_refused_when_a_batch_is_made():
    task = copy.copy(TASKS["classification"][0])
    task.target = lambda sample: sample.labels[0] + 99
    with pytest.raises(Refusal, match="class ids 9"):
        make_batch(task, Synthetic(), 2, SIZE, 0)
    with pytest.raises(ValueError, match="2 images, but labels for 1"):
        make_batch(task, Synthetic(), 2, SIZE, 0, [[0]])


@pytest.mark.parametrize("name", TASKS)
def test_what_a_sample_does_not_know_is_said(name):
    with pytest.raises(Refusal, match=r"a sample has no (labels|boxes|extents|masks), which the task learns from"):
        TASKS[name][0].target(Sample(torch.zeros(3, 64, 64)))


def test_a_ring_around_each_object_is_ignored_on_every_side():
    """One pixel wide, at corners, too."""
    inside = torch.zeros(1, 9, 9, dtype=torch.bool)
    inside[0, 3:6, 4:6] = True
    sample = Sample(torch.zeros(3, 9, 9), labels=torch.tensor([1]), masks=inside)
    expected = torch.zeros(9, 9, dtype=torch.int64)
    expected[2:7, 3:7] = 255
    expected[3:6, 4:6] = 2
    assert torch.equal(Segmentation(4, nn.CrossEntropyLoss(ignore_index=255)).target(sample), expected)
