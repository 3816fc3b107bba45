"""``sanity=forecast``: what a run needs, told without running it."""

import json

import pytest
import torch
from omegaconf import OmegaConf

import aistudio
from aistudio.config.compose import settle
from aistudio.costs.memory import Forecaster
from aistudio.costs.real_step import real_peak
from aistudio.errors import Refusal
from aistudio.forecast import variants, varied, workload

SMALL = ("backbone=mobilenet_v3_small", "task.image_size=64", "sanity=forecast")


def forecast(*overrides):
    report = aistudio.sanity_run(aistudio.compose(*overrides))
    return report, {one.name: one for one in report.measurements}


def measured(cfg, count):
    work = workload(settle(cfg), backend="cpu")
    model = work.model()
    optimizer = work.shapes.optimizer([p for p in model.parameters() if p.requires_grad])
    half = work.shapes.precision != torch.float32
    seen = real_peak(
        model,
        optimizer,
        work.shapes.loss,
        work.batch(count),
        lambda: torch.autocast("cpu", torch.bfloat16, enabled=half),
    )
    return Forecaster(work.shapes).training(count), seen


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("backbone=resnet18",),
        ("backbone=efficientnet_b0", "task=regression", "runtime.precision=bfloat16"),
        ("backbone=mobilenet_v3_large", "task=segmentation", "architecture=lraspp"),
        ("backbone=mobilenet_v3_small", "task=anomaly_detection", "backbone.frozen=true"),
    ],
)
def test_a_step_takes_what_was_forecast(overrides):
    peak, seen = measured(aistudio.compose(*overrides, "task.image_size=96"), 4)
    assert peak.bytes == pytest.approx(seen.tensors, rel=1e-3)


def test_a_detector_too():
    peak, seen = measured(aistudio.compose("task=object_detection", "architecture=retinanet", "task.image_size=96"), 2)
    assert peak.bytes == pytest.approx(seen.tensors, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("task", ["object_detection", "instance_segmentation"])
def test_two_stage_detectors_lie_inside_their_range(task, count):
    peak, seen = measured(aistudio.compose(f"task={task}", "task.image_size=128"), count)
    assert peak.least <= 1.001 * seen.tensors and seen.tensors <= 1.001 * peak.bytes


def test_mask_r_cnn_has_a_range():
    cfg = aistudio.compose("task=instance_segmentation", "task.image_size=128")
    peak = Forecaster(workload(settle(cfg)).shapes).training(2)
    assert peak.least < 0.9 * peak.bytes


def test_the_report(no_real_step):
    report, found = forecast(*SMALL, "gpu=[t4,a100_80]", "gpu.memory=1GB")
    assert [check.name for check in report.checks] == ["forecast", "fits_t4", "fits_a100_80", "fits_1GB"]
    assert [check.status for check in report.checks] == ["passed", "passed", "passed", "failed"]
    kinds = sum(
        found[f"forecast_{kind}"].value for kind in ("weights", "gradients", "optimizer", "activations", "input")
    )
    assert kinds == found["training_step_forecast_memory"].value
    assert found["largest_batch_a100_80"].value > found["largest_batch_t4"].value > 100
    assert found["largest_batch_1GB"].value == 0
    assert 0 < found["forward_floor_t4"].value < found["training_step_floor_t4"].value
    assert "forward_floor_1GB" not in found
    assert report.verdict == "failed"


@pytest.fixture
def no_real_step(monkeypatch):
    """Nothing is computed: a real convolution would raise."""
    convolve = torch.nn.functional.conv2d

    def shapes_only(x, *args, **kwargs):
        assert x.is_meta, "a real convolution"
        return convolve(x, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "conv2d", shapes_only)


def test_what_would_make_it_fit_is_tried(no_real_step):
    report, found = forecast("backbone=resnet18", "sanity=forecast", "data.batch_size=256", "gpu.memory=6GB")
    fits = report.checks[-1]
    assert fits.status == "failed"
    largest = found["largest_batch_6GB"].value
    steps = -(-256 // largest)
    assert f"data.batch_size={-(-256 // steps)} with {steps} steps accumulated" in fits.cause
    assert "runtime.precision=bfloat16 (" in fits.cause
    needed = found["training_step_forecast_memory"].value
    for saving in ("half_precision", "activation_checkpointing", "frozen_backbone", "smaller_images", "sgd"):
        assert found[f"memory_with_{saving}"].value < needed


def test_lines_of_configuration_make_what_was_forecast():
    chosen = ("task=object_detection", "architecture=retinanet", "sanity=forecast")
    lines = [*variants(aistudio.compose(*chosen))]
    assert len(lines) >= 4
    for line, other in lines:
        composed = OmegaConf.to_container(aistudio.compose(*chosen, line), resolve=True)
        assert composed == OmegaConf.to_container(other, resolve=True)


def test_a_card_without_bfloat16_is_told_of_float16():
    for card, half in (("t4", "float16"), ("a100_80", "bfloat16")):
        assert f"runtime.precision={half}" in [line for line, _ in variants(aistudio.compose(f"gpu={card}"))]


def test_activation_checkpointing_is_a_line_of_configuration():
    plain, checkpointed = (
        Forecaster(workload(settle(aistudio.compose("task.image_size=64", *more))).shapes).training(64)
        for more in ((), ("backbone.activation_checkpointing=true",))
    )
    assert checkpointed.by_kind["activations"] < 0.6 * plain.by_kind["activations"]


def test_other_values_leave_the_configuration_alone():
    cfg = aistudio.compose("task=object_detection", "task.image_size=160")
    other = varied(cfg, "task.image_size", 96)
    assert (cfg.task.image_size, other.architecture.model.min_size) == (160, 96)


class Deciding(torch.nn.Module):
    """A model whose next layer depends on what the last one gave."""

    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.last = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, num_classes)

    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        for _ in range(1 + int(x.detach().abs().max().long())):
            x = x.relu() + 1
        return self.last(x)


def test_where_shapes_do_not_tell_a_real_step_does(monkeypatch):
    monkeypatch.setenv("AISTUDIO_TRUST", __name__.split(".")[0])
    cfg = aistudio.compose("backbone=resnet18", "task.image_size=64", "sanity=forecast")
    cfg.architecture.model = {"_target_": f"{__name__}.Deciding"}
    report = aistudio.sanity_run(cfg)
    assert report.checks[0].status == "passed"
    assert "measured in a real step" in report.checks[0].seen
    assert "test_forecast.py" in report.checks[0].seen


def test_weights_are_not_fetched(monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *a, **k: pytest.fail("downloads"))
    report, _ = forecast(*SMALL, "backbone.weights=DEFAULT")
    assert report.verdict == "passed"


@pytest.mark.parametrize(
    "override", ["gpu=rtx4090", "gpu=[t4,nope]", "gpu.memory=lots", "gpu.memory=0", "gpu.t4.memory=3GiB", "gpu=[t4"]
)
def test_cards_that_are_none_are_refused(override):
    with pytest.raises(Refusal):
        aistudio.compose("sanity=forecast", override)


def test_from_the_command_line(cli, tmp_path, monkeypatch):
    code, said = cli(*SMALL, "gpu=t4", f"hydra.run.dir={tmp_path / 'out'}")
    assert (code, said) == (0, "")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["config"]["gpu"]["t4"]["memory"] == "14.56GiB"
    assert {one["name"] for one in report["measurements"]} >= {"training_step_forecast_memory", "largest_batch_t4"}
