"""Rotated boxes: exact IoU, suppression, box code, augmentation, average precision, and a detector.

One convention throughout, that of :mod:`aistudio.oriented.boxes`: cx, cy, w, h in pixels and degrees,
counter-clockwise on the screen. Everything is plain PyTorch; nothing is compiled.
"""

from .augment import rotation_augmentation
from .boxes import (
    boxes_from_mmrotate,
    boxes_to_corners,
    boxes_to_mmrotate,
    canonical_boxes,
    corners_to_boxes,
    resize_boxes,
)
from .code import decode_boxes, encode_boxes
from .detector import RotatedFCOS, rotated_fcos_resnet50_fpn
from .iou import rotated_iou, rotated_iou_matrix
from .mean_average_precision import mean_average_precision, rotated_mean_average_precision
from .nms import rotated_nms

__all__ = [
    "RotatedFCOS",
    "boxes_from_mmrotate",
    "boxes_to_corners",
    "boxes_to_mmrotate",
    "canonical_boxes",
    "corners_to_boxes",
    "decode_boxes",
    "encode_boxes",
    "mean_average_precision",
    "resize_boxes",
    "rotated_fcos_resnet50_fpn",
    "rotated_iou",
    "rotated_iou_matrix",
    "rotated_mean_average_precision",
    "rotated_nms",
    "rotation_augmentation",
]
