"""Rows are ranked where their times can be compared, by what can be compared, or not at all and with a sentence."""

import random
from statistics import median

import pytest

from aistudio.report import ranking, tables
from aistudio.report.html.sweep_page import sweep_page
from aistudio.report.records import Rounds
from aistudio.report.summary import Row

QUIET, BUSY = 1.0, 40.0
NAMES = ["large", "small", "middle"]  # in the order given
TRUE = {"large": 0.1, "small": 0.01, "middle": 0.03}


def row(name, forward, **fields):
    given = {"backbone": name, "job": name, "folder": name, "task": "classification", "architecture": "backbone_head"}
    given |= {"level": "quick", "device": "cpu (x86_64)", "outcome": "passed", "reason": "", "image_size": 224}
    given |= {"forward": forward, "forward_low": forward, "forward_high": forward, "taken": QUIET}
    return Row(**{**dict.fromkeys(Row.__dataclass_fields__), **given, **fields})


def in_rounds(seconds, cpu_seconds=None, taken=QUIET, threads=1, name="one"):
    """Rows that share rounds: ``seconds`` has those of each name, one a round."""
    cpu_seconds = cpu_seconds or seconds
    rows = []
    for one, times in seconds.items():
        rounds = Rounds(name, tuple(times), tuple(cpu_seconds[one]), taken, threads)
        spread = {"forward_low": min(times), "forward_high": max(times), "forward_cpu": median(cpu_seconds[one])}
        rows.append(row(one, median(times), rounds=rounds, taken=taken, **spread))
    return rows


def noisy(factor, rounds=7, seed=0):
    """Times of each name a round; noise of a factor at most."""
    draw = random.Random(seed)
    return {name: [TRUE[name] * draw.uniform(1, factor) for _ in range(rounds)] for name in NAMES}


def order(rows):
    return [one.backbone for one in ranking.ordered(rows)]


def test_quiet_jobs_are_ranked_by_their_own_passes():
    rows = [row(name, TRUE[name]) for name in NAMES]
    assert order(rows) == ["small", "middle", "large"]
    assert ranking.notes(rows) == [] and ranking.leaders(rows)["classification", "forward"] == 0.01


@pytest.mark.parametrize("busy", NAMES)
def test_one_job_on_a_busy_machine_is_enough_to_refuse(busy):
    rows = [row(name, TRUE[name], taken=BUSY if name == busy else QUIET) for name in NAMES]
    assert order(rows) == NAMES
    (note,) = ranking.notes(rows)
    assert "40 %" in note and "not ranked" in note
    assert ("classification", "forward") not in ranking.leaders(rows)
    assert not list(ranking.indistinct(rows))


def test_fewer_than_five_passes_rank_nothing():
    rows = [
        row(name, TRUE[name], **({"forward_low": None, "forward_high": None} if name == "small" else {}))
        for name in NAMES
    ]
    assert order(rows) == NAMES
    assert "1 of 3 were timed in fewer than 5 passes" in ranking.notes(rows)[0]


def test_reports_that_know_nothing_of_the_machine_are_ranked_as_ever():
    rows = [row(name, TRUE[name], taken=None) for name in NAMES]
    assert order(rows) == ["small", "middle", "large"] and not ranking.notes(rows)


def test_one_row_needs_no_ranking():
    assert not ranking.notes([row("only", 0.1, taken=BUSY)])


def test_quiet_rounds_rank_by_the_clock_though_jobs_were_busy():
    rows = [Row(**{**vars(one), "taken": BUSY}) for one in in_rounds(noisy(1.1))]
    assert order(rows) == ["small", "middle", "large"] and not ranking.notes(rows)


def test_busy_rounds_of_one_thread_rank_by_cpu_time_and_say_so():
    stretched = {"large": [0.1] * 7, "small": [0.9] * 7, "middle": [0.2] * 7}  # by the clock the wrong order
    rows = in_rounds(stretched, noisy(1.3), taken=BUSY)
    assert order(rows) == ["small", "middle", "large"]
    assert "CPU time" in ranking.notes(rows)[0] and "40 %" in ranking.notes(rows)[0]
    best = ranking.leaders(rows)
    assert ("classification", "forward") not in best and ("classification", "forward_cpu") in best


@pytest.mark.parametrize("changes", [{"threads": 2}, {"taken": BUSY, "threads": 8}])
def test_busy_rounds_of_several_threads_rank_nothing(changes):
    rows = in_rounds(noisy(1.3), **{"taken": BUSY, **changes})
    assert order(rows) == NAMES and "not ranked" in ranking.notes(rows)[0]


def test_busy_rounds_on_a_gpu_rank_nothing():
    rows = [Row(**{**vars(one), "device": "NVIDIA T4"}) for one in in_rounds(noisy(1.3), taken=BUSY)]
    assert order(rows) == NAMES and "not ranked" in ranking.notes(rows)[0]


def test_busy_rounds_that_contradict_each_other_rank_nothing():
    draw = random.Random(1)
    random_times = {name: [draw.uniform(0.01, 0.02) for _ in range(7)] for name in NAMES}
    rows = in_rounds(random_times, taken=BUSY)
    assert order(rows) == NAMES and "changed places" in ranking.notes(rows)[0]


def test_too_few_rounds_rank_nothing():
    rows = in_rounds(noisy(1.1, rounds=3))
    assert order(rows) == NAMES and "3 of 5 rounds" in ranking.notes(rows)[0]


def test_rounds_of_different_sweeps_are_not_neighbours():
    rows = in_rounds(noisy(1.1), name="one")[:2] + in_rounds(noisy(1.1), name="other")[2:]
    assert not ranking.share_rounds(rows)
    rows = [*in_rounds(noisy(1.1))[:2], row("middle", 0.03)]
    assert not ranking.share_rounds(rows)


def test_drift_that_hits_all_alike_hides_no_difference():
    drift = [1, 2, 4, 8, 4, 2, 1]  # far more than the models differ; the spreads overlap
    rows = in_rounds({"a": [0.10 * one for one in drift], "b": [0.11 * one for one in drift]})
    assert rows[0].forward_high > rows[1].forward_low
    assert not list(ranking.indistinct(rows))
    assert order(rows) == ["a", "b"]


def test_rounds_in_which_now_one_now_the_other_leads_tell_nothing_apart():
    rows = in_rounds({"a": [1, 2, 1, 2, 1, 2, 1], "b": [2, 1, 2, 1, 2, 1, 2], "c": [9] * 7})
    assert list(ranking.indistinct(rows)) == [("a", "b")]
    assert "7 rounds" in ranking.why_indistinct(rows)


@pytest.mark.parametrize(
    ("rounds", "lost", "apart"),
    [
        (4, 0, False),
        (5, 0, True),
        (5, 1, False),
        (7, 0, True),
        (7, 1, False),
        (8, 1, True),
        (11, 2, True),
        (11, 3, False),
    ],
)
def test_how_many_rounds_must_agree(rounds, lost, apart):
    rows = in_rounds({"a": [1.0] * rounds, "b": [0.5] * lost + [2.0] * (rounds - lost)})
    assert ranking.told_apart(*rows, "forward") == apart


def test_equal_times_are_not_told_apart():
    assert not ranking.told_apart(*in_rounds({"a": [1.0] * 7, "b": [1.0] * 7}), "forward")


def test_each_task_is_ranked_by_itself():
    quiet = [row(name, TRUE[name]) for name in NAMES]
    busy = [row(name, TRUE[name], task="regression", taken=BUSY) for name in NAMES]
    assert order([*busy, *quiet]) == ["small", "middle", "large", *NAMES]
    assert ranking.notes([*busy, *quiet])[0].startswith("regression: ")


def test_what_did_not_pass_or_was_not_timed_refuses_nothing():
    rows = [*(row(name, TRUE[name]) for name in NAMES), row("bad", 9, outcome="failed", taken=BUSY)]
    rows += [row("forecast", None, taken=None)]
    assert order(rows) == ["small", "middle", "large", "forecast", "bad"] and not ranking.notes(rows)


def test_tables_and_the_page_say_why_there_is_no_ranking(tmp_path):
    rows = [row(name, TRUE[name], taken=BUSY) for name in NAMES]
    assert "not ranked" in tables.as_markdown(rows) and "not ranked" in sweep_page(rows, tmp_path)
    quiet = [row(name, TRUE[name]) for name in NAMES]
    assert "not ranked" not in tables.as_markdown(quiet) + sweep_page(quiet, tmp_path)


def test_single_rounds_are_in_the_reports_and_not_in_the_csv():
    text = tables.as_csv(in_rounds(noisy(1.1)))
    assert "Rounds(" not in text and "rounds" not in text.splitlines()[0].split(",")


def test_of_two_columns_that_say_the_same_a_table_has_one():
    quiet, busy = in_rounds(noisy(1.1)), in_rounds(noisy(1.3), taken=BUSY)
    assert ranking.columns(quiet) == ["forward"] and ranking.columns(busy) == ["forward_cpu"]
    other = [Row(**{**vars(one), "task": "regression"}) for one in busy]
    assert ranking.columns([*quiet, *other]) == ["forward", "forward_cpu"]
    known = [Row(**{**vars(one), "peak_memory": 9.0}) for one in quiet]
    assert "peak_memory" in ranking.columns(known)
    known[0] = Row(**{**vars(known[0]), "tensor_memory": 1.0})
    assert ranking.columns(known) == ["forward", "tensor_memory"]
