"""What a peer sees: Lightning's ``fast_dev_run``, then ``overfit_batches=1`` for 30 steps, as it is documented.

It complains where either raises, where a loss is not finite, or where the loss of the batch does not fall to half.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import isfinite

import lightning
import torch
from torch.utils.data import DataLoader

STEPS = 30


class Module(lightning.LightningModule):
    """A subject's model, loss and optimiser as a user would write them down."""

    def __init__(self, subject: object):
        super().__init__()
        self.subject, self.model, self.losses = subject, subject.model(), []

    def training_step(self, batch: object, index: int) -> torch.Tensor:
        loss = sum(self.subject.task.loss(self.model, *batch).values())
        self.losses.append(float(loss.detach()))
        return loss

    def validation_step(self, batch: object, index: int) -> None:
        self.model(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.subject.optimizer(self.model.parameters())


def complaint(make: Callable[[], object]) -> str:
    """What is wrong, or "" where nothing was seen."""
    warnings.simplefilter("ignore")
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu",
             "enable_model_summary": False}  # fmt: skip
    try:
        subject = make()
        batch = subject.batch()
        loader = DataLoader([0], batch_size=1, collate_fn=lambda _: (batch.inputs, batch.targets))
        lightning.Trainer(fast_dev_run=True, **quiet).fit(Module(subject), loader, loader)
        module = Module(subject)
        trainer = lightning.Trainer(overfit_batches=1, max_steps=STEPS, limit_val_batches=0, **quiet)
        trainer.fit(module, loader)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    first, last = module.losses[0], module.losses[-1]
    if not isfinite(first) or not isfinite(last):
        return "a loss that is not finite"
    return "" if last <= 0.5 * first else f"{first:.3g} -> {last:.3g}"
