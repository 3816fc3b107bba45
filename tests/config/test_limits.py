"""Every number in conf/ has a range: what is below it, beyond it or no number at all is refused before torch."""

import pytest
from omegaconf import OmegaConf

from aistudio import compose
from aistudio.config.groups import GROUPS, options, tree
from aistudio.config.limits import BELOW, BY_LAST_WORD, LIMITS, limit_problems, limited
from aistudio.config.plain import leaves

SETTINGS = (
    ("sanity=full",),
    ("task=segmentation", "sanity=quick"),
    ("task=object_detection", "data=coco", "data.root=."),
    ("task=regression", "backbone=efficientnet_b0", "track=mlflow"),
)
FACTS = ("pretrained", "published", "gpu")
SIGNED = ("ignore_index", "floor")
ODD = (float("nan"), float("inf"), 1e30, -1e30, "word", True, [])


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers(config):
    """Dotted keys of the numbers, and of lists of them, in plain containers."""
    for key, value in leaves(config):
        one = value[0] if isinstance(value, list) and value else value
        if is_number(one) and not {*key.split(".")} & {*FACTS}:
            yield key


def with_value(node, path, value):
    """Plain containers with one value replaced; keys may hold dots."""
    found = dict(node)
    for key in node:
        if path == key:
            found[key] = value
        elif path.startswith(f"{key}."):
            found[key] = with_value(node[key], path.removeprefix(f"{key}."), value)
    return found


@pytest.fixture(scope="module", params=SETTINGS, ids=" ".join)
def config(request):
    return OmegaConf.to_container(compose(*request.param), resolve=True)


def test_every_number_in_conf_has_a_range():
    documents = [tree("", "config"), *(tree(group, option) for group in GROUPS for option in options(group))]
    for key in (key for document in documents for key in numbers(document)):
        known = key in LIMITS or key.rpartition(".")[2] in BY_LAST_WORD or any(one in key for one in BELOW)
        assert known, f"{key} has no range in config/limits.py"


def test_what_ships_is_in_range(config):
    assert limit_problems(config) == []


def test_whatever_else_a_number_is_said_to_be_is_refused(config):
    for key in numbers(config):
        for odd in ODD:
            assert limit_problems(with_value(config, key, odd)), (key, odd)
        if key.rpartition(".")[2] not in SIGNED:
            assert limit_problems(with_value(config, key, -1)), key


def test_what_a_person_may_want_is_taken(config):
    wanted = {
        "runtime.threads": (1, 64, None),
        "task.image_size": (32, 224, 1024, 4096),
        "data.batch_size": (1, 7, 4096),
        "architecture.learning.optimizer.lr": (0, 1e-6, 1, 10.0),
        "architecture.learning.steps": (1, 1000),
        "sanity.measure.repeats": (1, 1000),
        "weights_coverage": (0, 0.5, 1),
        "sweep.timeout": (1, 86400),
    }
    known = {key for key, *_ in limited(config)} | {*LIMITS}
    assert {*wanted} <= known
    for key, values in wanted.items():
        for value in values:
            assert limit_problems(with_value(config, key, value)) == [], (key, value)


def test_what_is_given_to_other_peoples_objects_is_theirs_to_judge(config):
    mine = {"_target_": "mine.Check", "ratio": 7, "steps": -1, "why": "x"}
    assert limit_problems(with_value(config, "sanity.checks", {"mine": mine})) == []


def test_a_derived_value_is_not_told_again(config):
    told = limit_problems(with_value(config, "task.image_size", 0))
    assert len([problem for problem in told if "image_size" in problem.what]) == 1
