"""The augmentation moves boxes as it moves pixels."""

import math

import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from aistudio.oriented import canonical_boxes, rotation_augmentation

SIZE = (120, 160)


def painted(box, size=SIZE):
    """1 inside the box (5,), 0 outside; (H, W)."""
    y, x = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    cx, cy, w, h, a = box.tolist()
    cos, sin = math.cos(math.radians(a)), math.sin(math.radians(a))
    along, across = (x - cx) * cos - (y - cy) * sin, (x - cx) * sin + (y - cy) * cos
    return ((along.abs() <= w / 2) & (across.abs() <= h / 2)).float()


def sample(box, mode="soft"):
    boxes = tv_tensors.BoundingBoxes(torch.tensor([box]), format="CXCYWHR", canvas_size=SIZE, clamping_mode=mode)
    return tv_tensors.Image(painted(boxes[0]).expand(3, *SIZE)), {"boxes": boxes, "labels": torch.tensor([2])}


def worst_overlap(pipeline, box, tries=25):
    """Smallest pixel IoU of the moved image and its moved box painted anew."""
    torch.manual_seed(0)
    worst = 1.0
    for _ in range(tries):
        image, target = pipeline(*sample(box))
        if len(target["boxes"]):
            pixels, box_pixels = image[0] > 0.5, painted(target["boxes"][0]) > 0.5
            worst = min(worst, ((pixels & box_pixels).sum() / (pixels | box_pixels).sum().clamp(min=1)).item())
    return worst


def test_boxes_follow_the_pixels():
    assert worst_overlap(rotation_augmentation(), [80.0, 60, 60, 24, 20]) > 0.9
    assert worst_overlap(rotation_augmentation(), [130.0, 20, 70, 30, 50]) > 0.8, "beyond the border too"


def test_a_box_that_is_not_moved_is_seen():
    class Forgetful(v2.Transform):
        def forward(self, image, target):
            return v2.functional.rotate(image, 30), target

    assert worst_overlap(Forgetful(), [80.0, 60, 60, 24, 20]) < 0.8


def test_a_box_beyond_the_border_keeps_its_size():
    box = [150.0, 60, 60, 24, 20]
    ours = rotation_augmentation(degrees=30, scale=(1, 1), flip=0)
    theirs = v2.RandomRotation(30)
    torch.manual_seed(1)
    sizes = [ours(*sample(box))[1]["boxes"][0, 2:4] for _ in range(3)]
    assert all(torch.allclose(size, torch.tensor([60.0, 24]), atol=1e-2) for size in sizes)
    assert any(theirs(*sample(box))[1]["boxes"][0, 2] < 59 for _ in range(3)), "soft clamping shrinks it"


def test_objects_that_leave_are_dropped_with_their_labels():
    boxes = torch.tensor([[80.0, 60, 30, 10, 0], [155.0, 60, 30, 10, 0]])
    target = {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="CXCYWHR", canvas_size=SIZE),
        "labels": torch.tensor([1, 2]),
        "difficult": torch.tensor([True, False]),
        "image_id": 7,
    }
    zoom = rotation_augmentation(degrees=0, scale=(1.3, 1.3), flip=0)
    _, kept = zoom(tv_tensors.Image(torch.rand(3, *SIZE)), target)
    assert kept["labels"].tolist() == [1] and kept["difficult"].tolist() == [True] and kept["image_id"] == 7
    assert isinstance(kept["boxes"], tv_tensors.BoundingBoxes) and kept["boxes"].shape == (1, 5)
    plain = kept["boxes"].as_subclass(torch.Tensor)
    assert torch.equal(canonical_boxes(plain), plain)
    assert len(target["boxes"]) == 2, "the input stays as it is"


@pytest.mark.parametrize("count", [0, 3])
def test_any_number_of_boxes(count):
    boxes = torch.tensor([[80.0, 60, 30, 10, 0]]).repeat(count, 1).reshape(-1, 5)
    target = {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="CXCYWHR", canvas_size=SIZE),
        "labels": torch.ones(count, dtype=torch.int64),
    }
    _, moved = rotation_augmentation()(tv_tensors.Image(torch.rand(3, *SIZE)), target)
    assert len(moved["boxes"]) == len(moved["labels"]) == count
