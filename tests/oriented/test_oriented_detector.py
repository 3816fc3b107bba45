"""The detector: called like torchvision's, the same loss under any name, and it learns."""

import inspect
import warnings

import pytest
import torch
from torch import nn
from torchvision import tv_tensors
from torchvision.models.detection import fcos_resnet50_fpn
from toys.detection import small_detector, toy_images
from toys.overfit import overfit

from aistudio.oriented import rotated_fcos_resnet50_fpn, rotated_iou
from aistudio.oriented.code import encode_boxes
from aistudio.oriented.match import match_points, pyramid_points

BOX = [30.0, 34, 36, 14, 25]


def target(boxes, labels=None):
    boxes = torch.tensor(boxes).reshape(-1, 5)
    return {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64) if labels is None else labels}


@pytest.fixture(scope="module")
def model():
    return small_detector(size=64)


def loss_of(model, *boxes):
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return torch.stack(list(model.train()([image], [target(list(boxes))]).values()))


def test_it_is_called_like_torchvisions():
    images, targets = [torch.rand(3, 97, 133), torch.rand(3, 120, 80)], [target([BOX]), target([])]
    model = rotated_fcos_resnet50_fpn(num_classes=4, weights_backbone=None, min_size=128, max_size=128)
    losses = model(images, targets)
    theirs = fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=4, min_size=128, max_size=128)
    like = [{"boxes": torch.tensor([[10.0, 10, 40, 40]]), "labels": torch.tensor([1])}] * 2
    assert losses.keys() == theirs(images, like).keys()
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    model.eval().score_thresh = 0.0
    with torch.no_grad():
        found = model(images)
        raw = model.head([torch.rand(2, 256, 4, 4)])
    assert {name: tuple(value.shape) for name, value in raw.items()} == {
        "cls_logits": (2, 16, 3),
        "bbox_regression": (2, 16, 6),
        "bbox_ctrness": (2, 16, 1),
    }
    for one in found:
        assert one.keys() == {"boxes", "labels", "scores"} and one["labels"].dtype == torch.int64
        boxes, labels, scores = one["boxes"], one["labels"], one["scores"]
        assert boxes.shape == (len(scores), 5) and 0 < len(scores) <= 300
        assert (boxes[:, 2] >= boxes[:, 3]).all() and (boxes[:, 4] >= -90).all() and (boxes[:, 4] < 90).all()
        assert labels.min() >= 1 and labels.max() <= 3 and (scores.diff() <= 0).all()
    with pytest.raises(TypeError, match="min_sise"):
        rotated_fcos_resnet50_fpn(num_classes=4, min_sise=128)
    assert inspect.signature(rotated_fcos_resnet50_fpn).parameters["weights_backbone"].default is None


@pytest.mark.parametrize("size", [(64, 64), (97, 133), (40, 100)])
def test_a_perfect_head_gives_the_boxes_back(model, size):
    """Codes of a known box, put in place of the head's output, come out in the pixels of the image that came in."""
    truth = torch.tensor([[size[1] * 0.45, size[0] * 0.55, 30, 12, -35]])
    scale = min(64 / min(size), 64 / max(size))
    points, strides = pyramid_points([(8, 8), (4, 4), (2, 2), (1, 1), (1, 1)], model.strides, torch.device("cpu"))
    inside = truth * torch.tensor([scale, scale, scale, scale, 1])
    index, _ = match_points(points, strides, inside)
    logits = torch.full((1, len(points), 3), -20.0)
    logits[0, index == 0, 1] = 20.0
    outputs = {
        "cls_logits": logits,
        "bbox_regression": encode_boxes(inside.expand(len(points), 5), points, strides)[None],
        "bbox_ctrness": torch.full((1, len(points), 1), 20.0),
    }
    height, width = int(size[0] * scale + 1e-6), int(size[1] * scale + 1e-6)
    with torch.no_grad():
        batch, _ = model.eval().transform([torch.rand(3, *size)])
        assert batch.image_sizes == [(height, width)]
        counts = [64, 16, 4, 1, 1]
        found = model.detections({name: value[0] for name, value in outputs.items()}, points, strides, counts)
        found = model.transform.postprocess([found], batch.image_sizes, [size])[0]
    assert found["labels"].tolist() == [2] and found["scores"][0] > 0.99
    assert rotated_iou(found["boxes"], truth).item() > 0.9999


def test_the_loss_does_not_depend_on_the_name(model):
    cx, cy, w, h, a = BOX
    loss = loss_of(model, BOX)
    for other in ([cx, cy, w, h, a + 180], [cx, cy, w, h, a - 180], [cx, cy, h, w, a + 90], [cx, cy, h, w, a - 90]):
        assert torch.allclose(loss_of(model, other), loss, atol=1e-6)
    for different in ([cx, cy, h, w, a], [cx, cy, w, h, -a], [cx + 2, cy, w, h, a]):
        assert not torch.allclose(loss_of(model, different), loss, atol=1e-3), "another box has another loss"


def test_the_loss_is_continuous(model):
    def step(one, other):
        return (loss_of(model, one) - loss_of(model, other)).abs().max()

    assert step([30, 34, 36, 14, 89.999], [30, 34, 36, 14, -89.999]) < 1e-4
    assert step([30, 34, 20, 20.0001, 70], [30, 34, 20.0001, 20, 70]) < 1e-4
    assert step([30, 34, 36, 14, 60], [30, 34, 36, 14, -60]) > 1e-3, "30 degrees from the wrap on either side"


def test_uneven_images_do_not_shear_boxes(model):
    """At 97 × 133 torchvision would stretch by 1 %, and a square on its corner would be a rhombus."""
    image, square = torch.rand(3, 97, 133), [60.0, 50, 20, 20, 45]
    batch, targets = model.train().transform([image], [target([square])])
    scale = 64 / 133
    assert torch.allclose(targets[0]["boxes"], torch.tensor([[*[v * scale for v in square[:4]], 45.0]]))
    assert batch.image_sizes == [(46, 64)]


def test_images_without_objects_train_everything(model):
    model.train().zero_grad()
    losses = model([torch.rand(3, 64, 64)] * 2, [target([]), target([])])
    assert losses["bbox_regression"] == 0 and losses["bbox_ctrness"] == 0 and losses["classification"] > 0
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_inputs_are_never_changed_and_tv_tensors_will_do(model):
    images, targets = toy_images(2, seed=3, size=70)
    kept = [i.clone() for i in images], [{k: v.clone() for k, v in t.items()} for t in targets]
    plain = model.train()(images, targets)
    model.eval()(images)
    assert all(torch.equal(a, b) for a, b in zip(images, kept[0], strict=True))
    assert all(torch.equal(a[k], b[k]) for a, b in zip(targets, kept[1], strict=True) for k in b)
    wrapped = [
        {**t, "boxes": tv_tensors.BoundingBoxes(t["boxes"], format="CXCYWHR", canvas_size=(70, 70))} for t in targets
    ]
    again = model.train()([tv_tensors.Image(image) for image in images], wrapped)
    assert all(type(value) is torch.Tensor for value in again.values())
    assert all(torch.allclose(plain[name], again[name], atol=1e-5) for name in plain)


FINE = target([BOX])
WRONG = {
    "w and h": target([[30.0, 30, 0, 5, 0]]),
    "w and h must": target([[30.0, 30, 5, -1, 0]]),
    "finite": target([[30.0, float("nan"), 5, 5, 0]]),
    "finite; number 1": target([BOX, [30.0, 30, 5, 5, float("inf")]]),
    r"not \(1, 4\)": {**FINE, "boxes": torch.ones(1, 4)},
    r"not \(5,\)": {**FINE, "boxes": torch.ones(5)},
    "labels must be 1 … 3": target([BOX], torch.tensor([0])),
    "labels must be 1 … 3; number 0 is 4": target([BOX], torch.tensor([4])),
    "labels must be 1 integers": target([BOX], torch.tensor([1, 2])),
    "1 integers, not torch.float32": target([BOX], torch.tensor([1.0])),
    "labels must be a tensor": {"boxes": FINE["boxes"]},
    "CXCYWHR, not XYWHR": {
        **FINE,
        "boxes": tv_tensors.BoundingBoxes(FINE["boxes"], format="XYWHR", canvas_size=(64, 64)),
    },
}


@pytest.mark.parametrize("said", WRONG)
def test_targets_that_cannot_be_right_are_refused(model, said):
    images = [torch.rand(3, 64, 64)] * 3
    with pytest.raises(ValueError, match=f"image 1.*{said}"):
        model.train()(images, [FINE, WRONG[said], FINE])
    assert model([images[0]], [FINE])


def test_calls_that_cannot_be_right_are_refused(model):
    images = [torch.rand(3, 64, 64)] * 2
    with pytest.raises(ValueError, match="needs targets"):
        model.train()(images)
    with pytest.raises(ValueError, match="2 images but 1 targets"):
        model.train()(images, [FINE])
    with pytest.raises(ValueError, match="background"):
        rotated_fcos_resnet50_fpn(num_classes=1)


def test_half_precision_decodes_in_float32(model):
    images, targets = toy_images(2, seed=3, size=64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model.train()(images, targets)
        sum(losses.values()).backward()
        model.eval().score_thresh = 0.0
        found = model(images)
    model.score_thresh = 0.05
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
    assert all(one["boxes"].dtype == torch.float32 and one["scores"].dtype == torch.float32 for one in found)
    # Only the head: on 1 × 1 maps torch 2.15's own bfloat16 convolution leaves NaN in the pyramid, now and then.
    assert all(p.grad.isfinite().all() for p in model.head.parameters())


def test_the_head_compiles_in_one_graph(model):
    features = [torch.rand(1, 64, n, n) for n in (8, 4)]
    compiled = torch.compile(model.eval().head, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        for name, value in compiled(features).items():
            assert torch.allclose(value, model.head(features)[name], atol=1e-5)


@pytest.mark.slow
def test_it_learns_two_images():
    result = overfit(count=2, steps=50, size=64)
    assert result.missed == 0 and result.mean_iou > 0.8
    untrained = overfit(count=2, steps=2, size=64)
    assert untrained.missed > 0 and untrained.mean_iou < 0.5, "the measure must see a model that learnt nothing"


@pytest.mark.slow
def test_it_learns_eight_images():
    result = overfit(count=8, steps=90)
    assert result.missed == 0 and result.false == 0 and result.mean_iou >= 0.95


class RawMaps(torch.nn.Module):
    """The part with a fixed graph: normalised images (N, 3, H, W) → the head's maps. Boxes are decoded outside."""

    def __init__(self, detector):
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, images):
        return self.head(list(self.backbone(images).values()))


def test_the_raw_maps_export_with_any_batch_and_give_the_same_detections():
    detector = small_detector(size=64).eval()
    images, dimension = torch.rand(2, 3, 64, 64), torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(RawMaps(detector), (images,), dynamic_shapes={"images": {0: dimension}})
    others = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    exported, own = program.module()(others), RawMaps(detector)(others)
    assert exported.keys() == own.keys()
    for name, value in own.items():
        torch.testing.assert_close(exported[name], value)
    sizes = [tuple(level.shape[-2:]) for level in detector.backbone(others).values()]
    points, strides = pyramid_points(sizes, detector.strides, others.device)
    counts = [height * width for height, width in sizes]
    detector.score_thresh = 0.0
    first = [{name: value[0] for name, value in raw.items()} for raw in (exported, own)]
    deployed, expected = (detector.detections(raw, points, strides, counts) for raw in first)
    assert len(expected["boxes"]) > 0
    torch.testing.assert_close(deployed["boxes"], expected["boxes"], atol=1e-3, rtol=1e-4)


class OneImage(nn.Module):
    """A detector as ``torch.jit.trace`` takes it: a trace returns no list of dicts, and none of torchvision's does."""

    def __init__(self, detector):
        super().__init__()
        self.detector = detector

    def forward(self, image):
        return self.detector([image])[0]


def test_a_trace_detects_in_other_images_what_the_model_does(tmp_path):
    """Rounds of suppression and the number of candidates follow the image, not the one that was traced."""
    torch.manual_seed(0)
    model = rotated_fcos_resnet50_fpn(4, min_size=64, max_size=64, score_thresh=0.1, topk_candidates=300)
    nn.init.normal_(model.head.classification_head.cls_logits.weight, std=0.1)
    nn.init.normal_(model.head.box.weight, std=0.1)
    one = OneImage(model).eval()
    images = [torch.rand(3, 64, 64) ** power for power in (1, 3)] + [torch.zeros(3, 64, 64)]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that constants of the image's size are kept, and that tracing is old
        torch.jit.trace(one, images[0], strict=False, check_trace=False).save(tmp_path / "traced.pt")
        traced = torch.jit.load(tmp_path / "traced.pt")
        found = [(one(image), traced(image)) for image in images]
    assert len({len(expected["boxes"]) for expected, _ in found}) > 1, "or nothing here depends on the image"
    for expected, seen in found:
        for key in ("boxes", "labels", "scores"):
            torch.testing.assert_close(seen[key], expected[key])
