"""Bugs planted one at a time, each with the checks that name its cause; and clean models, which no check may fail."""

from __future__ import annotations

import pytest
from bugs import APART, FAMILIES, HEALTHY
from tiny_models import (
    Classifier,
    Segmenter,
    battery,
    classification,
    detection,
    detector,
    failures,
    outcomes,
    segmentation,
    subject,
    trained,
)

from aistudio.checks.side_effects import everything_put_back

FAST = {family: bugs for family, bugs in FAMILIES.items() if family != APART}  # test_generalizes.py has the others
BUGS = {f"{family}: {bug.name}": bug for family, bugs in FAST.items() for bug in bugs}
FIRST = {bug.checks.split()[0]: name for name, bug in reversed(BUGS.items())}  # one bug for each check
MARKED = [pytest.param(name, marks=() if name in FIRST.values() else pytest.mark.slow) for name in BUGS]


@pytest.mark.parametrize("name", MARKED)
def test_the_right_check_catches_the_bug(name):
    bug = BUGS[name]
    if bug.unseen:
        pytest.skip(bug.unseen)
    with everything_put_back():
        caught = failures(bug.subject(), *bug.checks.split())
    assert caught, "the bug went unseen by the check that is there for it"


def test_every_check_of_the_battery_has_a_bug():
    caught = {check for bug in BUGS.values() for check in bug.checks.split()}
    elsewhere = {"compiles", "generalizes"}  # it needs a compiler; it has bugs of its own in test_generalizes.py
    assert caught >= set(battery()) - elsewhere


def test_names_of_bugs_and_checks_are_whole():
    named = {check for bug in BUGS.values() for check in bug.checks.split()}
    assert len(BUGS) == sum(map(len, FAST.values())) and named <= set(battery())


def test_no_check_fails_a_model_that_was_filled_from_a_file():
    found = outcomes(trained())
    assert {name for name, one in found.items() if one.status == "failed"} == set()
    of_weights = ("loaded_weights", "only_remade_layers_are_random", "pretrained_features")
    assert [found[name].status for name in of_weights] == ["passed"] * 3
    assert all(one.status == "skipped" for one in outcomes(subject(), *of_weights).values())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", HEALTHY)
def test_no_check_fails_what_the_bugs_are_planted_in(name):
    assert failures(HEALTHY[name]()) == {}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("model", "task"), [(Classifier, classification), (Segmenter, segmentation), (detector, detection)]
)
def test_no_check_fails_a_clean_model(model, task, seed):
    assert failures(subject(model, task(), seed=seed, lr=1e-3 if model is detector else 1e-2)) == {}
