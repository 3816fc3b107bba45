"""Images and targets through a transform, as torchvision's references call it, and back to samples."""

import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from aistudio.data.synthetic import Synthetic
from aistudio.tasks.batch import make_batch
from aistudio.tasks.classification import Classification
from aistudio.tasks.instance_segmentation import InstanceSegmentation
from aistudio.tasks.object_detection import ObjectDetection
from aistudio.tasks.oriented_object_detection import OrientedObjectDetection
from aistudio.tasks.other_truths import MOTIONS
from aistudio.tasks.pairs import read_back, transform_batch
from aistudio.tasks.regression import Regression
from aistudio.tasks.segmentation import Segmentation

TASKS = [
    Classification(4, nn.CrossEntropyLoss()),
    Regression(3, nn.MSELoss()),
    Segmentation(4, nn.CrossEntropyLoss(ignore_index=255)),
    ObjectDetection(3),
    OrientedObjectDetection(3),
    InstanceSegmentation(3),
]


def both(image, target):
    return image, target


@pytest.mark.parametrize("task", TASKS, ids=lambda one: type(one).__name__)
def test_what_is_left_alone_comes_back_the_same(task):
    batch = make_batch(task, Synthetic(), 4, 64, 0)
    same = transform_batch(task, batch.samples, both)
    assert str(same.targets) == str(batch.targets) and type(same.inputs) is type(batch.inputs)
    targets = task.collate([task.target(one) for one in same.samples])
    assert str(targets) == str(batch.targets)


@pytest.mark.parametrize("task", TASKS[2:], ids=lambda one: type(one).__name__)
def test_torchvisions_flip_moves_images_and_targets(task):
    samples = make_batch(task, Synthetic(), 4, 64, 0).samples
    flipped = transform_batch(task, samples, v2.RandomHorizontalFlip(1.0))
    mirrored = [MOTIONS["mirrored left-right"](one) for one in samples]
    assert torch.equal(flipped.samples[0].image, samples[0].image.flip(2))
    for name in ("extents", "boxes", "masks", "class_mask"):
        for one, other in zip(flipped.samples, mirrored, strict=True):
            if getattr(one, name) is not None and getattr(other, name) is not None:
                assert torch.allclose(getattr(one, name).float(), getattr(other, name).float(), atol=1e-3)


def test_a_target_of_another_form_says_nothing():
    assert read_back(torch.zeros(3, 8, 8), "words") is None and read_back(torch.zeros(3, 8, 8), {"text": 1}) is None
    task, samples = Classification(4, nn.CrossEntropyLoss()), make_batch(TASKS[0], Synthetic(), 2, 64, 0).samples
    task.target, task.collate = lambda sample: "words", list
    assert transform_batch(task, samples, both).samples is samples
