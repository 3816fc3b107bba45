"""The seven tasks, one file each with the same members, the protocol that they keep, and losses beside torch's."""

from aistudio.tasks.anomaly_detection import AnomalyDetection
from aistudio.tasks.base import Task
from aistudio.tasks.batch import Batch, make_batch
from aistudio.tasks.classification import Classification
from aistudio.tasks.instance_segmentation import InstanceSegmentation
from aistudio.tasks.losses import CrossEntropyDiceLoss, DiceLoss, FocalLoss
from aistudio.tasks.object_detection import ObjectDetection
from aistudio.tasks.oriented_object_detection import OrientedObjectDetection
from aistudio.tasks.regression import Regression
from aistudio.tasks.segmentation import Segmentation

__all__ = [
    "AnomalyDetection",
    "Batch",
    "Classification",
    "CrossEntropyDiceLoss",
    "DiceLoss",
    "FocalLoss",
    "InstanceSegmentation",
    "ObjectDetection",
    "OrientedObjectDetection",
    "Regression",
    "Segmentation",
    "Task",
    "make_batch",
]
