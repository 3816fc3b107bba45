"""The whole run: reports, refusals of what only torch knows, and what happens when something breaks in the middle."""

from dataclasses import dataclass, replace

import pytest
import torch
from omegaconf import OmegaConf, open_dict
from torch import nn

from aistudio.assembly.device import resolve_device, runtime_settings
from aistudio.assembly.instantiate import build
from aistudio.assembly.model import assemble
from aistudio.assembly.prepare import make_subject
from aistudio.checks.outcome import passed
from aistudio.checks.raised import finding
from aistudio.config.compose import compose
from aistudio.config.shipped import models
from aistudio.errors import Refusal
from aistudio.models.anatomy import named_backbone
from aistudio.report.listeners import Listener
from aistudio.sanity import sanity_run

SMALL = ("backbone=mobilenet_v3_small", "sanity=quick", "runtime.device=cpu", "runtime.threads=1")


@pytest.fixture(autouse=True)
def trusting_this_file(monkeypatch):
    monkeypatch.setenv("AISTUDIO_TRUST", __name__.split(".")[0])


def config(*overrides, checks=None):
    """A small configuration; ``checks`` replaces those of the level."""
    cfg = compose(*SMALL, *overrides)
    if checks is not None:
        with open_dict(cfg):
            cfg.sanity.checks = OmegaConf.create(checks)
    return cfg


def lasting(warnings):
    """Warnings, without those of a machine that other work keeps busy while the tests run."""
    return [warning for warning in warnings if "of the time away" not in warning]


def timeless(report):
    """A report without what the clock and the memory say."""
    checks = tuple(replace(check, seconds=0.0) for check in report.checks)
    facts = [one for one in report.measurements if one.low is None and one.unit not in ("s", "bytes", "%")]
    return checks, facts, report.assembled, lasting(report.warnings), report.config


@pytest.fixture(scope="module")
def report():
    return sanity_run(config())


def test_a_clean_model_passes(report):
    assert report.ok and not lasting(report.warnings)
    assert {check.status for check in report.checks} == {"passed", "skipped"}


def test_the_report_says_what_the_backbone_receives(report):
    assert report.assembled["backbone receives"].startswith("(4, 3, 224, 224) float32, mean ")
    assert report.assembled["checked at"] == "64 px, batches of 4"


def test_the_same_seed_gives_the_same_report(report):
    assert timeless(sanity_run(config())) == timeless(report)


def test_another_seed_gives_another_report(report):
    assert timeless(sanity_run(config("runtime.seed=1")))[0] != timeless(report)[0]


@dataclass
class Heard(Listener):
    heard: list

    def started(self, name):
        self.heard.append(f"start {name}")

    def assembled(self, facts):
        self.heard.append("facts")

    def checked(self, result):
        self.heard.append(result.name)

    def measured(self, measurements):
        self.heard.append(measurements)

    def ended(self, report):
        self.heard.append(report)


class OnlyTheEnd(Listener):
    def ended(self, report):
        assert report.ok


def test_whoever_listens_hears_everything_in_order(tmp_path):
    one, other = Heard([]), Heard([])
    report = sanity_run(config(), one, OnlyTheEnd(), other, drawings=tmp_path / "drawings")
    names = [check.name for check in report.checks]
    assert one.heard == other.heard
    assert one.heard[0] == "facts" and one.heard[-3:] == ["start measure", report.measurements, report]
    assert one.heard[1:-3] == [line for name in names for line in (f"start {name}", name)]
    assert {path.name for path in (tmp_path / "drawings").iterdir()} == {"batch.png", "predictions.png"}


def test_the_callers_random_numbers_and_threads_are_left_alone():
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    with runtime_settings(config("runtime.threads=3", "runtime.seed=7")):
        assert torch.get_num_threads() == 3 and torch.initial_seed() == 7
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads


# ---- a user's own check, and what breaks ----


@dataclass(frozen=True)
class Mine:
    why: str
    most: int

    def __call__(self, subject):
        count = sum(p.numel() for p in subject.model().parameters())
        assert count <= self.most, f"{count} parameters"
        return passed(f"{count} parameters")


@dataclass(frozen=True)
class OutOfMemory:
    why: str

    def __call__(self, subject):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def entry(name, **knobs):
    return {"_target_": f"{__name__}.{name}", "why": "Because.", **knobs}


def test_a_user_adds_a_check_by_its_dotted_path():
    report = sanity_run(config(checks={"small_enough": entry("Mine", most=10**9)}))
    assert [check.name for check in report.checks] == ["small_enough"] and report.ok


def test_an_exception_is_a_failed_check_with_its_place():
    report = sanity_run(config(checks={"small_enough": entry("Mine", most=1), "fine": entry("Mine", most=10**9)}))
    broken, fine = report.checks
    assert broken.status == "failed" and fine.status == "passed" and not report.ok
    assert broken.seen.startswith("AssertionError: ") and "test_sanity.py" in broken.seen


def test_what_several_checks_raise_alike_is_one_alarm():
    same, other = entry("Mine", most=1), entry("OutOfMemory")
    report = sanity_run(config(checks={"small": same, "smaller": same, "small_too": other}))
    assert [check.status for check in report.checks] == ["failed", "skipped", "failed"] and not report.ok
    assert report.checks[1].cause == "it raises what small has failed for"


def test_too_little_memory_is_a_verdict_with_advice():
    report = sanity_run(config(checks={"memory": entry("OutOfMemory")}))
    assert report.verdict == "failed"
    assert "image_size" in report.checks[0].cause and "20.00 GiB" in report.checks[0].seen


@pytest.mark.parametrize("where", ["make_subject", "build"])
def test_too_little_memory_for_the_model_or_the_measurement_is_a_verdict(monkeypatch, where):
    original = {"make_subject": make_subject, "build": build}[where]

    def small(*args):
        if where == "make_subject" or args[1] == "sanity.measure":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(*args)

    monkeypatch.setattr(f"aistudio.sanity.{where}", small)
    report = sanity_run(config(checks={"fine": entry("Mine", most=10**9)}))
    assert report.verdict == "failed" and "image_size" in report.failures[0].cause


def test_no_checks_is_no_pass():
    assert sanity_run(config(checks={})).verdict == "failed"


# ---- assembly ----


def test_the_same_seed_builds_the_same_model():
    one, same, other = (assemble(config(), seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.fc.weight"], other["head.fc.weight"])


def test_a_frozen_backbone_asks_for_no_gradients():
    model = assemble(config("backbone.frozen=true"))
    assert not any(p.requires_grad for p in model.backbone.parameters())
    assert all(p.requires_grad for p in model.head.parameters())


def test_a_frozen_model_passes_the_frozen_check():
    report = sanity_run(config("backbone.frozen=true"))
    found = {check.name: check for check in report.checks}
    assert found["frozen"].status == "passed" and found["overfits_one_batch"].status == "skipped"


def test_the_backbone_of_a_model_is_found():
    assert named_backbone(nn.Linear(1, 1))[0] == ""
    assert named_backbone(assemble(config()))[0] == "backbone."


# ---- what only torch can know ----

REFUSED = {
    "runtime.device=cuda:99": "cuda:99 is not there",
    "runtime.precision=float16": "does not run on cpu",
    "backbone.weights=IMAGENET1K_V9": "backbone.weights=IMAGENET1K_V9 does not exist",
}


@pytest.mark.parametrize("override", REFUSED)
def test_what_torch_does_not_have_is_refused(override):
    with pytest.raises(Refusal) as refusal:
        sanity_run(config(override))
    (problem,) = refusal.value.problems
    assert REFUSED[override] in problem.what
    assert problem.why and problem.instead and problem.where == override.partition("=")[0]


def test_everything_is_refused_at_once():
    with pytest.raises(Refusal) as refusal:
        sanity_run(config("runtime.device=cuda:99", "+task.loss.wdith=3"))
    assert len(refusal.value.problems) == 2


@pytest.mark.parametrize("node", [{"_target_": "torch.nn.NoSuchThing"}, {"_target_": "torch.nn.Linear", "width": 3}])
def test_a_target_that_cannot_be_made_is_refused(node):
    with pytest.raises(Refusal) as refusal:
        build(node, "task.loss")
    assert "task.loss" in refusal.value.problems[0].where


def test_auto_is_a_device_that_is_there():
    assert torch.zeros(1, device=resolve_device("auto")).device.type == resolve_device("auto").type


# ---- everything that ships ----

MODELS = [(f"task={task}", f"architecture={name}", f"backbone={backbone}") for task, name, backbone in models()]
CHECKS_ALONE = ("sanity.measure.repeats=1", "sanity.measure.training=false")


def test_the_list_of_what_ships_is_whole():
    assert len(MODELS) == len(set(MODELS)) == 3 * 11 + 3 + 2 + 1 + 5 + 2 + 1


LEVELS = {  # by task and seed: a backbone meets every level, and a task and a seed more than one; all others are quick
    ("classification", 0): "full",
    ("regression", 1): "standard",
    ("anomaly_detection", 2): "standard",
    **{(task, 0): "full" for task in {task for task, name, _ in models() if name != "backbone_head"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("model", MODELS, ids=" ".join)
def test_no_check_fails_what_ships(model, seed):
    level = LEVELS.get((model[0].partition("=")[2], seed), "quick")
    settings = (f"sanity={level}", "runtime.device=cpu", f"runtime.seed={seed}", *CHECKS_ALONE)
    without = ("~sanity.checks.generalizes",) if level == "full" else ()  # it trains for minutes: its own tests do
    assert sanity_run(compose(*model, *settings, *without)).failures == ()


class Mute(Exception):
    def __str__(self):
        raise ValueError("it has no words")


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (MemoryError(), "MemoryError: no message"),
        (RuntimeError(" \n"), "RuntimeError: no"),
        (Mute(), "Mute: no message"),
    ],
)
def test_an_exception_without_a_message_is_a_failed_check(error, seen):
    assert finding(error).status == "failed" and finding(error).seen.startswith(seen)


@pytest.mark.parametrize(
    ("node", "what", "why"),
    [
        (
            {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1},
            "sanity.checks.mine is no check but a Linear",
            "a sentence `why` and a call",
        ),
        (5, "sanity.checks.mine=5 is no check", "a check is a _target_ with its own knobs"),
    ],
)
def test_what_is_no_check_is_refused(node, what, why):
    with pytest.raises(Refusal) as raised:
        sanity_run(config(checks={"mine": node}))
    assert what in str(raised.value) and why in str(raised.value)


class Silent(Mine):
    def __call__(self, subject):
        return True


def test_a_check_that_gives_no_answer_fails():
    report = sanity_run(config(checks={"silent": entry("Silent", most=1)}))
    assert "returns an aistudio.checks.outcome.Outcome, and this one a bool" in report.checks[0].seen
