"""Forecast and measured stand side by side in every report that measures a training step."""

import pytest
import torch
from tiny_models import Classifier, detection, detector, subject

from aistudio.costs.measure import Measure
from aistudio.costs.proof import proof


def proved(model=Classifier, task=None, **fields):
    found = Measure(repeats=1)(subject(model, task, lr=1e-3, **fields), 64, 3)
    return {one.name: one for one in found}


def test_a_step_takes_what_was_forecast():
    found = proved()
    assert found["forecast_ratio"].value == pytest.approx(1, abs=1e-3)
    assert found["training_step_forecast_memory"].value == pytest.approx(
        found["training_step_tensor_memory"].value, rel=1e-3
    )


@pytest.mark.slow
def test_in_half_precision_and_of_a_detector_too():
    assert proved(precision=torch.bfloat16)["forecast_ratio"].value == pytest.approx(1, abs=2e-3)
    assert proved(detector, detection())["forecast_ratio"].value == pytest.approx(1, abs=2e-2)


def test_a_model_that_differs_when_it_is_built_again_is_seen():
    built = []

    def growing():
        built.append(Classifier())
        built[-1].more = torch.nn.Linear(10, 100_000) if len(built) == 1 else torch.nn.Identity()
        return built[-1]

    assert proved(growing)["forecast_ratio"].value < 0.9


def test_what_cannot_be_forecast_is_said_and_the_rest_measured():
    class Reading(Classifier):
        def forward(self, x):
            return super().forward(x) * (1 + int(x.detach().long().max() > 99) + len(x.detach().cpu().numpy()) * 0)

    found = proved(Reading)
    assert found["training_step_forecast_memory"].value is None
    assert "cannot be forecast" in found["training_step_forecast_memory"].definition
    assert found["training_step_tensor_memory"].value > 0
    assert "forecast_ratio" not in found


def test_where_tensors_were_not_counted_nothing_is_compared():
    one = subject()
    assert proof(one, one.batch(), None) == []


def test_parameters_without_a_gradient_have_no_state_and_are_not_counted():
    class Spare(Classifier):
        def __init__(self):
            super().__init__()
            self.unused = torch.nn.Linear(200, 200)

    found = proved(Spare)
    assert found["forecast_ratio"].value == pytest.approx(1, abs=1e-3)


def test_a_step_that_is_longer_than_the_budget_is_taken_twice_in_all():
    one, passes = subject(lr=1e-3), []
    one.built.register_forward_hook(lambda module, *_: passes.append(1) if module.training else None)
    found = {x.name: x for x in Measure(repeats=5, budget=1e-9)(one, 64, 3)}
    assert len(passes) == 2, "one is watched, one is timed"
    assert found["training_step"].value > 0 and "median of 1 pass after 1" in found["training_step"].definition
    assert found["training_step_peak_memory"].value > found["training_step_tensor_memory"].value
    passes.clear()
    found = {x.name: x for x in Measure(repeats=5, budget=60)(one, 64, 3)}
    assert len(passes) == 1 + 1 + 5
