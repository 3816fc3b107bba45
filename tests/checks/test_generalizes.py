"""The small training on fresh images: what it sees, how it names it, and what it leaves alone."""

from dataclasses import replace

import pytest
import torch
from bugs.apart import BUGS
from bugs.apart_subjects import HEALTHY, TRANSFORMED, check
from bugs.bug import task_with
from tiny_models import CLASSES, Classifier, classification, detection, subject
from torch import nn
from torch.nn import functional as F

from aistudio.assembly.instantiate import build
from aistudio.checks.fresh_training import FreshTraining, Judgement, Plan
from aistudio.checks.generalizes import Generalizes, runs_at
from aistudio.checks.runner import Watch
from aistudio.checks.shipped_task import shipped_task
from aistudio.checks.trained import Trained
from aistudio.config.compose import compose, settle
from aistudio.models.nested import alike
from aistudio.report.listeners import Listeners
from aistudio.sanity import prepare
from aistudio.tasks import Classification, ObjectDetection, Regression, Segmentation

PLAN = Plan(64, CLASSES, steps=2, batch_size=4, unseen=8, every=1, rate=1.0, budget=60.0)


def judged(name):
    """What the check says of a bug."""
    (found,) = [one for one in BUGS if one.name == name]
    return found.own["generalizes"](found.subject())


def test_the_collection_is_large_and_covers_all_tasks():
    assert len({one.name for one in BUGS}) == len(BUGS) >= 40
    assert {one.name.partition(":")[0] for one in BUGS} == {*HEALTHY}


# ---- quick: image tasks ----


@pytest.mark.parametrize("name", ["classification: labels one too high", "anomaly: inverted"])
def test_renamed_labels_fail_with_their_name(name):
    outcome = judged(name)
    assert outcome.status == "failed" and "labels one too high" in outcome.cause
    assert outcome.seen.startswith(("accuracy 0.0", "auroc 0.0"))


def test_merged_labels_fail_because_aistudios_own_task_does_not():
    outcome = replace(judged("classification: two classes merged"), metrics={})
    assert outcome.status == "failed" and "class 3 taken for class 2" in outcome.cause
    assert "with aistudio's own Classification" in outcome.seen


@pytest.mark.parametrize("name", ["classification", "anomaly"])
def test_healthy_ones_pass_with_their_metric_before_and_after(name):
    outcome = check(name)(HEALTHY[name]())
    assert outcome.status == "passed"
    ((_, (before, after)),) = outcome.metrics.items()
    assert before < 0.8 <= after


# ---- what is not judged ----


def test_too_few_steps_are_no_failure():
    outcome = replace(check("classification"), steps=1)(HEALTHY["classification"]())
    assert outcome.status == "skipped" and outcome.cause.startswith("not judged: accuracy ")


def test_the_budget_ends_the_training():
    outcome = replace(check("classification"), budget=0.0)(HEALTHY["classification"]())
    assert outcome.status == "skipped" and "after 0 steps" in outcome.cause


def test_a_task_of_ones_own_without_metrics_is_skipped_with_words():
    class Mine:
        def __init__(self):
            self.healthy = classification()

        def __getattr__(self, name):
            if name == "metrics":
                raise AttributeError(name)
            return getattr(self.healthy, name)

    outcome = check("classification")(subject(Classifier, Mine()))
    assert outcome.status == "skipped" and "no metrics" in outcome.cause


def test_a_metric_that_no_entry_says_enough_of_is_skipped_with_words():
    outcome = Generalizes("Why.", enough={"f1": 0.5})(HEALTHY["classification"]())
    assert outcome.status == "skipped" and "accuracy" in outcome.cause and "enough" in outcome.cause


def test_a_frozen_random_backbone_and_a_broken_output_are_skipped():
    assert check("classification")(subject(frozen=True)).status == "skipped"
    assert "contract" in check("classification")(subject(lambda: Classifier(CLASSES + 1))).cause


class Bound(Classifier):
    def forward(self, x):
        assert x.shape[-1] >= 64, "a model bound to its size"
        return super().forward(x)


def test_a_model_that_is_bound_to_a_size_is_trained_at_the_checks_own():
    assert runs_at(subject(Classifier), 32) and not runs_at(subject(Bound), 32)
    outcome = replace(check("classification"), image_size=32)(subject(Bound))
    assert outcome.status == "passed"


# ---- the training ----


def test_every_step_has_images_of_its_own_and_none_is_unseen():
    training = FreshTraining(subject(), classification(), PLAN, ("accuracy",))
    seen = [training._unseen, *(training._paint(4, 2_000_003 + step) for step in range(3))]
    images = torch.cat([batch.inputs for batch in seen]).flatten(1)
    assert len(images.unique(dim=0)) == len(images)


def test_the_training_repeats_and_leaves_the_subject_alone():
    one = subject()
    before = one.built.state_dict()
    found = [[*FreshTraining(one, one.task, PLAN, ("accuracy",)).judgements()] for _ in range(2)]
    assert found[0] == found[1] and [one.steps for one in found[0]] == [0, 1, 2]
    assert all(torch.equal(value, before[name]) for name, value in subject().built.state_dict().items())


def test_what_is_trained_on_is_compared_with_what_is_true():
    """A transform that renames the labels: the model is judged by both."""
    transform = lambda image, target: (image, (target + 1) % CLASSES)  # noqa: E731
    one = subject()
    last = [*FreshTraining(one, one.task, replace(PLAN, steps=20, every=20), ("accuracy",), transform).judgements()][-1]
    assert last.in_pairs["accuracy"] > 0.8 and last.value < 0.2 and last.fits["with labels one too high"] > 0.8


def test_a_transform_enters_by_its_dotted_path():
    node = "{_target_: torchvision.transforms.v2.RandomHorizontalFlip, p: 0.25}"
    cfg = compose("sanity=full", "backbone=resnet18", f"sanity.checks.generalizes.transform={node}")
    assert build(cfg.sanity.checks.generalizes, "sanity.checks.generalizes").transform.p == 0.25


# ---- the task to compare with ----


def test_a_shipped_task_has_nothing_to_be_compared_with():
    for task in (classification(), ObjectDetection(3), Regression(1, nn.MSELoss())):
        assert shipped_task(task, changed=False) is None
        assert type(shipped_task(task, changed=True)) is type(task)


def test_what_is_overridden_is_left_out_of_the_comparison():
    class Mine(ObjectDetection):
        def target(self, sample):
            return None

    patched = task_with(classification, target=lambda task, sample: None)
    own, plain = shipped_task(Mine(7), False), shipped_task(patched, False)
    assert type(own) is ObjectDetection and own.num_outputs == 8
    assert type(plain) is Classification and "target" not in vars(plain)
    assert shipped_task(object(), True) is None


def test_a_loss_of_ones_own_is_replaced_in_the_comparison():
    class Mine(nn.Module):
        ignore_index = 7

    task = Segmentation(4, Mine(), ignore_index=7)
    criterion = shipped_task(task, False).criterion
    assert isinstance(criterion, nn.CrossEntropyLoss) and criterion.ignore_index == 7
    assert isinstance(task.criterion, Mine)


def test_the_best_of_no_truths_is_none():
    assert Judgement(0, {}).fits == {} and Judgement(0, {}).in_pairs == {}


# ---- judgement after judgement ----


def trained(*fits, otherwise=False, merged=()):
    """A training whose metric was .1 each time, and what it would have been if other truths held."""
    judged = [Judgement(0, {"r2": -1.0}, "r2", -1.0)]
    judged += [
        Judgement(step + 1, {"r2": 0.1}, "r2", 0.1, one, dict(merged), {"r2": said})
        for step, (one, said) in enumerate(fits)
    ]
    return Trained(None, judged, otherwise)


def test_what_is_fitted_once_on_the_way_is_not_told():
    """A bias that comes and goes: one deviation too high here, too low there."""
    swings = trained(({"high": 0.7, "low": -1.0}, 0.1), ({"high": -1.0, "low": 0.7}, 0.1), ({"high": 0.7}, 0.1))
    assert swings.other(0.3) == ("", float("-inf"))
    steady = trained(*[({"high": value, "low": -1.0}, 0.1) for value in (0.1, 0.5, 0.6, 0.7)])
    assert steady.other(0.3) == ("high", 0.7) and steady.other(0.3, least=0.55) == ("", float("-inf"))
    assert steady.other(0.3, least=0.5) == ("high", 0.7)


def test_merged_labels_count_where_they_are_asked_for():
    steady = trained(*[({"high": 0.3}, 0.1)] * 3, merged={"all one": 0.9})
    assert steady.other(0.1) == ("high", 0.3) and steady.other(0.1, merged=True) == ("all one", 0.9)


def test_a_training_that_was_ended_early_is_judged_by_what_there_is():
    assert trained(({"high": 0.7}, 0.1)).other(0.3)[0] == "high" and trained().other(0.3)[0] == ""


def test_what_targets_say_counts_where_it_fits_better_each_time():
    assert trained(*[({"high": 0.0}, said) for said in (0.0, 0.2, 0.3, 0.25)]).said("r2") == pytest.approx(0.15)
    assert trained(*[({"high": 0.0}, said) for said in (0.2, 0.05, 0.3)]).said("r2") == 0.0
    assert trained(*[({"high": 0.0}, said) for said in (0.2, 0.2, 0.3)]).said("map_75") == 0.0
    assert trained(({"high": 0.0}, -0.1)).denied() and not trained(({"high": 0.0}, 0.05)).denied()


# ---- conventions of one's own ----


def with_boxes(change, back, **others):
    """A task whose targets have other boxes than aistudio's, which its loss turns back."""

    def target(task, sample):
        found = type(task).target(task, sample)
        return {**found, "boxes": change(found["boxes"])}

    def loss(task, model, inputs, targets):
        return type(task).loss(task, model, inputs, [{**one, "boxes": back(one["boxes"])} for one in targets])

    return {"target": target, "loss": loss, "target_problems": lambda task, images, targets: [], **others}


def soft(task, sample):
    """Labels as probabilities, smoothed."""
    return F.one_hot(sample.known("labels")[0], CLASSES) * 0.9 + 0.1 / CLASSES


OWN = {
    "boxes as corner and size": (
        "detection",
        with_boxes(
            lambda b: torch.cat((b[:, :2], b[:, 2:] - b[:, :2]), 1),
            lambda b: torch.cat((b[:, :2], b[:, :2] + b[:, 2:]), 1),
        ),
    ),
    "y before x": ("detection", with_boxes(lambda b: b[:, [1, 0, 3, 2]], lambda b: b[:, [1, 0, 3, 2]])),
    "values twice as large": (
        "regression",
        {
            "target": lambda task, sample: 2 * type(task).target(task, sample),
            "loss": lambda task, model, inputs, targets: {"mse": F.mse_loss(model(inputs), targets / 2)},
        },
    ),
    "soft labels": (
        "classification",
        {
            "target": soft,
            "target_problems": lambda task, images, targets: [],
            "loss": lambda task, model, inputs, targets: {"loss": F.cross_entropy(model(inputs), targets)},
        },
    ),
}


QUICK = "soft labels"


@pytest.mark.parametrize(
    "name", [QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in OWN if name != QUICK)]
)
def test_targets_in_a_convention_that_the_loss_knows_pass(name):
    family, methods = OWN[name]
    outcome = check(family)(HEALTHY[family](**methods))
    assert outcome.status == "passed" and "with aistudio's own" in outcome.seen and not outcome.warning


def test_targets_that_say_something_else_are_told_from_rounding():
    one = HEALTHY["detection"]()
    task = task_with(detection, target=lambda task, sample: ObjectDetection.target(task, sample))
    moved = task_with(detection, **with_boxes(lambda boxes: boxes + 0.3, None))
    swapped = task_with(detection, **OWN["y before x"][1])
    trainings = [FreshTraining(one, task, replace(PLAN, unseen=4), ("map_50",)) for task in (task, moved, swapped)]
    own = detection()
    assert [training.says_otherwise(own) for training in trainings] == [False, False, True]
    assert [training.how_otherwise(own) for training in trainings[2:]] == ["transposed (x and y swapped)"]


def test_labels_are_compared_exactly():
    assert alike({"labels": torch.tensor([998])}, {"labels": torch.tensor([998])})
    assert not alike({"labels": torch.tensor([998])}, {"labels": torch.tensor([999])})
    assert not alike(torch.zeros(2), torch.zeros(3)) and not alike(torch.zeros(2), {"boxes": torch.zeros(2)})
    assert alike(torch.tensor([100.0, 0]), torch.tensor([100.5, 0.5])) and not alike(torch.ones(2), torch.zeros(2))
    assert not alike(torch.tensor([torch.nan]), torch.tensor([1.0]))


# ---- slow: tasks that know places ----


SLOW = {  # by the words that name the cause; benchmarks/kill_matrix.py --family apart tries all
    "regression: x of the mirrored image": "the outputs are",
    "segmentation: mask mirrored": "in 16 of 16 images the outputs are mirrored left-right against the targets",
    "segmentation: image mirrored by half, mask not": "images the outputs are mirrored left-right against the targets",
    "detection: boxes mirrored": "mirrored left-right",
    "detection: x and y swapped": "transposed (x and y swapped)",
    "oriented: clockwise": "clockwise",
    "regression: half scale": "half as large",
    "regression: images mirrored by half, values as they were": "",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_bugs_that_set_targets_and_images_apart_fail_with_their_cause(name):
    outcome = judged(name)
    assert outcome.status == "failed" and SLOW[name] in outcome.cause


@pytest.mark.slow
def test_targets_that_outputs_cannot_tell_from_the_truth_are_warned_of():
    """Too small a model for angles: its outputs fit boxes that are turned the other way as well."""
    one = next(one for one in BUGS if one.name == "oriented: clockwise").subject()
    one.seed = 1
    outcome = check("oriented")(one)
    assert outcome.status == "skipped" and "clockwise" in outcome.warning and "if the loss knows it" in outcome.warning


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_tasks_do_not_fail(name, seed):
    one = HEALTHY[name]()
    one.seed = seed
    assert check(name)(one).status != "failed"


@pytest.mark.slow
@pytest.mark.parametrize("name", TRANSFORMED)
def test_transforms_that_move_both_do_not_fail(name):
    assert check(name, TRANSFORMED[name])(HEALTHY[name]()).status != "failed"


SHIPPED = (
    ("task=classification", "backbone=resnet18"),
    ("task=anomaly_detection", "backbone=mobilenet_v3_small"),
    ("task=regression", "backbone=mobilenet_v3_small", "task.num_outputs=5"),
    ("task=regression", "backbone=resnet50"),  # off by one deviation now this way, now that, before it learns
    ("task=segmentation", "architecture=lraspp", "backbone=mobilenet_v3_large"),
)


@pytest.mark.slow
@pytest.mark.parametrize("line", SHIPPED, ids=" ".join)
def test_what_ships_learns_what_is_true(line):
    chosen, checks = prepare(settle(compose(*line, "sanity=full", "runtime=cpu")), Watch(Listeners(())))
    outcome = checks["generalizes"](chosen)
    assert outcome.status == "passed", outcome
