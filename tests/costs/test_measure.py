"""Measurements against numbers that are known otherwise."""

import os
import time

import pytest
import torch
from tiny_models import Classifier, detection, detector, subject

from aistudio.assembly.parts import build_task
from aistudio.assembly.prepare import make_subject
from aistudio.config.compose import compose, settle
from aistudio.costs.allocator import allocator_peak, bytes_of
from aistudio.costs.counters import HighWater
from aistudio.costs.measure import Measure, count_parameters
from aistudio.costs.timing import time_repeatedly
from aistudio.report.records import TAKEN_AWAY

CPU = torch.device("cpu")


def named(measurements):
    return {one.name: one for one in measurements}


def test_resnet18_has_the_published_parameters_and_multiply_adds():
    judged = settle(compose("backbone=resnet18", "task.num_classes=1000", "runtime.device=cpu"))
    one = make_subject(judged, build_task(judged))
    found = named(Measure(repeats=1, batch_size=1, training=False)(one, 224, 4))
    assert found["parameters"].value == found["trainable_parameters"].value == 11689512
    assert found["head_parameters"].value == 513 * 1000
    assert found["backbone_parameters"].value == 11689512 - 513000
    assert found["multiply_adds"].value / 1e9 == pytest.approx(1.814, abs=0.001)


def test_frozen_parameters_are_not_trainable():
    model = Classifier()
    model.fc.requires_grad_(False)
    found = named(count_parameters(model))
    assert found["parameters"].value - found["trainable_parameters"].value == found["head_parameters"].value


@pytest.mark.parametrize(("model", "task"), [(Classifier, None), (detector, detection())])
def test_every_number_has_a_definition_and_a_spread_around_it(model, task):
    found = Measure(repeats=5)(subject(model, task, lr=1e-3), 64, 2)
    assert len({one.name for one in found}) == len(found) == 19
    for one in found:
        assert len(one.definition) > 20 and (one.value > 0 or one.name == TAKEN_AWAY)
        assert one.low is None or one.low <= one.value <= one.high


def test_multiply_adds_are_those_of_one_image():
    def count(images):
        return named(Measure(repeats=1, batch_size=images, training=False)(subject(), 64, 4))["multiply_adds"].value

    assert count(1) == count(3)


def test_measuring_does_not_train_the_model():
    one = subject()
    before = {name: value.clone() for name, value in one.built.state_dict().items()}
    Measure(repeats=1)(one, 64, 2)
    assert all(torch.equal(value, before[name]) for name, value in one.built.state_dict().items())


def test_repeats_end_with_the_budget():
    def passes(run, repeats, budget):
        return len(time_repeatedly(run, CPU, repeats, budget).seconds)

    assert passes(lambda: time.sleep(0.02), 100, budget=0.1) <= 5
    assert passes(lambda: time.sleep(0.02), 100, budget=0) == 1
    assert passes(lambda: None, 7, budget=1) == 7


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize(("model", "task"), [(Classifier, None), (detector, detection())])
def test_the_memory_of_a_model_is_what_the_allocator_saw(model, task, images):
    one = subject(model, task)
    found = named(Measure(repeats=1, batch_size=images, training=False)(one, 64, 4))
    inputs, built = one.batch(count=images, size=64).inputs, one.built.eval()

    def forward():
        with torch.no_grad():
            built(inputs)

    before = bytes_of([[*built.parameters()], [*built.buffers()], inputs])
    assert found["forward_tensor_memory"].value == allocator_peak(forward, before).tensors
    assert found["forward_tensor_memory"].value < found["forward_peak_memory"].value, (
        "Python and libraries are not in it"
    )


def test_the_peak_is_seen_after_the_memory_is_gone():
    small = HighWater(CPU).read()
    water = HighWater(CPU)
    torch.ones(100_000_000).sum()
    large = water.read()
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("this system's counter knows the whole life of the process only")
    assert 3.5e8 < large - small < 4.5e8
    assert HighWater(CPU).read() - small < 1e8, "it is forgotten"


def test_the_pass_that_compiles_is_not_timed(monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: None)
    one, passes = subject(compiled=True), []
    one.built.register_forward_hook(lambda *_: passes.append(1))
    found = named(Measure(repeats=1, budget=1e-9, training=False)(one, 64, 3))
    assert len(passes) == 3, "one is counted, one compiles, one is timed"
    assert "median of 1 pass after 1" in found["forward"].definition
