"""The box code and the points that learn it."""

import torch
from toys.families import boxes as draw

from aistudio.oriented import canonical_boxes, decode_boxes, encode_boxes, rotated_iou
from aistudio.oriented.match import match_points, pyramid_points

STRIDES = (8, 16, 32, 64, 128)


def grid(side=512):
    return pyramid_points([(side // s, side // s) for s in STRIDES], STRIDES, torch.device("cpu"))


def some(n, side=512, seed=0, low=2.0, high=500.0):
    boxes = draw(n, torch.Generator().manual_seed(seed), low=low, high=high).float()
    boxes[:, :2] *= side * 0.98 / 50
    return boxes


def test_what_is_encoded_comes_back():
    boxes = some(300, low=4, high=800)
    points, strides = boxes[:, :2] + torch.randn(300, 2) * 8, torch.tensor(STRIDES)[torch.arange(300) % 5]
    codes = encode_boxes(boxes, points, strides)
    back = decode_boxes(codes, points, strides)
    assert torch.allclose(back[:, :4], canonical_boxes(boxes)[:, :4], rtol=1e-4, atol=1e-2)
    assert (rotated_iou(back, boxes) > 0.999).all()
    longer = codes * torch.tensor([1, 1, 1, 1, 7.0, 7.0])
    assert (rotated_iou(decode_boxes(longer, points, strides), boxes) > 0.999).all(), "length of the direction"


def test_the_code_is_continuous_where_the_angle_jumps():
    near = torch.tensor([[10.0, 10, 30, 8, 89.999], [10.0, 10, 30, 8, -89.999]])
    codes = encode_boxes(near, torch.zeros(2, 2), torch.full((2,), 8))
    assert (codes[0] - codes[1]).abs().max() < 1e-3
    assert (canonical_boxes(near)[0] - canonical_boxes(near)[1]).abs().max() > 100


def test_half_precision_is_read_in_float32_and_nothing_overflows():
    codes = torch.tensor([[0.5, 0.5, 30, -30, 0, 0], [0, 0, 0, 0, 1, 1]], dtype=torch.float16)
    points, strides = torch.tensor([[3001.0, 4097.0], [8.0, 8.0]]), torch.tensor([128, 8])
    boxes = decode_boxes(codes, points, strides)
    assert boxes.dtype == torch.float32 and boxes.isfinite().all() and (boxes[:, 2:4] > 0).all()
    assert boxes[0, :2].tolist() == [3065.0, 4161.0], "float16 would round these"
    assert boxes[1].tolist() == [8, 8, 32, 32, 22.5]


def test_points_sit_where_the_cells_are():
    points, strides = pyramid_points([(2, 3), (1, 2)], (8, 16), torch.device("cpu"))
    assert points.tolist() == [[0, 0], [8, 0], [16, 0], [0, 8], [8, 8], [16, 8], [0, 0], [16, 0]]
    assert strides.tolist() == [8] * 6 + [16] * 2


def test_every_box_finds_a_point():
    """Alone in the image, each box, however thin, tiny or large, is learnt by a point of its level."""
    points, strides = grid()
    boxes = some(300, low=0.3)
    found = [match_points(points, strides, box[None])[0].max() for box in boxes]
    assert min(found) == 0
    unraised = [((points - box[:2]).abs() <= box[2:4] / 2).all(1).any() for box in canonical_boxes(boxes)]
    assert not all(unraised), "boxes that hold no grid point at all must be among those tried"


def test_a_match_is_inside_near_and_of_the_right_level():
    points, strides = grid()
    index, centreness = match_points(points, strides, torch.tensor([[256.0, 256, 100, 40, 0]]))
    mine = index == 0
    assert set(strides[mine].tolist()) == {8.0}
    assert ((points[mine] - 256).abs() <= 12).all() and mine.sum() == 9
    middle = ((points == 256).all(1)) & mine
    assert centreness[middle].item() == 1.0 and centreness[~mine].max() == 0
    corner = ((points - 256) == torch.tensor([8.0, 8.0])).all(1) & mine
    assert abs(centreness[corner].item() - ((42 / 58) * (12 / 28)) ** 0.5) < 1e-6


def test_the_smaller_box_wins():
    points, strides = grid()
    big_and_small = torch.tensor([[256.0, 256, 60, 60, 0], [256, 256, 40, 20, 45]])
    index, _ = match_points(points, strides, big_and_small)
    assert (index[(points == 256).all(1) & (strides == 8)] == 1).all()
    assert (match_points(points, strides, big_and_small.flip(0))[0] == 0).sum() == (index == 1).sum()


def test_matching_does_not_depend_on_the_name():
    points, strides = grid()
    boxes = some(40)
    boxes[:, 4] = boxes[:, 4].round()
    index, centreness = match_points(points, strides, boxes)
    quarter = torch.tensor([0, 0, 0, 0, 90.0])
    for other in (boxes + 2 * quarter, boxes[:, [0, 1, 3, 2, 4]] + quarter):
        again, value = match_points(points, strides, other)
        assert torch.equal(again, index) and torch.equal(value, centreness)


def test_matching_moves_and_grows_with_the_image():
    points, strides = grid(1024)
    boxes = some(30, side=256, low=70, high=120)  # the first level; doubled, the second
    index, centreness = match_points(points, strides, boxes)
    moved, _ = match_points(points, strides, boxes + torch.tensor([128.0, 256, 0, 0, 0]))
    assert sorted(index[index >= 0].tolist()) == sorted(moved[moved >= 0].tolist())
    doubled, value = match_points(points, strides, boxes * torch.tensor([2.0, 2, 2, 2, 1]))
    assert sorted(doubled[doubled >= 0].tolist()) == sorted(index[index >= 0].tolist())
    assert set(strides[doubled >= 0].tolist()) == {16.0}
    assert torch.allclose(value.sort().values[-50:], centreness.sort().values[-50:], atol=1e-5)
    off, _ = match_points(points, strides, boxes + torch.tensor([3.0, 0, 0, 0, 0]))
    assert sorted(off[off >= 0].tolist()) != sorted(index[index >= 0].tolist()), "3 px are no shift of the grid"
