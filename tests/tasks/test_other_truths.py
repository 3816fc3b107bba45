"""Truths that are moved or renamed: each is what it says, and outputs that fit one are told by its name."""

from dataclasses import replace

import pytest
import torch
from perfect_outputs import perfect_output
from torch import nn
from torchvision.transforms.v2 import functional as v2

from aistudio.data.objects import object_masks
from aistudio.data.synthetic import Synthetic
from aistudio.tasks.batch import make_batch
from aistudio.tasks.classification import Classification
from aistudio.tasks.instance_segmentation import InstanceSegmentation
from aistudio.tasks.object_detection import ObjectDetection
from aistudio.tasks.oriented_object_detection import OrientedObjectDetection
from aistudio.tasks.other_truths import MOTIONS, about_centre, merged_labels, other_truths
from aistudio.tasks.regression import Regression
from aistudio.tasks.segmentation import Segmentation

SIZE, CLASSES = 64, 4
TASKS = [
    Classification(CLASSES, nn.CrossEntropyLoss()),
    Regression(3, nn.MSELoss()),
    Segmentation(CLASSES + 1, nn.CrossEntropyLoss(ignore_index=255)),
    ObjectDetection(CLASSES),
    OrientedObjectDetection(CLASSES),
    InstanceSegmentation(CLASSES),
]


@pytest.fixture(scope="module")
def samples():
    return make_batch(InstanceSegmentation(CLASSES), Synthetic(), 16, SIZE, 0).samples


@pytest.mark.parametrize("words", MOTIONS)
def test_boxes_and_masks_of_a_moved_truth_stay_together(words, samples):
    """The rotated box, drawn, is the moved mask, wherever that is wholly inside; the upright box is tight."""
    compared = 0
    for sample in samples:
        room = about_centre(0.6)(sample) if words in ("at twice the scale", "enlarged about the centre") else sample
        moved = MOTIONS[words](room)
        drawn = object_masks(moved.boxes, sample.labels % 2 == 1, SIZE, SIZE)
        for one, other, box in zip(drawn, moved.masks, moved.extents, strict=True):
            if box.min() < 1 or box.max() > SIZE - 1 or other.sum() < 80:
                continue
            compared += 1
            assert (one & other).sum() / (one | other).sum() > 0.75
            rows, columns = other.any(1).nonzero()[:, 0], other.any(0).nonzero()[:, 0]
            tight = torch.stack((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
            assert (tight - box).abs().max() <= 3
    assert compared > 1


def test_flips_are_those_of_torchvision(samples):
    masks = samples[0].masks
    assert torch.equal(MOTIONS["mirrored left-right"](samples[0]).masks, v2.horizontal_flip(masks))
    assert torch.equal(MOTIONS["mirrored top-bottom"](samples[0]).masks, v2.vertical_flip(masks))
    assert torch.equal(MOTIONS["transposed (x and y swapped)"](samples[0]).masks, masks.transpose(1, 2))
    quarter = MOTIONS["turned by 90 degrees"](samples[0]).masks
    assert any(torch.equal(quarter, masks.rot90(turn, (1, 2))) for turn in (1, 3))


def test_the_image_and_what_is_not_known_stay():
    sample = make_batch(TASKS[0], Synthetic(), 1, SIZE, 0).samples[0]
    bare = replace(sample, boxes=None, extents=None, masks=None)
    moved = MOTIONS["mirrored left-right"](bare)
    assert moved.image is bare.image and moved.boxes is None and torch.equal(moved.labels, bare.labels)


def told(task, output, samples):
    """The metric that counts, by the words of every truth, the true one as well."""
    truths = {"true": lambda one: one, **other_truths(task, CLASSES), **merged_labels(CLASSES)}
    name = [name for name in task.metrics(output, samples) if name != "mae"][0]
    return {words: task.metrics(output, [truth(one) for one in samples])[name] for words, truth in truths.items()}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("task", TASKS, ids=lambda one: type(one).__name__)
def test_outputs_that_fit_another_truth_are_told_by_its_name(task, samples):
    """Every other truth, by the outputs of a model that has learnt it."""
    truths = {**other_truths(task, CLASSES), **merged_labels(CLASSES)}
    few = samples[:4]
    for words, truth in list(truths.items())[:: 1 if isinstance(task, Classification | Regression) else 8]:
        others = [truth(one) for one in few]
        output = perfect_output(task, task.collate([task.target(one) for one in others]))
        fits = told(task, output, few)
        same = [name for name, value in fits.items() if value >= max(fits.values()) - 1e-6]
        assert words in same or max(fits.values()) == 0, f"{words}: {same}"


@pytest.mark.parametrize("task", TASKS, ids=lambda one: type(one).__name__)
def test_outputs_that_are_true_fit_no_other_truth_better(task, samples):
    output = perfect_output(task, task.collate([task.target(one) for one in samples[:8]]))
    fits = told(task, output, samples[:8])
    assert fits["true"] == max(fits.values()) == pytest.approx(1.0)


def test_one_class_has_no_other_labels():
    assert not merged_labels(1) and {*other_truths(ObjectDetection(1), 1)} == {*MOTIONS}
