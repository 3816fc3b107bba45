"""What the checks stand on: the subject, the watched training, and outcomes that are not about bugs."""

import copy
from types import SimpleNamespace

import pytest
import torch
from tiny_models import (
    Classifier,
    Segmenter,
    battery,
    classification,
    detection,
    detector,
    outcomes,
    segmentation,
    subject,
)
from torch import nn

from aistudio.assembly.model import assemble
from aistudio.checks.backbone_input import arrival, arrival_warnings, histogram, received
from aistudio.checks.check_mode import apply_check_mode, calibrate, resize_inside, undo_check_mode
from aistudio.checks.contract import all_finite, describe
from aistudio.checks.evaluation import furthest, spread
from aistudio.checks.learning import Gradients, OptimizerStep
from aistudio.checks.outcome import some
from aistudio.checks.overfitting import OverfitsOneBatch, another_rate, slow_because
from aistudio.checks.rounding import rounding_noise
from aistudio.config.compose import compose
from aistudio.data import Sample
from aistudio.data.imagenet import normalize
from aistudio.tasks.losses import apply


def never(first, loss):
    return False


def test_the_built_model_is_left_alone_by_every_check():
    one = subject()
    before = copy.deepcopy(one.built.state_dict())
    outcomes(one)
    assert all(torch.equal(value, before[name]) for name, value in one.built.state_dict().items())


def test_checks_do_not_influence_each_other():
    forward, backward = outcomes(subject()), outcomes(subject(), *reversed(battery()))
    assert forward == {name: backward[name] for name in forward}


def test_the_same_seed_gives_the_same_outcomes():
    assert outcomes(subject(seed=3)) == outcomes(subject(seed=3))


def test_every_check_says_why_in_one_sentence():
    assert all(check.why.endswith(".") and check.why.count(".") == 1 for check in battery().values())


def test_training_equals_a_hand_written_loop():
    one = subject()
    losses = one.training.advance(3, never)
    model, batch = one.model(), one.batch()
    optimizer, expected = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for _ in range(4):
        loss = nn.functional.cross_entropy(model(batch.inputs), batch.targets)
        expected.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses == pytest.approx(expected, rel=1e-6)


def test_training_goes_on_where_it_stopped():
    one, other = subject(), subject()
    assert len(one.training.advance(2, never)) == 3
    assert one.training.advance(5, never) == other.training.advance(5, never)
    assert one.training.advance(2, never) == other.training.losses[:3]


def test_training_stops_as_soon_as_it_is_enough():
    losses = subject().training.advance(50, lambda first, loss: loss <= 0.9 * first)
    assert losses[-1] <= 0.9 * losses[0] < losses[-2]


def test_the_first_step_names_what_moved():
    one = subject(Classifier)
    one.built.fc.bias.requires_grad_(False)
    first = one.training.first
    assert "fc.bias" not in first.gradients and "fc.bias" not in first.moved
    assert "fc.weight" in first.moved and "backbone.1.running_mean" in first.moved


def test_calibration_gives_every_norm_the_statistics_of_the_batch():
    one = subject()
    model = calibrate(one.model(), one.task, one.batch())
    assert not model.training and model.backbone[1].momentum == 0.1
    with torch.no_grad():
        maps = model.backbone[0](one.batch().inputs)
    assert torch.allclose(model.backbone[1].running_mean, maps.mean((0, 2, 3)), atol=1e-5)


def test_calibration_leaves_frozen_norms_alone():
    one = subject()
    model = one.model()
    model.backbone[1].train = lambda mode=True: model.backbone[1]
    model.backbone[1].training = False
    calibrate(model, one.task, one.batch())
    assert float(model.backbone[1].running_mean.abs().max()) == 0


def test_random_layers_are_silent_in_copies_only():
    one = subject()
    assert one.model().dropout.p == 0 and one.built.dropout.p == 0.2


def test_a_detector_works_at_the_size_of_the_checks():
    model = detector()
    resize_inside(model, 48)
    assert (model.transform.min_size, model.transform.max_size) == ((48,), 48)


@pytest.mark.parametrize("architecture", ["fasterrcnn", "retinanet"])
def test_the_check_mode_of_the_shipped_levels_is_not_a_dead_letter(architecture):
    cfg = compose("task=object_detection", f"architecture={architecture}", "sanity=quick")
    model, known = assemble(cfg), 0
    for path, value in cfg.sanity.check_mode.items():
        apply_check_mode(model, {path: value})
        *parents, last = path.split(".")
        owner = model
        for parent in parents:
            owner = getattr(owner, parent, None)
        known += getattr(owner, last, None) == value
    assert known == {"fasterrcnn": 5, "retinanet": 3}[architecture]


class Gain:
    def __call__(self, x):
        return x


class Attributes(nn.Linear):
    shared, gain, table = 1, Gain(), {}

    def __init__(self):
        super().__init__(2, 2)
        self.own, self.kind, self.library, self.function, self.sampler = 1, Attributes, copy, never, Gain()
        self.sampler.batch, self.sizes, self.method, self.part = 2, {"x": 1}, self.extra_repr, nn.ReLU()


@pytest.mark.parametrize(
    "path",
    [
        "__class__.forward",
        "__class__",
        "__dict__.own",
        "__class__.__init__",
        "forward",
        "extra_repr",
        "__call__",
        "shared",
        "gain.new",
        "table",
        "weight",
        "bias",
        "part",
        "part.forward",
        "part.__class__.forward",
        "kind",
        "kind.forward",
        "kind.shared",
        "library",
        "library.deepcopy",
        "library.Error.x",
        "function",
        "function.__defaults__",
        "method.__func__.x",
        "sampler",
        "sampler.__class__.__call__",
        "_parameters",
        "_modules",
        "_forward_hooks",
        "training",
        "not_there",
        "not_there.own",
        "own.real",
        "",
        ".",
        "own.",
        ".own",
        "weight.data",
        "weight.requires_grad",
    ],
)
def test_the_check_mode_reaches_nothing_but_plain_values_of_the_model_itself(path):
    before = {**vars(Attributes)}, {**vars(nn.Linear)}, {**vars(nn.Module)}, {**vars(copy)}, {**vars(nn.ReLU)}
    model, other = Attributes(), Attributes()
    apply_check_mode(model, {path: 5})
    assert ({**vars(Attributes)}, {**vars(nn.Linear)}, {**vars(nn.Module)}, {**vars(copy)}, {**vars(nn.ReLU)}) == before
    assert never.__defaults__ is None and not vars(never) and vars(Attributes.gain) == {}
    assert model(torch.ones(1, 2)).shape == other(torch.ones(1, 2)).shape and model.training and model.own == 1
    assert {*vars(model)} == {*vars(other)} and model.sampler.batch == 2 and model.weight.requires_grad


def test_and_it_reaches_those():
    model = Attributes()
    apply_check_mode(model, {"own": 0.5, "sampler.batch": 3, "sizes": {"x": 2}, "part.inplace": True})
    assert (model.own, model.sampler.batch, model.sizes, model.part.inplace) == (0.5, 3, {"x": 2}, True)
    built = Attributes()
    undo_check_mode(model, built, {"own": 0.5, "__class__.forward": 5, "part.inplace": True, "shared": 2})
    assert model.own == 1 and model.part.inplace is False and Attributes.shared == 1


def test_one_image_is_skipped_with_its_reason():
    outcome = outcomes(subject(why_not_one="batch norm sees one value"), "batch_of_one")["batch_of_one"]
    assert outcome.status == "skipped" and "batch norm sees one value" in outcome.cause and "drop_last" in outcome.cause


def test_learning_is_skipped_on_a_frozen_random_backbone():
    assert outcomes(subject(frozen=True), "overfits_one_batch")["overfits_one_batch"].status == "skipped"


@pytest.mark.parametrize(("model", "task"), [(Classifier, None), (Segmenter, segmentation()), (detector, detection())])
def test_what_a_task_does_not_have_is_skipped(model, task):
    found = outcomes(subject(model, task, lr=1e-3), "no_objects", "ignored_pixels")
    expected = {Classifier: ("skipped", "skipped"), Segmenter: ("passed", "passed"), detector: ("passed", "skipped")}
    assert tuple(one.status for one in found.values()) == expected[model]


class Given:
    """A source that has what it has: colours that tell the class, or, ``alike``, one class."""

    description, batch_size = "given", 4

    def __init__(self, alike=False):
        self.warnings, self.alike = [], alike

    def samples(self, count, size, generator):
        labels = torch.zeros(count, 1, dtype=torch.int64) if self.alike else torch.arange(count).view(-1, 1) % 3
        images = [torch.rand(3, size, size, generator=generator) for _ in labels]
        return [Sample(image, labels=label) for image, label in zip(images, labels, strict=True)]


def test_a_source_that_takes_no_orders_is_asked_for_none():
    asked = "edge_labels", "uses_targets", "batch_of_one", "odd_sizes"
    found = outcomes(subject(source=Given()), *asked)
    assert [found[name].status for name in asked] == ["skipped", "passed", "passed", "passed"]
    assert "no `paint`" in found["edge_labels"].cause
    assert outcomes(subject(Segmenter, segmentation(), source=Given()), "no_objects")["no_objects"].status == "skipped"
    alike = outcomes(subject(source=Given(alike=True)), "uses_targets")["uses_targets"]
    assert alike.status == "skipped" and "the same target" in alike.cause


def test_a_loss_without_its_targets_is_found_in_a_source_that_takes_no_orders():
    task = copy.copy(classification())
    task.loss = lambda model, inputs, targets: {"loss": model(inputs).square().mean()}
    assert outcomes(subject(task=task, source=Given()), "uses_targets")["uses_targets"].status == "failed"


def test_parameters_may_be_excused_from_gradients():
    class Spare(Classifier):
        def __init__(self):
            super().__init__()
            self.spare = nn.Linear(1, 1)

    assert Gradients("Why.", allow=["spare.*"])(subject(Spare)).status == "passed"
    assert "spare.weight" in Gradients("Why.")(subject(Spare)).seen


def test_learning_is_measured_from_the_floor():
    assert OverfitsOneBatch("Why.", steps=60, ratio=0.5, floor=-1.0)(subject()).status == "passed"
    assert OverfitsOneBatch("Why.", steps=1, ratio=0.01)(subject()).status == "failed"


def test_why_a_loss_did_not_fall():
    words = [slow_because(share, [], 0.0) for share in (2.0, 1.0, 0.8)]
    assert ["climbs" in words[0], "does not move" in words[1], "too slowly" in words[2]] == [True] * 3


def test_what_the_backbone_receives_is_read_without_computing():
    one = subject()
    assert torch.equal(received(one.built, one.batch().inputs), one.batch().inputs)
    assert "(4, 3, 64, 64) float32" in arrival(one.batch().inputs) and "contiguous" in arrival(one.batch().inputs)
    assert "channels last" in arrival(one.batch().inputs.contiguous(memory_format=torch.channels_last))


IMAGES = {  # what photographs may be, from white paper to a night, with one value alone or with all
    "usual": lambda noise: noise,
    "white": lambda noise: 0.9 + 0.1 * noise,
    "all white": lambda noise: torch.ones_like(noise),
    "black": lambda noise: 0.02 * noise,
    "all black": lambda noise: torch.zeros_like(noise),
    "dark": lambda noise: noise**4,
    "bright": lambda noise: noise**0.2,
    "flat": lambda noise: 0.4 + 0.05 * noise,
}
MISTAKES = {
    "not normalised": lambda images: images,
    "normalised twice": lambda images: normalize(normalize(images)),
    "divided by 255 twice": lambda images: normalize(images / 255),
    "0 to 255": lambda images: normalize(images * 255),
}


@pytest.mark.parametrize("name", IMAGES)
def test_no_images_that_are_normalised_once_are_warned_about(name):
    images = IMAGES[name](torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(0)))
    arrived = normalize(images)
    padded = nn.functional.pad(arrived, (0, 1, 0, 1))
    resized = nn.functional.interpolate(arrived, size=40, mode="bilinear")
    assert [arrival_warnings(values, [*images]) for values in (arrived, padded, resized)] == [[], [], []]


@pytest.mark.parametrize("name", [name for name in IMAGES if name not in ("black", "all black")])
@pytest.mark.parametrize("words", MISTAKES)
def test_wrong_input_is_named_whatever_the_images(name, words):
    images = IMAGES[name](torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(0)))
    (warning,) = arrival_warnings(MISTAKES[words](images), [*images])
    assert words in warning


@pytest.mark.parametrize("name", ["black", "all black"])
def test_what_black_images_cannot_tell_is_not_said(name):
    images = IMAGES[name](torch.rand((4, 3, 32, 32)))
    assert arrival_warnings(MISTAKES["divided by 255 twice"](images), [*images]) == []
    assert "not normalised" in arrival_warnings(images, [*images])[0]


def test_what_leaves_the_range_for_another_reason_is_warned_about():
    images = torch.rand((4, 3, 32, 32))
    assert "normalised twice?" in arrival_warnings(images * 40 - 20, [*images])[0]


def test_all_finite_sees_one_nan_and_forgives_a_sum_that_overflows():
    nan = torch.zeros(9)
    nan[4] = float("nan")
    assert all_finite([nan, torch.full((9,), 3e38), torch.zeros(2)]) == [False, True, True]


def test_distance_is_relative_and_infinite_for_nan():
    one = {"a": torch.tensor([1.0, 100.0])}
    assert furthest(one, {"a": torch.tensor([2.0, 100.0])}) == pytest.approx(0.01)
    assert furthest(one, {"a": torch.tensor([float("nan"), 100.0])}) == float("inf")


def test_spread_is_one_number_an_output():
    assert spread(torch.tensor([[1.0, 5.0], [3.0, 5.0]])).tolist() == pytest.approx([0.2, 0.0])


def test_outputs_and_lists_in_words():
    assert describe({"out": torch.zeros(1, 2)}) == "{out (1, 2) float32}"
    assert describe([{"boxes": 1, "labels": 2}]) == "1 x {boxes, labels}"
    assert some(["a", "b", "c"], 2) == "a, b and 1 more"


# ---- half precision ----


class Chaotic(Classifier):
    """Multiplies every rounding error a thousandfold and folds the result back into -1 … 1."""

    def head(self, pooled):
        return super().head(torch.sin(3000 * pooled))


def test_rounding_noise_is_the_error_of_one_rounding_of_each_layer():
    model, inputs = nn.Identity(), torch.rand(1000) + 1
    noise = rounding_noise(model, lambda: {"values": model(inputs)}, torch.bfloat16, seed=0)
    assert noise["values"] == pytest.approx(2**-8 / 3**0.5, rel=0.05)
    assert torch.equal(model(inputs), inputs), "the hooks are gone"


def test_half_precision_is_not_blamed_for_what_rounding_does_to_the_model():
    outcome = outcomes(subject(Chaotic), "autocast")["autocast"]
    assert outcome.status == "skipped"
    assert "rounding alone" in outcome.cause


def test_the_losses_of_learning_are_kept_step_by_step():
    outcome = OverfitsOneBatch("Why.", steps=60, ratio=0.5)(subject())
    assert outcome.seen.startswith(f"{outcome.losses[0]:.3g} -> {outcome.losses[-1]:.3g} ")
    assert len(outcome.losses) == int(outcome.seen.split(" in ")[1].split()[0]) + 1


def test_the_histogram_counts_every_value_once():
    found = histogram(torch.tensor([[-1.0, 0.0, 0.0, 1.0]]), bins=4)
    assert found == {"low": -1.0, "high": 1.0, "counts": [1, 0, 2, 1]}
    assert histogram(torch.tensor([float("nan"), 1.0])) == {}


class ZeroGates(Classifier):
    """Two residual branches, one inside the other, whose last layers start at zero, as timm's do."""

    def __init__(self):
        super().__init__()
        self.outer, self.inner, self.deep = (nn.Linear(16, 16) for _ in range(3))
        for gate in (self.outer, self.inner):
            nn.init.zeros_(gate.weight)
            nn.init.zeros_(gate.bias)

    def pooled(self, maps):
        x = super().pooled(maps)
        return x + self.outer(x + self.inner(self.deep(x)))


class Dead(ZeroGates):
    def pooled(self, maps):
        return Classifier.pooled(self, maps) + 0 * self.deep(Classifier.pooled(self, maps))


def test_branches_that_start_at_zero_get_their_gradients_later():
    gradients = Gradients("Because.")
    assert gradients(subject()).seen == "11 parameter tensors"
    found = gradients(subject(ZeroGates))
    assert found.status == "passed" and "from step 2 or 3 on" in found.seen
    dead = gradients(subject(Dead))
    assert dead.status == "failed" and "6 of 17 without gradient in each of 3 steps" in dead.seen
    assert gradients(subject(Dead)).status == "failed" and "sanity.checks.gradients.allow" in dead.cause


class WarmUp(torch.optim.Adam):
    """Its learning rate is 0 in the first ``wait`` steps."""

    def __init__(self, parameters, wait):
        super().__init__(parameters, lr=0.0)
        self.taken, self.wait = 0, wait

    def step(self, closure=None):
        for group in self.param_groups:
            group["lr"] = 0.0 if self.taken < self.wait else 1e-2
        self.taken += 1
        return super().step(closure)


@pytest.mark.parametrize(("wait", "status"), [(1, "passed"), (2, "passed"), (100, "failed")])
def test_a_warm_up_from_zero_is_an_optimiser_that_works(wait, status):
    found = OptimizerStep("Because.")(subject(optimizer=lambda parameters: WarmUp(parameters, wait)))
    assert found.status == status and ("a warm-up" in found.seen) == (status == "passed"), found


def test_early_steps_are_those_of_the_shared_training():
    one = subject()
    assert one.early_steps[0].gradients == one.training.first.gradients
    assert one.early_steps[0].moved == one.training.first.moved


@pytest.mark.parametrize(
    ("lr", "steps", "words"),
    [
        (1e-2, 60, ""),
        (3.0, 10, "a tenth of the learning rate (0.3)"),
        (3e-4, 60, "three times the learning rate (0.0009)"),
    ],
)
def test_a_model_that_learns_at_another_rate_has_learned(lr, steps, words):
    found = OverfitsOneBatch("Because.", steps=steps, ratio=0.5)(subject(lr=lr))
    assert found.status == "passed" and words in found.seen and ("train with the other" in found.seen) == bool(words)


@pytest.mark.parametrize(
    ("losses", "rate"),
    [([1, 0.8, 0.6], 3.0), ([1, 0.4, 0.6], 0.1), ([1, 0.5, 0.55, 0.4], 3.0), ([1, float("nan")], 0.1), ([1, 2], 0.1)],
)
def test_the_other_rate_is_lower_where_the_loss_climbed(losses, rate):
    assert another_rate(losses)[0] == rate


class FromBlocks(Classifier):
    """Its backbone turns 2 x 2 pixels into channels before its first convolution; its gain is the bug."""

    gain = 1.0

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 16, 3, 2, 1), nn.BatchNorm2d(16))

    def forward(self, x):
        return super().forward(self.gain * x)


class FromBlocksTwice(FromBlocks):
    gain = 4.0


def test_what_arrives_is_seen_where_no_convolution_sees_images():
    assert outcomes(subject(FromBlocks), "input_range")["input_range"].status == "passed"
    assert outcomes(subject(FromBlocksTwice), "input_range")["input_range"].status == "failed"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"logits": torch.zeros(4, 2), "loss": None}, "a dict with logits (4, 2)"),
        ((torch.zeros(4, 2), torch.zeros(4)), "a tuple with [0] (4, 2), [1] (4,)"),
        (SimpleNamespace(logits=torch.zeros(4, 2)), "a SimpleNamespace with logits (4, 2)"),
        (3, "an int"),
    ],
)
def test_an_output_that_is_no_tensor_is_said_with_what_is_in_it(given, words):
    with pytest.raises(TypeError) as caught:
        apply(nn.CrossEntropyLoss(), given, torch.zeros(4))
    assert str(caught.value) == f"the model gives {words}, and this task's loss takes one tensor"


def test_weights_in_half_precision_that_steps_do_not_reach_are_told_so():
    class Half(Classifier):
        def __init__(self):
            super().__init__()
            self.bfloat16()

        def forward(self, x):
            return super().forward(x.bfloat16()).float()

    found = outcomes(subject(Half, lr=1e-4), "optimizer_step")["optimizer_step"]
    assert found.status == "failed" and "runtime.precision=bfloat16" in found.cause
    assert "runtime.precision" not in outcomes(subject(lr=0.0), "optimizer_step")["optimizer_step"].cause
