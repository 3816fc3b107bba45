"""The checks of the sanity run: small frozen objects, made from ``conf/sanity/*.yaml``, called with a `Subject`.

A check is any class with a ``why`` (one sentence) and ``__call__(subject) -> Outcome``. Nothing is registered: an
entry of ``sanity.checks`` names it by its dotted path, with its knobs, and that is all it takes to add one.

Legend of the shapes in these files: N images in the batch, C classes, K objects in one image, H and W pixels.
"""

from aistudio.checks.batch_loss import LossIsMean, TargetsDiffer
from aistudio.checks.contract import AllFinite, BackboneContract, OddSizes, OutputContract
from aistudio.checks.data_fits_model import DataFitsModel
from aistudio.checks.decoding import DecodesBoxes
from aistudio.checks.detector import BoxesFollowTheImage, DetectorSettings
from aistudio.checks.edges import BatchOfOne, BlankImages, EdgeLabels, IgnoredPixels, NoObjects
from aistudio.checks.evaluation import BatchIndependence, Deterministic, Reproducible, StateDictRoundTrip, UsesImages
from aistudio.checks.generalizes import Generalizes
from aistudio.checks.input_range import InputRange
from aistudio.checks.learning import Frozen, Gradients, OptimizerStep, UsesTargets
from aistudio.checks.loss_gradients import LossIsWhole, UsesEveryPlace
from aistudio.checks.loss_truth import LossRewardsTruth
from aistudio.checks.modes import ModesAgree
from aistudio.checks.numerics import Autocast, ChannelsLast, Compiles
from aistudio.checks.optimizer import Optimizer
from aistudio.checks.outcome import Check, Outcome, failed, passed, skipped
from aistudio.checks.overfitting import OverfitsOneBatch
from aistudio.checks.portable import Portable
from aistudio.checks.settings import Settings, Structure
from aistudio.checks.side_effects import SideEffects
from aistudio.checks.subject import Subject
from aistudio.checks.weights import LoadedWeights, OnlyRemadeLayersAreRandom, PretrainedFeatures

__all__ = [
    "BlankImages",
    "BoxesFollowTheImage",
    "DetectorSettings",
    "LossIsMean",
    "LossIsWhole",
    "LossRewardsTruth",
    "ModesAgree",
    "Optimizer",
    "Portable",
    "Reproducible",
    "Settings",
    "SideEffects",
    "Structure",
    "TargetsDiffer",
    "UsesEveryPlace",
    "AllFinite",
    "Autocast",
    "BackboneContract",
    "BatchOfOne",
    "ChannelsLast",
    "Check",
    "Compiles",
    "DataFitsModel",
    "DecodesBoxes",
    "Deterministic",
    "EdgeLabels",
    "Frozen",
    "Generalizes",
    "Gradients",
    "IgnoredPixels",
    "UsesImages",
    "InputRange",
    "OverfitsOneBatch",
    "BatchIndependence",
    "LoadedWeights",
    "NoObjects",
    "OddSizes",
    "OnlyRemadeLayersAreRandom",
    "OptimizerStep",
    "Outcome",
    "OutputContract",
    "PretrainedFeatures",
    "StateDictRoundTrip",
    "Subject",
    "UsesTargets",
    "failed",
    "passed",
    "skipped",
]
