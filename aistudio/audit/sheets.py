"""The drawings of an audit: ``findings.png``, what is wrong, and ``labels.png``, how the labels are distributed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aistudio import drawing
from aistudio.audit.audit import Audit
from aistudio.audit.words import describe

if TYPE_CHECKING:
    from PIL import Image


def save_sheet(audit: Audit, path: Path) -> bool:
    """Write the drawing that a file is named after; whether there was anything to draw."""
    sheet = SHEETS[path.name](audit)
    if sheet is None:
        return False
    drawing.save_sheet(path, sheet)
    return True


def _findings(audit: Audit) -> Image.Image | None:
    """The worst findings cut out."""
    from aistudio.audit.cutouts import findings_sheet

    return findings_sheet(audit) if audit.findings else None


def _labels(audit: Audit) -> Image.Image | None:
    """How the labels are distributed."""
    from aistudio.audit.distribution import distribution
    from aistudio.audit.label_plots import label_plots

    return label_plots(distribution(audit), describe(audit))


SHEETS = {"findings.png": _findings, "labels.png": _labels}
