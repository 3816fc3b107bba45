"""Nests of tensors: walked, changed and compared, whatever they are built of."""

from collections import OrderedDict, namedtuple

import pytest
import torch
from torchvision.models.feature_extraction import create_feature_extractor

from aistudio.models.nested import copied, equal, map_tensors, tensors_in

Pair = namedtuple("Pair", "boxes scores")
ONE, TWO = torch.ones(2), torch.full((3,), 2.0)
NESTS = [
    ONE,
    [ONE, TWO],
    (ONE, [TWO, 3]),
    {"a": ONE, "b": {"c": [TWO], "name": "x", "none": None}},
    [OrderedDict(a=ONE), Pair(ONE, TWO)],
    [],
]


@pytest.mark.parametrize("nest", NESTS, ids=str)
def test_a_nest_stays_what_it_is_and_its_tensors_change(nest):
    doubled = map_tensors(lambda tensor: tensor * 2, nest)
    assert type(doubled) is type(nest)
    assert [one.tolist() for one in tensors_in(doubled)] == [(2 * one).tolist() for one in tensors_in(nest)]
    assert equal(map_tensors(torch.clone, nest), nest)
    assert equal(doubled, nest) is (not tensors_in(nest))


def test_two_nests_are_changed_together():
    added = map_tensors(torch.add, {"a": [ONE, 5]}, {"a": [ONE, 5]})
    assert added["a"][0].tolist() == [2, 2] and added["a"][1] == 5
    with pytest.raises(ValueError):
        map_tensors(torch.add, [ONE], [ONE, ONE])


@pytest.mark.parametrize(
    ("one", "other"),
    [([ONE], [ONE, ONE]), ([ONE], (ONE,)), ({"a": ONE}, {"b": ONE}), (ONE, TWO), ([ONE, "x"], [ONE, "y"]), (ONE, 1)],
)
def test_nests_that_differ_are_not_equal(one, other):
    assert not equal(one, other)


def test_a_copy_stays_in_its_mode_which_torch_fx_forgets():
    model = create_feature_extractor(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()), ["1"]).eval()
    assert not any(module.training for module in copied(model).modules())
    assert all(module.training for module in copied(model.train()).modules())
