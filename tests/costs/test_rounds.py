"""Rounds on clocks that say what a test wants: what is timed in which order, when it ends, with how many threads."""

import pytest
import torch

from aistudio.costs import rounds
from aistudio.costs.machine import Clocks
from aistudio.costs.rounds import MOST, time_in_rounds
from aistudio.report.records import ENOUGH_PASSES

CPU, GPU = torch.device("cpu"), torch.device("cuda")
TAKES = {"a": 1.0, "b": 2.0, "c": 3.0}


class Machine:
    """A wall's clock that passes move on, and a machine that takes a share of the time of several threads."""

    def __init__(self, monkeypatch, share=0.0, of_one_thread=0.0):
        self.now = self.own = 0.0
        self.share, self.of_one_thread = share, of_one_thread
        self.ran, self.threads = [], 2
        monkeypatch.setattr(rounds.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(rounds.torch, "get_num_threads", lambda: self.threads)
        monkeypatch.setattr(rounds.torch, "set_num_threads", lambda count: setattr(self, "threads", count))
        monkeypatch.setattr("aistudio.costs.timing.synchronize", lambda device: None)

    def clocks(self, whole):
        return Clocks(self.now, self.own, self.own, self.now - self.own if whole else None)

    def passes(self):
        return {name: lambda name=name: self.run(name) for name in TAKES}

    def run(self, name):
        share = self.share if self.threads > 1 else self.of_one_thread
        self.ran.append(name)
        self.own += TAKES[name]
        self.now += TAKES[name] / (1 - share)

    def time(self, budget=1000.0, busy=False, device=CPU):
        return time_in_rounds(self.passes(), device, budget, busy, "these", self.clocks)


@pytest.fixture
def machine(monkeypatch):
    return lambda **shares: Machine(monkeypatch, **shares)


def test_models_take_turns_and_the_first_round_is_not_timed(machine):
    one = machine()
    found = one.time()
    assert "".join(one.ran) == "abc" * (ENOUGH_PASSES + 1)
    assert {name: of.seconds for name, of in found.items()} == {name: (TAKES[name],) * 5 for name in TAKES}
    assert {of.name for of in found.values()} == {"these"} and found["a"].taken == 0 and found["a"].threads == 2


def test_models_that_are_soon_done_are_timed_more_often(machine, monkeypatch):
    monkeypatch.setattr(rounds, "SOON", 1e9)
    assert len(machine().time()["a"].seconds) == MOST


@pytest.mark.parametrize(("budget", "done"), [(100, 5), (24, 3), (12, 1), (11, 0), (5, 0)])
def test_no_round_begins_that_would_exceed_the_budget(budget, done, machine):
    one = machine()
    found = one.time(budget=budget)
    assert one.now <= budget + max(TAKES.values())
    assert len(found["a"].seconds) == done if done else found == {}


def test_a_cpu_that_was_busy_is_timed_with_one_thread(machine):
    one = machine(share=0.5, of_one_thread=0.4)
    found = one.time(busy=True)
    assert found["a"].threads == 1 and found["a"].taken == pytest.approx(40)
    assert found["a"].cpu_seconds == (1.0,) * MOST, "as many rounds as the budget allows"
    assert one.threads == 2, "as before"


def test_a_cpu_that_becomes_busy_is_timed_anew_with_one_thread(machine):
    one = machine(share=0.5, of_one_thread=0.4)
    found = one.time()
    assert found["a"].threads == 1 and len(found["a"].seconds) == MOST and one.threads == 2


def test_where_time_is_up_the_busy_rounds_are_what_there_is(machine):
    found = machine(share=0.5).time(budget=26)
    assert found["a"].threads == 2 and found["a"].taken == pytest.approx(50)


def test_a_gpu_keeps_its_threads(machine):
    one = machine(share=0.5)
    assert one.time(busy=True, device=GPU)["a"].threads == 2


def test_threads_are_put_back_where_a_pass_raises(machine):
    one = machine()

    def broken():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        time_in_rounds({"a": broken}, CPU, 10, True, "these", one.clocks)
    assert one.threads == 2
