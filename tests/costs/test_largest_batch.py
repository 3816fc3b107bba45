"""The largest batch: exact for the count that it is given, in a handful of tries."""

import random
from functools import partial

import pytest
import torchvision
from real_steps import classification

from aistudio.costs.largest_batch import largest_batch
from aistudio.costs.memory import Forecaster


def highest_of_lines(seed):
    """What a step needs, as it was seen: a maximum of straight lines over the batch size."""
    numbers = random.Random(seed)
    lines = [(numbers.uniform(1e7, 1e9), numbers.uniform(1e5, 1e9)) for _ in range(numbers.randint(1, 4))]
    return lambda size: int(max(start + slope * size for start, slope in lines)), int(numbers.uniform(5e8, 8e10))


@pytest.mark.parametrize("seed", range(200))
def test_n_fits_and_one_more_does_not(seed):
    needed, room = highest_of_lines(seed)
    found = largest_batch(needed, room)
    assert found.size == 0 or needed(found.size) <= room
    assert needed(found.size + 1) > room
    assert len(found.tries) <= 6


def test_a_line_through_two_small_batches_would_promise_too_many():
    def needed(size):
        return max(1000 + 10 * size, 20 * size)

    line = 8 + (20_000 - needed(8)) // ((needed(16) - needed(8)) // 8)
    assert needed(line) > 20_000
    assert largest_batch(needed, 20_000).size == 1000


def test_not_even_one():
    assert largest_batch(lambda size: 10**9, 10**8).size == 0
    assert largest_batch(lambda size: 100 * size, 150, least=2).size == 0


def test_any_growing_count_ends():
    found = largest_batch(lambda size: int(size**0.5) * 1000, 777_777)
    assert int(found.size**0.5) * 1000 <= 777_777 < int((found.size + 1) ** 0.5) * 1000


def test_of_a_forecast():
    forecaster = Forecaster(classification(partial(torchvision.models.mobilenet_v3_small, num_classes=10), 96))
    found = largest_batch(lambda size: forecaster.training(size).bytes, 2 * 10**9)
    assert forecaster.training(found.size).bytes <= 2 * 10**9 < forecaster.training(found.size + 1).bytes
    assert len(found.tries) <= 6
