"""Mistakes in labelled data that ruin a training run, found without torch: formats, checks, findings."""

from aistudio.audit.audit import FORMATS, Audit, audit, read_labels
from aistudio.audit.findings import Finding, as_csv, fails
from aistudio.audit.options import Options, options_from
from aistudio.audit.records import Fault, ImageRecord, Labels, ObjectRecord, Place

__all__ = [
    "FORMATS",
    "Audit",
    "Fault",
    "Finding",
    "ImageRecord",
    "Labels",
    "ObjectRecord",
    "Options",
    "Place",
    "as_csv",
    "audit",
    "fails",
    "options_from",
    "read_labels",
]
