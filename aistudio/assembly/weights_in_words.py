"""What became of pretrained weights, for reports: the ledger of each file, and what is remarkable about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aistudio.models.ledger import Ledger

_MOST_NAMES = 3  # of tensors, in a line


def as_entry(ledger: Ledger) -> dict[str, Any]:
    """What was loaded from one file, as ``report.json`` holds it; names are the model's, left over ones the file's."""
    return {
        "setting": ledger.setting,
        "value": ledger.value,
        "file": ledger.file.name,
        "source": ledger.published.url if ledger.published else ledger.value,
        "sha256": ledger.sha256,
        "taken_from": ledger.part,
        "copied": len(ledger.copied),
        "adapted": {name: rule for name, (_, rule) in ledger.adapted.items()},
        "made_anew": list(ledger.remade),
        "missing": list(ledger.missing),
        "left_over": list(ledger.left_over),
    }


def in_a_line(ledger: Ledger) -> str:
    """The ledger in a line, and how its weights were evaluated when they were published."""
    parts = [
        f"{len(ledger.copied)} tensors copied",
        *counted(ledger.adapted, "adapted"),
        *counted(ledger.remade, "made anew"),
        *counted(ledger.missing, "missing"),
        *counted(ledger.left_over, "left over"),
    ]
    size = f"; published at {ledger.published.crop} px" if ledger.published and ledger.published.crop else ""
    return f"{ledger.file.name}: {', '.join(parts)}{size}"


def counted(names: Sequence[str] | Mapping[str, Any], what: str) -> Iterator[str]:
    """How many tensors something became of, and the first of them; nothing where there are none."""
    names = list(names)
    if names:
        yield f"{len(names)} {what} ({', '.join(names[:_MOST_NAMES])}{', …' * (len(names) > _MOST_NAMES)})"


def weight_warnings(ledgers: Sequence[Ledger], entries: Sequence[Mapping[str, Any]], image_size: int) -> Iterator[str]:
    """What one should know: other files than published, other sizes than the weights', averages, missing tensors."""
    for ledger, entry in zip(ledgers, entries, strict=True):
        yield from ledger.notes
        published = ledger.published
        if published and published.crop and published.crop != image_size:
            setting = f"{ledger.setting}={ledger.value} was published at {published.crop} px"
            yield f"{setting}; task.image_size is {image_size}"
        if ledger.missing:
            yield f"{entry['file']} lacks {len(ledger.missing)} tensors, which start from random numbers"
