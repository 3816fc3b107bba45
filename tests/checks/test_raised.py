"""What torch raises is told with its cause and what to try first, in every check that meets it."""

import pytest
import torch
from tiny_models import WIDTH, Classifier, outcomes, subject
from torch import nn

from aistudio.checks.raised import finding
from aistudio.tasks.losses import apply


def linear():
    nn.Linear(3, 2)(torch.zeros(1, 4))


def detached():
    torch.zeros(1).sum().backward()


def in_place():
    weights = torch.ones(2, requires_grad=True)
    roots = weights.sqrt()
    loss = roots.sum()
    roots.mul_(2)
    loss.backward()


def twice():
    loss = torch.ones(2, requires_grad=True).exp().sum()
    loss.backward()
    loss.backward()


def label():
    nn.functional.cross_entropy(torch.zeros(1, 2), torch.tensor([2]))


def devices():
    torch.zeros(2) @ torch.zeros(2, device="meta")


def dtypes():
    nn.Linear(2, 2)(torch.zeros(1, 2).double())


def shapes():
    torch.zeros(2) + torch.zeros(3)


def view():
    torch.zeros(6).view(4, -1)


def channels():
    nn.Conv2d(3, 2, 1)(torch.zeros(1, 4, 2, 2))


def batch_norm():
    nn.BatchNorm1d(2)(torch.zeros(1, 2))


def half_weights():
    nn.Conv2d(3, 2, 1).bfloat16()(torch.zeros(1, 3, 2, 2))


def named_logits():
    apply(nn.CrossEntropyLoss(), {"logits": torch.zeros(1, 2)}, torch.zeros(1))


ADVICE = {
    half_weights: "runtime.precision=bfloat16",
    named_logits: "return output.logits",
    linear: "in_features",
    detached: "detach()",
    in_place: "overwritten",
    twice: "earlier step",
    label: "largest label",
    devices: "device=x.device",
    dtypes: "dtype=x.dtype",
    shapes: "print both",
    view: "x.shape",
    channels: "in_channels",
    batch_norm: "drop_last=True",
}


@pytest.mark.parametrize("mistake", ADVICE, ids=lambda mistake: mistake.__name__)
def test_what_torch_raises_is_told_with_what_to_try_first(mistake):
    with pytest.raises(Exception) as caught:
        mistake()
    assert ADVICE[mistake] in finding(caught.value).cause


def test_what_nobody_knows_names_the_line():
    with pytest.raises(KeyError) as caught:
        {}["something"]
    found = finding(caught.value)
    assert "test_raised.py" in found.seen and "the line named in brackets" in found.cause


class Normalised(Classifier):
    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 4))


class Squeezed(Classifier):
    def head(self, pooled):
        return self.fc(pooled).unsqueeze(2).squeeze()


@pytest.mark.parametrize(
    ("model", "words"),
    [(Normalised, ("batch norm", "one image", "drop_last", "GroupNorm")), (Squeezed, ("squeeze()",))],
)
def test_a_batch_of_one_names_its_cause_and_the_remedy(model, words):
    found = outcomes(subject(model), "batch_of_one", "gradients")
    assert found["batch_of_one"].status == "failed" and all(word in found["batch_of_one"].cause for word in words)
    assert found["gradients"].status == "passed"
