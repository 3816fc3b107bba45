"""An audit in words, for a terminal: worst first, the first few places of each kind, and one verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aistudio.audit.audit import Audit
from aistudio.audit.findings import Finding, fails
from aistudio.audit.kinds import MEANING, ODD
from aistudio.audit.tree import printable

PLACES = 3  # of each kind
MARKS = {"breaks": "✗", "poisons": "✗", "odd": "!"}


def describe(audit: Audit) -> str:
    """What was looked at."""
    labels = audit.labels
    splits = sorted({image.split for image in labels.images} - {""})
    parts = [f"{audit.images:,} images"]
    parts += [f"{audit.objects:,} objects"] if audit.objects else []
    empty = sum(image.labelled and not image.objects for image in labels.images)
    parts += [f"{empty:,} images of background"] if empty and audit.objects else []
    parts += [f"{len(labels.classes)} classes"] if labels.classes and not labels.value_names else []
    parts += [f"values {', '.join(labels.value_names)}"] if labels.value_names else []
    parts += [f"splits {', '.join(splits)}"] if splits else []
    some = audit.decoded < audit.images
    how = f"{audit.decoded:,} of {audit.images:,} decoded (data.limit=null decodes all)" if some else "all decoded"
    return f"{labels.format} · {', '.join(parts)} · {how}"


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A line a kind, its reason, and its first places."""
    width = max((len(finding.kind) for finding in findings), default=0)
    for finding in findings:
        mark = MARKS[finding.severity]
        yield f"{mark}  {finding.kind:<{width}}  {finding.severity:<7}  {finding.count:>6,}  {finding.why}"
        for fault in finding.faults[:PLACES]:
            yield printable(f"     {fault.place}: {fault.message}")
        if finding.count > PLACES:
            yield f"     and {finding.count - PLACES:,} more in findings.csv"


def verdict(findings: Sequence[Finding]) -> str:
    """Passed or failed, and how many kinds of each severity."""
    if not findings:
        return "PASSED  nothing found"
    counts = {name: sum(finding.severity == name for finding in findings) for name in MEANING}
    said = [f"{count} {name}" for name, count in counts.items() if count]
    if fails(findings):
        return f"FAILED  kinds of findings: {', '.join(said)}"
    return f"PASSED  {counts[ODD]} kind{'s' * (counts[ODD] != 1)} of findings that may be right"
