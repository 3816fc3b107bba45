"""What the machine took away is told from clocks; here they say what a test wants, or are the real ones."""

import threading
import time
from itertools import count

import pytest
import torch
from tiny_models import subject

from aistudio.costs import machine
from aistudio.costs.machine import Clocks, busy_warnings, in_words, others, read_clocks, taken_away
from aistudio.costs.measure import Measure
from aistudio.costs.timing import as_measurements, time_repeatedly
from aistudio.report.records import TAKEN_AWAY, Measurement

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("spent", "share"),
    [
        (Clocks(wall=1, cpu=1, thread=1), 0),
        (Clocks(wall=1, cpu=2, thread=1, waited=0, machine=2, stolen=0), 0),  # two threads on two cores of its own
        (Clocks(wall=1, cpu=0.4, thread=0.4), 0.6),  # any system: the thread had the CPU for less than half of the time
        (Clocks(wall=1, cpu=1.5, thread=1, waited=0.5), 0.25),  # the other thread waited
        (Clocks(wall=1, cpu=1, thread=1, waited=0, machine=1, stolen=1), 1 / machine.cores()),
        (Clocks(wall=0.01, cpu=0.01, thread=0.01, waited=0, machine=1, stolen=1), 0),  # too short for its hundredths
        (Clocks(wall=0, cpu=0, thread=0, waited=0), 0),
    ],
)
def test_the_share_that_was_taken_is_the_most_that_a_clock_tells(spent, share):
    assert taken_away(spent, on_cpu=True) == pytest.approx(share)


def test_a_thread_that_waits_for_a_gpu_has_lost_nothing():
    waiting = Clocks(wall=1, cpu=0.1, thread=0.1, waited=0)
    assert taken_away(waiting, on_cpu=False) == 0 < taken_away(waiting, on_cpu=True)


def test_clocks_add_up_and_what_is_not_counted_stays_unknown():
    one, other = Clocks(3, 2, 1, 4, None, 5), Clocks(1, 1, 1, 1, 1, None)
    assert one - other == Clocks(2, 1, 0, 3, None, None)
    assert one + other == Clocks(4, 3, 2, 5, None, None)


def test_what_others_did_is_said_where_it_can_be_told():
    assert others(Clocks(1, 0.5, 0.5, machine=2)) == 1.5
    assert others(Clocks(0.1, 0.1, 0.1, machine=2)) is None
    assert others(Clocks(1, 1, 1)) is None
    assert "1.5 of" in in_words(Clocks(1, 0.5, 0.5, machine=2))


def test_the_real_clocks_run_forward_and_see_a_computing_thread():
    before = read_clocks(True)
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    spent = read_clocks(True) - before
    assert spent.wall >= spent.thread >= 0.05 and spent.cpu >= 0.05
    assert all(value is None or value >= 0 for value in (spent.waited, spent.machine, spent.stolen))
    assert read_clocks(False).waited is None


def test_a_thread_that_sleeps_while_it_should_compute_is_seen():
    before = read_clocks(True)
    time.sleep(0.05)
    assert taken_away(read_clocks(True) - before, on_cpu=True) > 0.8


def test_other_threads_of_the_process_are_its_cpu_time():
    before, stop = read_clocks(False), threading.Event()
    worker = threading.Thread(target=lambda: [None for _ in iter(stop.is_set, True)])
    worker.start()
    time.sleep(0.1)
    stop.set()
    worker.join()
    spent = read_clocks(False) - before
    assert spent.cpu > spent.thread


def given(share):
    """Clocks on which a pass takes a second, of which the machine takes a share."""
    second = count()

    def clocks(whole):
        now = next(second)
        own = now * (1 - share)
        return Clocks(now, own, own, now * share if whole else None, None, None)

    return clocks


def test_each_pass_has_its_wall_and_its_cpu_time():
    timing = time_repeatedly(lambda: None, CPU, 7, budget=100, clocks=given(0.5))
    assert timing.seconds == (1,) * 7 and timing.cpu_seconds == (0.5,) * 7
    assert taken_away(timing.spent, on_cpu=True) == 0.5


@pytest.mark.parametrize(("passes", "known"), [(1, False), (4, False), (5, True), (9, True)])
def test_a_spread_is_given_of_five_passes_and_no_fewer(passes, known):
    timing = time_repeatedly(lambda: None, CPU, passes, budget=100, clocks=given(0))
    found = as_measurements("forward", "a pass", timing, 2)
    assert {one.name for one in found} == {"forward", "forward_images_per_second", "forward_cpu_time"}
    for one in found:
        assert (one.low is not None, one.high is not None) == (known, known)
    assert ("too few to tell a spread" in found[0].definition) != known
    assert f"{passes} pass" in found[0].definition


@pytest.mark.parametrize(("share", "said"), [(0.0, False), (0.09, False), (0.3, True)])
def test_a_busy_machine_is_said_in_the_report(share, said, monkeypatch):
    monkeypatch.setattr(Measure, "clocks", staticmethod(given(share)))
    found = Measure(repeats=5, training=False)(subject(), 64, 2)
    (taken,) = [one for one in found if one.name == TAKEN_AWAY]
    assert taken.value == pytest.approx(100 * share)
    warned = busy_warnings(found)
    assert len(warned) == said and all(f"{100 * share:.0f} %" in one for one in warned)


def test_where_nothing_was_timed_nothing_is_said():
    assert busy_warnings([]) == busy_warnings([Measurement(TAKEN_AWAY, None, "%", "not known")]) == []
