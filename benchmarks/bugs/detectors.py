"""A detector that cannot answer, or answers elsewhere."""

import torch
from tiny_models import subject
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from aistudio.tasks import InstanceSegmentation
from bugs.apart_subjects import CHECK_MODE, masked
from bugs.bug import CLASSES, Bug, anchored, detecting, points, two_staged, with_


class Enlarging(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        return super().postprocess(found, now, [(2 * height, 2 * width) for height, width in original])


class NotScaledBack(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        return found


class SidesSwapped(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        for one in found:
            one["boxes"] = one["boxes"][:, [1, 0, 3, 2]]
        return found


class CornersAndSides(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        for one in found:
            one["boxes"] = torch.cat([one["boxes"][:, :2], one["boxes"][:, 2:] - one["boxes"][:, :2]], 1)
        return found


class InUnits(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        for one, (height, width) in zip(found, original, strict=True):
            one["boxes"] = one["boxes"] / one["boxes"].new_tensor([width, height, width, height])
        return found


class LabelsOffByOne(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        for one in found:
            one["labels"] = one["labels"] + 1
        return found


class HalfAsLarge(GeneralizedRCNNTransform):
    """Around the same centres."""

    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        for one in found:
            centre, half = (one["boxes"][:, :2] + one["boxes"][:, 2:]) / 2, one["boxes"][:, 2:] - one["boxes"][:, :2]
            one["boxes"] = torch.cat([centre - half / 4, centre + half / 4], 1)
        return found


class WholePixels(GeneralizedRCNNTransform):
    """As a tool wants them that draws boxes."""

    def postprocess(self, found, now, original):
        return [{**one, "boxes": one["boxes"].round()} for one in super().postprocess(found, now, original)]


class Moved(GeneralizedRCNNTransform):
    """By an eighth of the image, as padding on one side does that nobody takes off again."""

    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        for one, (_, width) in zip(found, original, strict=True):
            one["boxes"] = one["boxes"] + one["boxes"].new_tensor([width / 8, 0, width / 8, 0])
        return found


class OneLabel(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        for one in found:
            one["labels"] = torch.ones_like(one["labels"])
        return found


class MasksMirrored(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        return found if self.training else [{**one, "masks": one["masks"].flip(3)} for one in found]


class MasksOfAnotherBox(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        found = super().postprocess(found, now, original)
        return found if self.training else [{**one, "masks": one["masks"].roll(1, 0)} for one in found]


class FirstOnly(GeneralizedRCNNTransform):
    def postprocess(self, found, now, original):
        return super().postprocess([{k: v[:1] for k, v in one.items()} for one in found], now, original)


def transformed(kind, model=points):
    return lambda: detecting(with_(lambda made: setattr(made.transform, "__class__", kind), model))


def masking(kind):
    change = with_(lambda made: setattr(made.transform, "__class__", kind), masked)
    return lambda: subject(change, InstanceSegmentation(CLASSES), check_mode=CHECK_MODE)


def of(model, **settings):
    return lambda: detecting(lambda: model(**settings))


def changed(path, value, model=two_staged):
    def change(made):
        *parents, last = path.split(".")
        for name in parents:
            made = getattr(made, name)
        setattr(made, last, value)

    return lambda: detecting(with_(change, model))


def normalised(mean, std):
    return of(points, image_mean=mean, image_std=std)


HUGE = AnchorGenerator(sizes=((2048,),), aspect_ratios=((1.0,),))

BUGS = [
    Bug("threshold of .99", "detector_settings", of(points, score_thresh=0.99)),
    Bug("threshold above 1", "detector_settings", of(anchored, score_thresh=1.5)),
    Bug("threshold of .9, two stages", "detector_settings", of(two_staged, box_score_thresh=0.9)),
    Bug("suppression off", "detector_settings", of(points, nms_thresh=1.0)),
    Bug("suppression total", "detector_settings", of(points, nms_thresh=0.0)),
    Bug("suppression off, two stages", "detector_settings", of(two_staged, box_nms_thresh=1.0)),
    Bug("suppression of proposals total", "detector_settings", of(two_staged, rpn_nms_thresh=0.0)),
    Bug("one detection an image", "detector_settings", of(points, detections_per_img=1)),
    Bug("one detection an image, two stages", "detector_settings", of(two_staged, box_detections_per_img=1)),
    Bug("one candidate a level", "detector_settings", of(anchored, topk_candidates=1)),
    Bug("one proposal", "detector_settings", of(two_staged, rpn_post_nms_top_n_test=1)),
    Bug("one proposal in training", "detector_settings", of(two_staged, rpn_post_nms_top_n_train=1)),
    Bug("one region an image in training", "detector_settings", of(two_staged, box_batch_size_per_image=1)),
    Bug("no positive regions", "detector_settings", of(two_staged, box_positive_fraction=0.0)),
    Bug("matches only above .99", "detector_settings", of(anchored, fg_iou_thresh=0.99, bg_iou_thresh=0.99)),
    Bug(
        "everything is background", "detector_settings", of(two_staged, box_fg_iou_thresh=0.99, box_bg_iou_thresh=0.99)
    ),
    Bug("silent 800 px", "detector_settings", of(points, min_size=800, max_size=1333)),
    Bug("silent 32 px", "detector_settings", of(points, min_size=16, max_size=32)),
    Bug("anchors of 2048 px", "detector_settings", of(anchored, anchor_generator=HUGE)),
    Bug("anchors of 1 px", "detector_settings", of(anchored, sizes=(1,))),
    Bug("regions smaller than an image are dropped", "detector_settings", changed("rpn.min_size", 1000.0)),
    Bug("boxes twice as large", "output_contract", transformed(Enlarging)),
    Bug("boxes not scaled back", "boxes_follow_the_image", transformed(NotScaledBack)),
    Bug("x and y of boxes swapped", "boxes_follow_the_image", transformed(SidesSwapped)),
    Bug("x, y, w, h in place of corners", "output_contract boxes_follow_the_image", transformed(CornersAndSides)),
    Bug("boxes in 0 to 1", "boxes_follow_the_image", transformed(InUnits)),
    Bug("classes of boxes off by one", "output_contract", transformed(LabelsOffByOne)),
    Bug("only the best box is kept", "boxes_follow_the_image", transformed(FirstOnly)),
    Bug("boxes half as large", "decodes_boxes", transformed(HalfAsLarge)),
    Bug("boxes half as large, two stages", "decodes_boxes", transformed(HalfAsLarge, two_staged)),
    Bug("boxes rounded to whole pixels", "decodes_boxes", transformed(WholePixels), words="rounded"),
    Bug("boxes moved by an eighth", "decodes_boxes", transformed(Moved, anchored)),
    Bug("one label for all boxes", "decodes_boxes", transformed(OneLabel), words="whatever the class"),
    Bug("one label for all boxes, two stages", "decodes_boxes", transformed(OneLabel, two_staged)),
    Bug("decoded otherwise than coded", "decodes_boxes", changed("box_coder.weights", (2.0, 2.0, 1.0, 1.0), anchored)),
    Bug("masks mirrored behind the head", "decodes_boxes", masking(MasksMirrored), words="masks"),
    Bug("masks of another box behind the head", "decodes_boxes", masking(MasksOfAnotherBox), words="masks"),
    Bug("not normalised inside", "input_range", normalised([0.0] * 3, [1.0] * 3)),
    Bug("normalised to -1 … 1 inside", "input_range", normalised([0.5] * 3, [0.5] * 3)),
    Bug("one class too few", "edge_labels all_finite", lambda: detecting(fewer_classes)),
]


def fewer_classes():
    made = points()
    made.head.classification_head.num_classes = CLASSES
    made.head.classification_head.cls_logits = torch.nn.Conv2d(32, CLASSES, 3, 1, 1)
    return made
