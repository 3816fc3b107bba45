"""Samples: boxes, masks and extents that agree with each other, whatever the seed."""

import pytest
import torch
from torch import Generator

from aistudio.data.objects import object_masks, place_objects
from aistudio.data.synthetic import Synthetic, class_colour, paint_sample

LABELS = [[], [0], [1], [0, 1], [2, 2, 5], [0, 1, 2, 3, 4]]


def seeded(seed=0):
    return Generator().manual_seed(seed)


def test_the_conventions_worked_example():
    (mask,) = object_masks(torch.tensor([[50.0, 50, 40, 10, 30]]), torch.tensor([False]), 100, 100)
    rows, columns = mask.nonzero().unbind(1)
    rightmost = columns.argmax()
    assert columns[rightmost] >= 67 and abs(rows[rightmost].item() - 44) <= 5  # up and to the right of the centre
    assert mask[40, 66] and not mask[60, 66]
    assert abs(mask.sum().item() - 400) < 20


@pytest.mark.parametrize("size", [(64, 64), (97, 133), (224, 224)])
@pytest.mark.parametrize("labels", LABELS)
def test_boxes_masks_and_extents_agree(size, labels):
    for seed in range(10):
        sample = paint_sample(*size, labels, seeded(seed))
        masks, extents = sample.masks, sample.extents
        assert sample.image.shape == (3, *size) and sample.image.dtype == torch.float32
        assert 0 <= sample.image.min() <= sample.image.max() <= 1
        assert sample.boxes.shape == (len(labels), 5) and sample.labels.tolist() == labels
        assert masks.shape == (len(labels), *size) and masks.flatten(1).any(1).all()
        assert (masks.sum(0) <= 1).all()
        assert (extents >= 0).all() and (extents <= torch.tensor([size[1], size[0]] * 2)).all()
        assert (sample.boxes[:, 2] > sample.boxes[:, 3]).all() and (sample.boxes[:, 4].abs() <= 90).all()
        for mask, box in zip(masks, extents, strict=True):
            rows, columns = mask.nonzero().unbind(1)
            seen = torch.stack((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
            assert (seen - box).abs().max() <= 2


def test_the_same_seed_paints_the_same_whatever_the_global_state():
    torch.manual_seed(1)
    first = paint_sample(64, 64, [0, 1], seeded())
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = paint_sample(64, 64, [0, 1], seeded())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.image, second.image) and torch.equal(first.boxes, second.boxes)
    assert not torch.equal(first.image, paint_sample(64, 64, [0, 1], seeded(1)).image)


def test_colour_tells_the_class():
    sample = paint_sample(96, 96, [3], seeded())
    painted = sample.image[:, sample.masks[0]].mean(1)
    distances = [(painted / painted.max() - class_colour(label) / 0.95).norm() for label in range(8)]
    assert min(range(8), key=distances.__getitem__) == 3


def test_photographs_stay_as_they_are():
    image = torch.rand(3, 64, 80)
    sample = place_objects(image, [0, 1], seeded())
    assert sample.image is image and len(sample.boxes) == 2


def test_too_many_objects_are_refused():
    with pytest.raises(ValueError, match="100 objects need at least 120 x 120 pixels"):
        paint_sample(64, 64, [0] * 100, seeded())


def test_samples_need_no_labels():
    samples = Synthetic().samples(8, 64, seeded())
    assert len(samples) == 8 and {int(sample.labels) for sample in samples} == {0, 1, 2}


def test_the_number_of_threads_paints_nothing_else():
    threads, painted = torch.get_num_threads(), []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        painted.append(paint_sample(97, 133, [0, 1], seeded()).image)
    torch.set_num_threads(threads)
    assert torch.equal(painted[0], painted[1]) and torch.equal(painted[0], painted[2])
