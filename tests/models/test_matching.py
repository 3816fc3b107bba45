"""What is said of a box is what the detector's own matcher says of it, for every box."""

from functools import cache

import pytest
import torch
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from aistudio.models.dry_run import dry_run
from aistudio.models.matching import matching
from aistudio.oriented import rotated_fcos_resnet50_fpn
from aistudio.oriented.match import match_points, pyramid_points

UPRIGHT = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
)


@cache
def built(name):
    return getattr(detection, name)(weights=None, weights_backbone=None, min_size=320, max_size=320).eval()


def boxes_of(side, images, seed, smallest=3.0):
    """Boxes of all sizes and shapes in crowded images, integers and halves among them: ties."""
    g = torch.Generator().manual_seed(seed)
    found = []
    for number in range(images):
        many = int(torch.randint(1, 25, (), generator=g))
        size = smallest * (side / smallest) ** torch.rand((many, 2), generator=g)
        corner = torch.rand((many, 2), generator=g) * (side - size)
        boxes = torch.cat((corner, corner + size), 1)
        found.append((boxes * 2).round() / 2 if number % 2 else boxes)
    return found


def own_anchors(model, side):
    """The anchors as a forward pass makes them, on maps without content."""
    padded = -(-side // 32) * 32
    maps = [torch.zeros(1, 1, *m.shape[-2:]) for m in dry_run(model.backbone, padded, padded)[1].values()]
    stage = getattr(model, "rpn", model)
    anchors = stage.anchor_generator(ImageList(torch.zeros(1, 3, padded, padded), [(side, side)]), maps)[0]
    many = stage.anchor_generator.num_anchors_per_location()
    counts = [one.shape[-2] * one.shape[-1] * count for one, count in zip(maps, many, strict=True)]
    return anchors, counts


def matched(model, boxes, anchors, counts):
    """Which boxes have an anchor, by the model's own matcher; those that only its rescue gives one left out."""
    if isinstance(model, detection.FCOS):
        given = []
        head, model.head = model.head, torch.nn.Module()
        model.head.compute_loss = lambda targets, outputs, anchors, matches: given.append(matches[0])
        model.compute_loss([{"boxes": boxes}], {}, [anchors], counts)
        model.head = head
        index, high = given[0], None
    else:
        matcher = getattr(model, "rpn", model).proposal_matcher
        overlaps = box_iou(boxes, anchors)
        index, high = matcher(overlaps), matcher.high_threshold
    found = torch.zeros(len(boxes), dtype=torch.bool)
    sound = index >= 0 if high is None else (index >= 0) & (overlaps.max(0).values >= high)
    found[index[sound]] = True
    return found


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", UPRIGHT)
def test_every_box_is_matched_as_the_model_matches_it(name, side=300):
    model, images = built(name), boxes_of(side, 10, seed=side)
    anchors, counts = own_anchors(model, side)
    rule = matching(model, side)
    wanted = torch.cat([matched(model, boxes, anchors, counts) for boxes in images])
    together = rule.match(torch.cat(images), [len(boxes) for boxes in images])
    assert torch.equal(together.levels >= 0, wanted)
    assert 0.02 < wanted.float().mean() < 1
    alone = rule.match(torch.cat(images))
    wanted = torch.cat([matched(model, box[None], anchors, counts) for boxes in images[:2] for box in boxes])
    assert torch.equal(alone.levels[: len(wanted)] >= 0, wanted)


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn"])
def test_the_level_is_that_of_the_anchor_that_fits_best(name):
    model, boxes = built(name), torch.cat(boxes_of(320, 3, seed=3))
    anchors, counts = own_anchors(model, 320)
    levels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    found = matching(model, 320).match(boxes).levels
    for box, level in zip(boxes, found.tolist(), strict=True):
        if level >= 0:
            assert box_iou(box[None], anchors[levels == level]).max() == box_iou(box[None], anchors).max()


@pytest.mark.parametrize("side", [256, 320])
def test_every_rotated_box_is_matched_as_the_model_matches_it(side):
    model = rotated_fcos_resnet50_fpn(3)
    rule = matching(model, side)
    points, strides = pyramid_points(rule.sizes, model.strides, torch.device("cpu"))
    g, images = torch.Generator().manual_seed(side), []
    for _ in range(40):
        many = int(torch.randint(1, 30, (), generator=g))
        size = 2 * (side / 2) ** torch.rand((many, 2), generator=g)
        place, angle = side * torch.rand((many, 2), generator=g), 360 * torch.rand((many, 1), generator=g) - 180
        images.append(torch.cat((place, size, angle), 1))
    found = rule.match(torch.cat(images), [len(boxes) for boxes in images]).levels
    wanted = []
    for boxes in images:
        index, _ = match_points(points, strides, boxes)
        wanted.append(torch.isin(torch.arange(len(boxes)), index))
    wanted = torch.cat(wanted)
    assert torch.equal(found >= 0, wanted)
    assert not wanted.all()
    alone = rule.match(torch.cat(images)).levels
    for box, level in zip(torch.cat(images)[:300], alone.tolist(), strict=False):
        index, _ = match_points(points, strides, box[None])
        assert (int(strides[index >= 0].unique()) == model.strides[level]) if level >= 0 else not (index >= 0).any()


@pytest.mark.parametrize(
    ("name", "at_320", "at_800"),
    [
        ("fasterrcnn_resnet50_fpn", (0, 0), (0.2, 0.8)),
        ("retinanet_resnet50_fpn", (0, 0), (0.85, 1)),
        ("fcos_resnet50_fpn", (0.97, 1), (0.97, 1)),
    ],
)
def test_small_objects_are_out_of_reach_at_320_pixels_for_anchors_and_not_for_points(name, at_320, at_800):
    """Objects of 16 to 32 pixels in photographs of 640 x 480."""
    g = torch.Generator().manual_seed(0)
    size = 16 + 16 * torch.rand((400, 2), generator=g)
    corner = torch.rand((400, 2), generator=g) * (torch.tensor([640, 480]) - size)
    boxes = torch.cat((corner, corner + size), 1)
    for side, (low, high) in ((320, at_320), (800, at_800)):
        share = float((matching(built(name), side).match(boxes * side / 640, [10] * 40).levels >= 0).float().mean())
        assert low <= share <= high


def test_a_model_without_a_matcher_has_no_rule():
    assert matching(torch.nn.Conv2d(3, 3, 1), 320) is None
