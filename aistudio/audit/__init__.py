"""Mistakes in labelled data that ruin a training run, found without torch: formats, checks, findings."""

from aistudio.audit.audit import FORMATS, Audit, audit, read_labels
from aistudio.audit.configured import (
    audit_configured,
    configured_options,
    is_labelled,
    labels_configured,
    outputs_found,
    outputs_key,
    task_of,
)
from aistudio.audit.findings import Finding, as_csv, fails
from aistudio.audit.formats.own import Reader
from aistudio.audit.options import Options, options_from
from aistudio.audit.records import Fault, ImageRecord, Labels, ObjectRecord, Place
from aistudio.audit.shards import Merged, as_lines, merge, read_shard
from aistudio.audit.sheets import SHEETS, save_sheet
from aistudio.audit.words import describe, finding_lines, verdict

__all__ = [
    "FORMATS",
    "SHEETS",
    "Audit",
    "Fault",
    "Finding",
    "ImageRecord",
    "Labels",
    "Merged",
    "ObjectRecord",
    "Options",
    "Place",
    "Reader",
    "as_csv",
    "as_lines",
    "audit",
    "audit_configured",
    "configured_options",
    "describe",
    "fails",
    "finding_lines",
    "is_labelled",
    "labels_configured",
    "merge",
    "options_from",
    "outputs_found",
    "outputs_key",
    "read_labels",
    "read_shard",
    "save_sheet",
    "task_of",
    "verdict",
]
