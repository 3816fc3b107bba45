"""Rotated FCOS: torchvision's FCOS with boxes that turn. Called exactly as torchvision's detectors are."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d, sigmoid_focal_loss
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from aistudio.oriented.boxes import canonical_boxes
from aistudio.oriented.code import decode_boxes
from aistudio.oriented.head import RotatedFCOSHead
from aistudio.oriented.iou import rotated_iou
from aistudio.oriented.match import levels_of_boxes, match_points, pyramid_points
from aistudio.oriented.nms import rotated_nms
from aistudio.oriented.targets import checked_targets
from aistudio.oriented.transform import RotatedTransform

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class RotatedFCOS(nn.Module):
    """An anchor-free, one-stage detector of rotated boxes.

    In training, ``model(images, targets)`` takes a list of images (3, H, W) in [0, 1], of any sizes, and
    a list of dicts with ``boxes`` (N, 5) as cx, cy, w, h, degrees (see :mod:`aistudio.oriented.boxes`; a
    ``CXCYWHR`` tv_tensor will do) and ``labels`` (N,) int64 in 1 … num_classes - 1; N may be 0. It returns
    the losses ``classification``, ``bbox_regression`` and ``bbox_ctrness``; the training loss is their sum.
    In evaluation, ``model(images)`` returns for each image ``boxes`` (K, 5) in canonical form, in the
    pixels of the image that came in, ``labels`` (K,) int64 and ``scores`` (K,) in falling order. Inputs
    are never changed.

    In evaluation it can be traced (``torch.jit.trace`` of a module that returns one image's dict, as with torchvision's
    detectors): for images of one size, and with suppression as an operator, so that aistudio.oriented must be imported
    where the trace is loaded. ``torch.jit.script`` does not take it: the exact IoU and the suppression use closures,
    ``torch.finfo`` and tv_tensors.

    Args:
        backbone: gives an OrderedDict of feature maps (N, out_channels, H, W), one for each of strides.
        num_classes: classes *with* background, as torchvision counts: objects are 1 … num_classes - 1.
        min_size: the shorter side is scaled to this (in training to one of several, drawn for each image) ...
        max_size: ... unless the longer side would exceed this.
        image_mean: of the images the backbone was trained on; ImageNet's if None.
        image_std: likewise.
        strides: pixels between neighbouring cells of each feature map.
        score_thresh: detections need a score above this; the score is √(class probability · centre-ness).
        nms_thresh: of two boxes of one class with a greater IoU, the better one stays.
        detections_per_img: at most so many are returned for an image.
        topk_candidates: at most so many of each level enter the suppression.

    Raises:
        ValueError: a target cannot be right; the message names the index of its image.
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        min_size: int | tuple[int, ...] = 800,
        max_size: int = 1333,
        image_mean: tuple[float, float, float] | None = None,
        image_std: tuple[float, float, float] | None = None,
        strides: tuple[int, ...] = (8, 16, 32, 64, 128),
        score_thresh: float = 0.05,
        nms_thresh: float = 0.1,
        detections_per_img: int = 300,
        topk_candidates: int = 1000,
    ):
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes counts the background: it must be 2 or more, not {num_classes}")
        self.backbone = backbone
        self.head = RotatedFCOSHead(int(cast(int, backbone.out_channels)), num_classes - 1)
        mean, std = list(image_mean or IMAGENET_MEAN), list(image_std or IMAGENET_STD)
        self.transform = RotatedTransform(min_size, max_size, mean, std)
        self.num_classes = num_classes
        self.strides = tuple(strides)
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.topk_candidates = topk_candidates

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Losses in training, detections in evaluation; see the class."""
        if targets is not None:
            targets = checked_targets(targets, len(images), self.num_classes)
        elif self.training:
            raise ValueError("in training, the detector needs targets")
        original_sizes = [(image.shape[-2], image.shape[-1]) for image in images]
        batch, targets = self.transform(images, targets)
        features = self.backbone(batch.tensors)
        features = list(features.values()) if isinstance(features, dict) else [features]
        outputs = self.head(features)
        sizes = [(level.shape[-2], level.shape[-1]) for level in features]
        points, strides = pyramid_points(sizes, self.strides, batch.tensors.device)
        if self.training:
            return self.losses(outputs, points, strides, targets)
        counts = [height * width for height, width in sizes]
        detections = [
            self.detections({name: value[i] for name, value in outputs.items()}, points, strides, counts)
            for i in range(len(images))
        ]
        return self.transform.postprocess(detections, batch.image_sizes, original_sizes)

    def losses(
        self, outputs: dict[str, Tensor], points: Tensor, strides: Tensor, targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Focal loss of the classes, 1 - IoU of the boxes weighted by centre-ness, and that of centre-ness itself."""
        logits, codes = outputs["cls_logits"].float(), outputs["bbox_regression"]
        ctr_logits = outputs["bbox_ctrness"].float()[..., 0]
        matches = [match_points(points, strides, target["boxes"]) for target in targets]
        index = torch.stack([index for index, _ in matches])  # (N, P), into the boxes of its own image
        centreness = torch.stack([centreness for _, centreness in matches])
        image, point = (index >= 0).nonzero(as_tuple=True)
        first = index.new_tensor([0] + [len(target["boxes"]) for target in targets][:-1]).cumsum(0)
        truth = index[image, point] + first[image]
        boxes = torch.cat([target["boxes"] for target in targets])[truth]
        labels = torch.cat([target["labels"] for target in targets])[truth]
        weight = centreness[image, point]
        positives = max(1, len(truth))

        wanted = torch.zeros_like(logits)
        wanted[image, point, labels - 1] = 1
        iou = rotated_iou(decode_boxes(codes[image, point], points[point], strides[point]), boxes)
        centred = nn.functional.binary_cross_entropy_with_logits(ctr_logits[image, point], weight, reduction="sum")
        # A sum over no point is 0 and still reaches every parameter: a batch without objects trains too.
        return {
            "classification": sigmoid_focal_loss(logits, wanted, reduction="sum") / positives,
            "bbox_regression": (weight * (1 - iou)).sum() / weight.sum().clamp(min=1e-6),
            "bbox_ctrness": centred / positives,
        }

    def levels_of(self, boxes: Tensor, sizes: list[tuple[int, int]], alone: bool = False) -> Tensor:
        """The level (N,) int64 that learns each of boxes (N, 5) in one image, or alone; -1 where no point does.

        boxes are in pixels of the network's input, sizes the (height, width) of each level's map.
        """
        return levels_of_boxes(boxes, sizes, self.strides, alone)

    def detections(
        self, outputs: dict[str, Tensor], points: Tensor, strides: Tensor, counts: list[int]
    ) -> dict[str, Tensor]:
        """Detections in one image, in the pixels of the network's input, from outputs (P, ...) of counts points."""
        probability, ctr = outputs["cls_logits"].float().sigmoid(), outputs["bbox_ctrness"].float().sigmoid()
        scores = (probability * ctr).sqrt()
        chosen, first = [], 0
        for level, count in zip(scores.split(counts), counts, strict=True):
            candidates = (level > self.score_thresh).nonzero()
            best = _largest(level[candidates[:, 0], candidates[:, 1]], self.topk_candidates)
            chosen.append(candidates[best] + candidates.new_tensor([first, 0]))
            first += count
        point, column = torch.cat(chosen).unbind(1)
        boxes = canonical_boxes(decode_boxes(outputs["bbox_regression"][point], points[point], strides[point]))
        labels, scores = column + 1, scores[point, column]
        kept = rotated_nms(boxes, scores, self.nms_thresh, labels)[: self.detections_per_img]
        return {"boxes": boxes[kept], "labels": labels[kept], "scores": scores[kept]}


def _largest(scores: Tensor, most: int) -> Tensor:
    """The indices (at most ``most``) of the largest scores (K,), which a trace must not know the number of."""
    if torch._C._get_tracing_state():
        return scores.argsort(descending=True, stable=True)[:most]
    return scores.topk(min(most, len(scores))).indices


def rotated_fcos_resnet50_fpn(
    num_classes: int,
    weights_backbone: ResNet50_Weights | str | None = None,
    min_size: int | tuple[int, ...] = 320,
    max_size: int = 320,
    trainable_backbone_layers: int | None = None,
    image_mean: tuple[float, float, float] | None = None,
    image_std: tuple[float, float, float] | None = None,
    score_thresh: float = 0.05,
    nms_thresh: float = 0.1,
    detections_per_img: int = 300,
    topk_candidates: int = 1000,
) -> RotatedFCOS:
    """A :class:`RotatedFCOS` on a ResNet-50 with a feature pyramid (strides 8 to 128, 256 channels).

    Args:
        num_classes: classes with background: objects are labelled 1 … num_classes - 1.
        weights_backbone: ImageNet weights of the backbone, which are downloaded; none and no download if None.
        trainable_backbone_layers: 0 … 5, counted from the end; unless said 3 with weights, and all without.

    The others are those of :class:`RotatedFCOS`.
    """
    weights = ResNet50_Weights.verify(weights_backbone)
    layers = 5 if weights is None else 3
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50",
        weights=weights,
        norm_layer=nn.BatchNorm2d if weights is None else FrozenBatchNorm2d,
        trainable_layers=layers if trainable_backbone_layers is None else trainable_backbone_layers,
        returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256),
    )
    return RotatedFCOS(
        backbone,
        num_classes,
        min_size=min_size,
        max_size=max_size,
        image_mean=image_mean,
        image_std=image_std,
        score_thresh=score_thresh,
        nms_thresh=nms_thresh,
        detections_per_img=detections_per_img,
        topk_candidates=topk_candidates,
    )
