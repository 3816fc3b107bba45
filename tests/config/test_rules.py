"""The rules say exactly what the specification says; the golden matrix shows every verdict with its rule."""

from itertools import product

import pytest
from omegaconf import OmegaConf

from aistudio.config import groups, rules, shipped
from aistudio.config.compose import compose
from aistudio.config.plain import plain
from aistudio.errors import Refusal

ANY = set(groups.options("backbone"))
SPECIFIED = {
    "classification": ANY,
    "anomaly_detection": ANY,
    "regression": ANY,
    "object_detection": {"resnet50"},
    "oriented_object_detection": {"resnet50"},
    "instance_segmentation": {"resnet50"},
    "segmentation": {"resnet50", "resnet101", "mobilenet_v3_large"},
}


def verdict(backbone: str, task: str, architecture: str) -> str:
    problems = shipped.pair_problems(backbone, task, architecture)
    return problems[0].where if problems else "fits"


@pytest.mark.parametrize("task", SPECIFIED)
def test_each_task_takes_the_backbones_of_the_specification(task):
    assert groups.options("task") == sorted(SPECIFIED)
    taken = {name for name in ANY if verdict(name, task, shipped.default_architecture(task)) == "fits"}
    assert taken == SPECIFIED[task]


def test_golden_matrix_of_pairs(golden):
    lines = [
        f"{task:<26} {backbone:<20} {verdict(backbone, task, shipped.default_architecture(task))}"
        for task, backbone in product(groups.options("task"), groups.options("backbone"))
    ]
    assert len(lines) == len(ANY) * len(SPECIFIED)
    golden("pairs.txt", "\n".join(lines) + "\n")


def test_golden_matrix_of_architectures(golden):
    lines = []
    for architecture, backbone in product(groups.options("architecture"), groups.options("backbone")):
        for task in shipped.section("architecture", architecture)["tasks"]:
            lines.append(f"{architecture:<30} {task:<26} {backbone:<20} {verdict(backbone, task, architecture)}")
    golden("architectures.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("architecture", groups.options("architecture"))
def test_an_architecture_fits_no_task_but_its_own(architecture):
    own = shipped.section("architecture", architecture)["tasks"]
    for task in groups.options("task"):
        verdicts = {verdict(backbone, task, architecture) for backbone in SPECIFIED[task]}
        assert ("fits" in verdicts) == (task in own)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("task", SPECIFIED)
def test_what_the_catalog_judges_the_composed_configuration_is_judged(task, no_torch):
    for backbone in sorted(ANY):
        expected = shipped.pair_problems(backbone, task, shipped.default_architecture(task))
        try:
            compose(f"task={task}", f"backbone={backbone}")
            found = []
        except Refusal as refusal:
            found = list(refusal.problems)
        assert found == expected


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "full_name", [name for name in groups.options("architecture") if "resnet" in name or "mobilenet" in name]
)
def test_a_full_name_brings_its_backbone_and_refuses_another(full_name, no_torch):
    task = shipped.section("architecture", full_name)["tasks"][0]
    config = compose(f"task={task}", f"architecture={full_name}")
    assert config.architecture.name == full_name
    assert config.architecture.model._target_.endswith("." + full_name)
    other = "resnet34" if config.backbone.name != "resnet34" else "resnet18"
    with pytest.raises(Refusal, match=f"backbone={other}"):
        compose(f"task={task}", f"architecture={full_name}", f"backbone={other}")


def test_a_backbone_of_the_users_own_is_any_backbone(tmp_path, monkeypatch, no_torch):
    monkeypatch.setenv("AISTUDIO_TRUST", "my_package")
    (tmp_path / "backbone").mkdir()
    (tmp_path / "backbone" / "mine.yaml").write_text("name: mine\nmodel: {_target_: my_package.Mine}\n")
    config = compose("backbone=mine", "task=regression", config_dir=tmp_path)
    assert (config.backbone.taps, config.backbone.frozen) == (None, False)
    with pytest.raises(Refusal, match="backbone=mine does not fit task=object_detection"):
        compose("backbone=mine", "task=object_detection", config_dir=tmp_path)


RELAXED = ("task.rules.backbones.allow=any", "architecture.rules.backbones.allow=any")


def test_a_rule_that_a_user_relaxes_lets_pass(no_torch):
    config = compose("task=segmentation", "backbone=resnet34", *RELAXED)
    assert config.backbone.name == "resnet34"


def test_a_changed_rule_of_ours_is_said(no_torch):
    relaxed = compose("task=segmentation", "backbone=resnet34", *RELAXED)
    assert shipped.changed_rules(plain(relaxed)) == [
        "task.rules.backbones.allow=any, shipped is ['resnet50', 'resnet101', 'mobilenet_v3_large']",
        "architecture.rules.backbones.allow=any, shipped is ['resnet50', 'resnet101', 'mobilenet_v3_large']",
    ]
    smaller = compose("task=segmentation", "architecture.rules.image_size.at_least=1")
    assert len(shipped.changed_rules(plain(smaller))) == 1


@pytest.mark.sampled(8)
@pytest.mark.parametrize("architecture", groups.options("architecture"))
def test_no_shipped_rule_is_said_to_have_changed(architecture, no_torch):
    task = shipped.section("architecture", architecture)["tasks"][0]
    assert not shipped.changed_rules(plain(compose(f"task={task}", f"architecture={architecture}")))


def test_a_task_of_a_shipped_class_takes_what_that_takes(tmp_path, no_torch):
    (tmp_path / "task").mkdir()
    text = "# @package _global_\ndefaults: [regression@_global_, _self_]\ntask:\n  name: age\n"
    (tmp_path / "task" / "age.yaml").write_text(text)
    assert compose("task=age", config_dir=tmp_path).architecture.name == "backbone_head"
    with pytest.raises(Refusal, match="architecture=fcn does not fit task=age"):
        compose("task=age", "architecture=fcn", config_dir=tmp_path)


@pytest.mark.parametrize(("batch", "size", "count"), [(1, 32, 1), (1, 33, 0), (2, 32, 0), (2, 31, 1), (1, 31, 1)])
def test_a_batch_of_one_needs_more_than_one_pixel_at_the_end(batch, size, count):
    config = OmegaConf.to_container(compose("sanity.image_size=64"), resolve=True)
    config["data"]["batch_size"], config["task"]["image_size"] = batch, size
    assert len(rules.judge(config)) == count
