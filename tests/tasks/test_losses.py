"""Losses that a task's page names can be taken by naming them, and every loss of ours is named on one."""

import re

import pytest
import torch
from torch.nn import functional as F

import aistudio.tasks
from aistudio.assembly.parts import build_task
from aistudio.config import groups
from aistudio.config.compose import compose, settle
from aistudio.safety.conf_folder import conf_folder
from aistudio.tasks.losses import FocalLoss, apply

NAMED = [
    (task, loss)
    for task in groups.options("task")
    for text in [(conf_folder() / "task" / f"{task}.yaml").read_text(encoding="utf-8").partition("rules:")[0]]
    for loss in re.findall(r"[\w.]+Loss\b", text)
]


@pytest.mark.parametrize(("task", "loss"), NAMED)
def test_a_loss_that_a_page_names_is_taken_by_its_name(task, loss):
    built = build_task(settle(compose(f"task={task}", f"task.loss._target_={loss}")))
    assert type(built.criterion).__name__ == loss.rpartition(".")[2]
    output, target = {
        "classification": (torch.randn(2, 10), torch.tensor([0, 9])),
        "segmentation": (torch.randn(2, 4, 8, 8), torch.randint(4, (2, 8, 8))),
    }.get(task, (torch.randn(2, 1), torch.tensor([[0.0], [1.0]])))
    assert apply(built.criterion, output, target).isfinite()


def test_every_loss_of_ours_is_named():
    ours = {name for name in aistudio.tasks.__all__ if name.endswith("Loss")}
    assert ours == {loss.rpartition(".")[2] for _, loss in NAMED if loss.startswith("aistudio.")}


def test_focal_loss_smooths_labels_as_cross_entropy_does():
    logits, targets = torch.randn(8, 5), torch.randint(5, (8,))
    for smoothing in (0.0, 0.1):
        expected = F.cross_entropy(logits, targets, label_smoothing=smoothing)
        assert torch.allclose(FocalLoss(0.0, label_smoothing=smoothing)(logits, targets), expected, atol=1e-5)
