"""Finding the largest batch with a real model and real steps, on memory that is made up; on a CPU it is refused."""

import pytest
import torch
from tiny_models import Classifier, detection, detector, subject

from aistudio.assembly.device import device_problems
from aistudio.config.compose import compose
from aistudio.costs import find_batch as module
from aistudio.costs.find_batch import find_batch, repeated
from aistudio.errors import Refusal
from aistudio.sanity import sanity_run

EACH = 10  # bytes an image, of 1000; 50 are taken before


class Device:
    """Memory of 1000 bytes that the images of a batch fill; passes of more than fit are out of memory."""

    def __init__(self):
        self.highest, self.released = 0, 0

    def release(self):
        self.highest, self.released = 0, self.released + 1

    def peak(self):
        return self.highest

    def total(self):
        return 1000

    def see(self, images):
        self.highest = max(self.highest, min(50 + EACH * images, 1000))
        if 50 + EACH * images > 1000:
            raise torch.OutOfMemoryError("CUDA out of memory")


def watched(device, model=Classifier, **fields):
    """A subject whose model takes memory of the device for every image."""
    one = subject(model, **fields)
    one.built.register_forward_pre_hook(lambda _, given: device.see(len(given[0])))
    return one


@pytest.mark.parametrize("forecast", [0, 1, 30, 90, 500])
def test_the_largest_batch_that_leaves_the_margin_is_found_from_any_forecast(forecast, monkeypatch):
    monkeypatch.setattr(module, "forecast_batch", lambda *_: forecast)
    device = Device()
    found = {one.name: one for one in find_batch(watched(device), 32, 4, device)}
    assert 87 <= found["found_batch"].value <= 90  # 950 bytes are 90 images, to a thirty-second
    assert found["found_batch_peak_memory"].value == 50 + EACH * found["found_batch"].value
    assert found["found_batch_margin"].value >= 5
    assert device.highest == 0 and device.released > 2, "everything was given back"


def test_the_built_model_is_not_trained(monkeypatch):
    monkeypatch.setattr(module, "forecast_batch", lambda *_: 2)
    device = Device()
    one = watched(device)
    before = {name: value.clone() for name, value in one.built.state_dict().items()}
    find_batch(one, 32, 4, device)
    assert all(torch.equal(value, before[name]) for name, value in one.built.state_dict().items())
    assert all(parameter.grad is None for parameter in one.built.parameters())


def test_memory_is_given_back_where_a_step_breaks(monkeypatch):
    monkeypatch.setattr(module, "forecast_batch", lambda *_: 2)
    device, one = Device(), subject()

    def broken(*_):
        device.highest = 500
        raise ValueError("no such image")

    one.built.register_forward_pre_hook(broken)
    with pytest.raises(ValueError, match="no such image"):
        find_batch(one, 32, 4, device)
    assert device.highest == 0


def test_a_model_that_cannot_train_on_one_image_is_not_asked_to(monkeypatch):
    monkeypatch.setattr(module, "forecast_batch", lambda *_: 1)
    device, seen = Device(), []
    one = watched(device, why_not_one="batch norm over one value")
    one.built.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    find_batch(one, 32, 4, device)
    assert min(seen) >= 2


@pytest.mark.parametrize(("model", "task"), [(Classifier, None), (detector, detection())])
def test_images_are_repeated_with_their_targets(model, task):
    one = subject(model, task)
    samples = one.batch(count=3, size=32).samples
    batch = repeated(one, samples, 7)
    assert len(batch.inputs) == len(batch.targets) == 7
    assert torch.equal(batch.inputs[0], batch.inputs[3]) and torch.equal(batch.inputs[1], batch.inputs[4])
    assert not one.task.target_problems([sample.image for sample in batch.samples], batch.targets)


def test_the_forecast_is_where_the_search_begins():
    sizes = [module.forecast_batch(subject(), 32, room, 1) for room in (10**9, 2 * 10**9, 4 * 10**9)]
    assert sizes[0] == 0, "the context of CUDA alone takes it"
    assert 0 < sizes[1] < sizes[2]


def test_on_a_cpu_it_is_refused_with_another_way():
    config = compose("backbone=resnet18", "runtime=cpu", "runtime.find_batch=true")
    (problem,) = device_problems(config)
    assert "find_batch" in problem.what and "sanity=forecast" in problem.instead
    with pytest.raises(Refusal, match="does not run on cpu"):
        sanity_run(config)
    assert not device_problems(compose("backbone=resnet18", "runtime=cpu"))
