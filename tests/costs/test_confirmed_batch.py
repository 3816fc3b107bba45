"""Finding the largest batch by real steps, on an allocator that only counts."""

import weakref

import pytest

from aistudio.costs.confirmed_batch import MARGIN, confirmed_batch


class OutOfMemory(RuntimeError):
    pass


class Tensor:
    """Something whose memory is free once nothing holds it."""


class Fake:
    """A device of 1000 bytes of which a step takes ``start + each * images``; blocks stay until released."""

    def __init__(self, start, each, total=1000):
        self.start, self.each, self.size = start, each, total
        self.held = weakref.WeakSet()
        self.reserved = self.highest = 0
        self.ran = []

    def step(self, images):
        self.ran.append(images)
        tensor = Tensor()
        self.held.add(tensor)
        needed = self.start + self.each * images
        if needed > self.size:
            self.reserved = self.highest = self.size
            raise OutOfMemory(tensor)
        self.reserved = max(self.reserved, needed)
        self.highest = max(self.highest, needed)

    def release(self):
        assert not self.held, "a failed step is still held"
        self.reserved = self.highest = 0

    def peak(self):
        return self.highest

    def total(self):
        return self.size - self.reserved


def confirmed(fake, forecast, least=1):
    return confirmed_batch(fake.step, forecast, fake, lambda error: isinstance(error, OutOfMemory), least)


@pytest.mark.parametrize("forecast", [1, 7, 17, 60, 89, 95, 120, 400])
def test_the_largest_that_leaves_the_margin(forecast):
    fake = Fake(start=100, each=10)
    found = confirmed(fake, forecast)
    assert 82 <= found.size <= 85  # 950 bytes are 85 images; a thirty-second is not looked into
    assert found.peak == 100 + 10 * found.size
    assert found.margin >= MARGIN
    assert fake.reserved == 0


def test_few_images_are_found_exactly():
    assert confirmed(Fake(start=100, each=100), 3).size == 8
    assert confirmed(Fake(start=100, each=100), 12).size == 8


def test_nothing_fits():
    fake = Fake(start=2000, each=1)
    found = confirmed(fake, 8)
    assert (found.size, found.peak) == (0, 0)
    assert set(found.tries.values()) == {None}
    assert fake.reserved == 0


def test_no_batch_below_the_least_is_tried():
    fake = Fake(start=100, each=300)
    assert confirmed(fake, 1, least=2).size == 2
    assert min(fake.ran) >= 2
    assert confirmed(Fake(start=100, each=600), 4, least=2).size == 0


def test_other_errors_are_not_swallowed():
    def broken(images):
        raise ValueError("no such image")

    with pytest.raises(ValueError, match="no such image"):
        confirmed_batch(broken, 4, Fake(1, 1), lambda error: False)
