"""What a detector's own loss calls right comes out as the boxes that were asked for, or the check names the step."""

import pytest
import torch
import torchvision
from tiny_models import CLASSES, SIZE, Classifier, OneLevel, anchored, detection, detector, subject
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from aistudio.checks import DecodesBoxes
from aistudio.oriented import RotatedFCOS
from aistudio.tasks import InstanceSegmentation, ObjectDetection, OrientedObjectDetection

CHECK = DecodesBoxes("why")
ANCHORS = {"rpn_anchor_generator": AnchorGenerator(sizes=((12, 24, 40),), aspect_ratios=((0.5, 1.0, 2.0),))}
REGIONS = {"box_roi_pool": MultiScaleRoIAlign(["only"], 7, 2), "min_size": SIZE, "max_size": SIZE}


def two_staged(kind=FasterRCNN, **settings):
    return lambda: kind(OneLevel(), CLASSES + 1, **{**ANCHORS, **REGIONS, **settings})


def small_ssd():
    return torchvision.models.detection.ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=CLASSES + 1
    )


def rotated():
    return RotatedFCOS(OneLevel(), CLASSES + 1, SIZE, SIZE, strides=(8,))


class Changed(RotatedFCOS):
    def changed(self, boxes):
        return boxes

    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        return found if self.training else [{**one, "boxes": self.changed(one["boxes"])} for one in found]


class Clockwise(Changed):
    def changed(self, boxes):
        return torch.cat([boxes[:, :4], -boxes[:, 4:]], 1)


class SidesSwapped(Changed):
    def changed(self, boxes):
        return boxes[:, [0, 1, 3, 2, 4]]


class WholeDegrees(Changed):
    def changed(self, boxes):
        return boxes.round()


def of(kind):
    def build():
        model = rotated()
        model.__class__ = kind
        return model

    return build


class Masked(MaskRCNN):
    def changed(self, masks):
        return masks

    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        return found if self.training else [{**one, "masks": self.changed(one["masks"])} for one in found]


class Mirrored(Masked):
    def changed(self, masks):
        return masks.flip(3)


class Transposed(Masked):
    def changed(self, masks):
        return masks.transpose(2, 3)


class Inverted(Masked):
    def changed(self, masks):
        return 1 - masks


class OfAnotherBox(Masked):
    def changed(self, masks):
        return masks.roll(1, 0)


class ALittleMoved(Masked):
    def changed(self, masks):
        return masks.roll(SIZE // 8, 3)


class AnotherOrder(FasterRCNN):
    """Columns of the classes are read from the other end."""

    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        return found if self.training else [{**one, "labels": CLASSES + 1 - one["labels"]} for one in found]


class WholePixels(FasterRCNN):
    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        return found if self.training else [{**one, "boxes": one["boxes"].round()} for one in found]


class Clipped(FasterRCNN):
    """To the image's upper left quarter."""

    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        return found if self.training else [{**one, "boxes": one["boxes"].clamp(max=SIZE / 2)} for one in found]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("model", "task"),
    [
        (detector, detection),
        (lambda: anchored(16, SIZE), detection),
        (two_staged(), detection),
        (two_staged(box_batch_size_per_image=2), detection),
        (
            two_staged(MaskRCNN, mask_roi_pool=MultiScaleRoIAlign(["only"], 14, 2)),
            lambda: InstanceSegmentation(CLASSES),
        ),
        (rotated, lambda: OrientedObjectDetection(CLASSES)),
        (small_ssd, detection),
    ],
    ids=["points", "anchors", "two stages", "few regions", "masks", "rotated", "ssd"],
)
def test_what_is_right_comes_out(model, task, seed):
    one = subject(model, task(), seed=seed)
    before = {name: value.clone() for name, value in one.built.state_dict().items()}
    found = CHECK(one)
    assert found.status == "passed", found
    assert all(torch.equal(before[name], value) for name, value in one.built.state_dict().items())


def test_what_is_fitted_comes_to_rest():
    assert (
        DecodesBoxes("why", overlap=0.95, least=1.0)(subject(lambda: anchored(16, SIZE), detection())).status
        == "passed"
    )


@pytest.mark.parametrize(
    ("model", "task", "words"),
    [
        (of(Clockwise), OrientedObjectDetection, "scaled, moved"),
        (of(SidesSwapped), OrientedObjectDetection, "scaled, moved"),
        (two_staged(AnotherOrder), None, "classes are changed"),
        (two_staged(Clipped), None, "clipped"),
        (two_staged(WholePixels), None, "rounded"),
        (of(WholeDegrees), OrientedObjectDetection, "rounded"),
    ],
    ids=["clockwise", "sides swapped", "classes in another order", "clipped", "whole pixels", "whole degrees"],
)
def test_what_changes_it_is_told(model, task, words):
    found = CHECK(subject(model, task(CLASSES) if task else detection()))
    assert found.status == "failed" and words in found.cause, found


class OneAClass(FasterRCNN):
    """The best box of each class alone is kept."""

    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        if self.training:
            return found
        best = [[int((one["labels"] == label).nonzero()[0]) for label in one["labels"].unique()] for one in found]
        return [{key: value[rows] for key, value in one.items()} for one, rows in zip(found, best, strict=True)]


class LabelsOfAnotherBox(FasterRCNN):
    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        return found if self.training else [{**one, "labels": one["labels"].roll(1)} for one in found]


@pytest.mark.parametrize(("kind", "words"), [(OneAClass, "dropped"), (LabelsOfAnotherBox, "classes are changed")])
def test_no_object_hides_behind_another(kind, words):
    found = CHECK(subject(two_staged(kind), detection()))
    assert found.status == "failed" and words in found.cause, found


MASKS = {"mask_roi_pool": MultiScaleRoIAlign(["only"], 14, 2)}


def test_right_masks_come_out():
    found = CHECK(subject(two_staged(Masked, **MASKS), InstanceSegmentation(CLASSES)))
    assert found.status == "passed" and "right masks come out" in found.seen, found


@pytest.mark.parametrize("kind", [Mirrored, Transposed, Inverted, OfAnotherBox, ALittleMoved])
def test_masks_that_are_changed_behind_the_head_are_told(kind):
    found = CHECK(subject(two_staged(kind, **MASKS), InstanceSegmentation(CLASSES)))
    assert found.status == "failed" and "masks are flipped, moved" in found.cause, found


def test_boxes_alone_are_judged_where_a_mask_head_is_built_otherwise():
    class Own(MaskRCNN):
        """Its predictor of boxes has no ``cls_score``."""

    def build():
        model = two_staged(Own, **MASKS)()
        inner = model.roi_heads.box_predictor
        model.roi_heads.box_predictor = torch.nn.Sequential(inner)
        return model

    found = CHECK(subject(build, InstanceSegmentation(CLASSES)))
    assert found.status == "passed" and "masks" not in found.seen


def test_a_head_that_nobody_knows_is_skipped():
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Classifier()

        def forward(self, images, targets=None):
            return {"loss": self.inner(torch.stack(images)).mean()} if self.training else []

    assert "not known" in CHECK(subject(Own, detection())).cause
    assert "no boxes" in CHECK(subject()).cause


def test_objects_of_a_data_set_are_not_judged():
    class Given:
        def samples(self, count, size, generator):
            raise AssertionError("only asked for the batch")

    one = subject(detector, detection())
    batch = one.batch()
    one.__dict__["_batch"], one.source = batch, Given()
    assert "data_fits_model" in CHECK(one).cause


def test_a_task_that_takes_no_object_is_skipped():
    class Blind(ObjectDetection):
        def target(self, sample):
            return {name: value[:0] for name, value in super().target(sample).items()}

    assert "no objects" in CHECK(subject(detector, Blind(CLASSES))).cause


def test_a_loss_that_does_not_hang_on_the_head_is_skipped():
    class Constant(torchvision.models.detection.FCOS):
        def compute_loss(self, targets, head_outputs, anchors, num_anchors_per_level):
            return {"loss": 1 + 0 * sum(value.sum() for value in head_outputs.values())}

    def build():
        model = detector()
        model.__class__ = Constant
        return model

    assert "does not fall" in CHECK(subject(build, detection())).cause
