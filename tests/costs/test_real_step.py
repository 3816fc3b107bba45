"""What the allocator saw of a real step, and when no real step is taken."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from aistudio.costs import real_step
from aistudio.costs.allocator import AllocatorPeak, allocator_peak, bytes_of
from aistudio.costs.real_step import step_if_there_is_room

MB = 10**6


def test_scratch_of_an_operator_is_told_apart():
    x = torch.rand(1000, 1000)
    held = []
    seen = allocator_peak(lambda: held.append(torch.linalg.svdvals(x)), bytes_of(x))
    assert seen.tensors < 5 * MB < 8 * MB <= seen.all  # a copy of x and more is the operator's own


def test_tensors_count_until_they_die():
    def run():
        first = torch.zeros(250_000)
        second = first + 1
        del first
        return second * 2

    assert allocator_peak(run, 5 * MB).tensors == pytest.approx(7 * MB, abs=100)  # numbers become tensors


@pytest.mark.slow
def test_the_profiler_announces_nothing(tmp_path):
    code = "import torch; from aistudio.costs.allocator import allocator_peak; allocator_peak(lambda: torch.rand(9), 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_what_shares_memory_counts_once():
    x = torch.zeros(100)
    assert bytes_of([x, x.view(10, 10), {"y": x[5:]}, nn.Parameter(torch.zeros(3)), "text", None]) == 412


@pytest.mark.parametrize(("free", "expected"), [(10_000, 1600), (2000, None), (0, None)])
def test_no_step_without_room_for_it(monkeypatch, free, expected):
    tried = []

    def step(count):
        tried.append(count)
        return AllocatorPeak(100 * count, 100 * count)

    monkeypatch.setattr(real_step, "available", lambda: free)
    found = step_if_there_is_room(step, 16)
    assert (found and found.all) == expected
    assert tried == ([1, 2, 16] if expected else [1, 2])


def test_this_machine_says_how_much_is_free():
    assert real_step.available() > 10 * MB


class ByNorm(torch.optim.SGD):
    """Divides each gradient by its norm, as LARS does where nobody has thought of zeros."""

    def step(self, closure=None):
        for parameter in (one for group in self.param_groups for one in group["params"]):
            parameter.grad /= parameter.grad.norm()
        return super().step(closure)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adagrad, ByNorm])
def test_an_optimiser_gets_its_state_and_no_weight_moves(kind):
    model = nn.Linear(10, 10)
    kept = [one.detach().clone() for one in model.parameters()]
    settings = {} if kind in (torch.optim.AdamW, torch.optim.Adagrad) else {"momentum": 0.9}
    optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.1, **settings)
    real_step._give_state(optimizer)
    assert all(map(torch.equal, kept, model.parameters()))
    assert len(optimizer.state) == 2 and optimizer.param_groups[0]["lr"] == 0.1


def test_an_optimiser_without_a_rate_is_given_none():
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.step = lambda: None
    del optimizer.param_groups[0]["lr"]
    real_step._give_state(optimizer)
    assert "lr" not in optimizer.param_groups[0]
