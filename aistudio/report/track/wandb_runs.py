"""A run in Weights & Biases: offline unless asked otherwise; ``wandb sync`` sends it later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import wandb

from aistudio.report.track.entry import Entry


def log(entry: Entry, settings: Mapping[str, Any]) -> None:
    """One run with its parameters, metrics, losses by step, images, and its page as HTML."""
    run = wandb.init(
        project=settings.get("project") or "aistudio",
        name=entry.name,
        group=entry.group or None,
        dir=settings.get("folder"),
        mode=settings.get("mode") or "offline",
        config=dict(entry.parameters),
        tags=[entry.verdict],
        reinit="create_new",
        settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
    )
    try:
        for step in range(max(map(len, entry.losses.values()), default=0)):
            run.log({key: losses[step] for key, losses in entry.losses.items() if step < len(losses)})
        page = next((path for path in entry.files if path.suffix == ".html"), None)
        shown = {"page": wandb.Html(page.read_text(encoding="utf-8"), inject=False)} if page else {}
        images = [wandb.Image(str(path), caption=path.name) for path in entry.images]
        run.log({**entry.metrics, **shown, **({"drawings": images} if images else {})})
        run.summary["verdict"] = entry.verdict
    finally:
        run.finish(exit_code=0 if entry.passed else 1)
