"""A run on labelled data, for every task: targets are those of the data, classes are found, checks pass on them."""

import pytest
import torch
from labelled_sets import SETS
from omegaconf import OmegaConf

import aistudio
from aistudio.assembly.found_classes import with_found_classes
from aistudio.assembly.parts import build_source, build_task
from aistudio.config.compose import settle
from aistudio.errors import Refusal
from aistudio.tasks.batch import make_batch

OUTPUTS = {"csv_values": 2, "csv_anomalies": None, "mvtec": None, "masks": 4}


def composed(root, name, *overrides):
    write, kind, task = SETS[name]
    write(root)
    return aistudio.compose(f"task={task}", f"data={kind}", f"data.root={root}", *overrides)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", SETS)
def test_the_number_of_outputs_is_found_and_the_targets_are_sound(name, tmp_path):
    config = with_found_classes(composed(tmp_path, name))
    key = "num_outputs" if "num_outputs" in config.task else "num_classes"
    assert config.task.get(key) == OUTPUTS.get(name, 3)
    judged = settle(config)
    task, source = build_task(judged), build_source(judged)
    batch = make_batch(task, source, 4, 96, seed=0)
    assert len(batch.samples) == 4
    painted = make_batch(task, source, 2, 96, seed=0, labels=[[0], [task.sample_labels - 1]])
    assert len(painted.samples) == 2


@pytest.mark.parametrize("name", ["image_folder", "csv_values", "coco", "coco_polygons", "dota", "masks", "mvtec"])
def test_a_loop_of_ones_own_gets_inputs_and_targets(name, tmp_path):
    config = composed(tmp_path, name, "task.image_size=64")
    data = aistudio.dataset(config, "train")
    loader = torch.utils.data.DataLoader(data, batch_size=3, collate_fn=data.collate)
    inputs, targets = next(iter(loader))
    assert len(inputs) == len(targets) == 3
    assert not build_task(settle(with_found_classes(config))).target_problems(
        [data[index][0] for index in range(3)], targets
    )


def test_data_without_labels_is_no_dataset():
    with pytest.raises(Refusal, match="no labels"):
        aistudio.dataset(aistudio.compose("task=classification"))


def test_a_stated_number_that_contradicts_the_data_is_refused(tmp_path):
    config = composed(tmp_path, "image_folder", "task.num_classes=5")
    with pytest.raises(Refusal, match="task.num_classes=5 is not what the data has"):
        with_found_classes(config)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["image_folder", "csv_values"])
def test_a_run_on_labelled_data_is_audited_first_and_learns(name, tmp_path):
    config = composed(tmp_path, name, "backbone=resnet18", "sanity=quick", "runtime=cpu")
    report = aistudio.sanity_run(config)
    assert report.checks[0].name == "data_audit"
    assert report.findings == ()
    assert {one.name: one.seen for one in report.checks if one.status == "failed"} == {}


def test_findings_fail_a_run_that_otherwise_passes(tmp_path):
    config = composed(tmp_path, "image_folder", "backbone=resnet18", "sanity=quick", "runtime=cpu")
    (tmp_path / "train/dog/1.jpg").write_bytes(b"")
    report = aistudio.sanity_run(config, drawings=tmp_path.with_name("drawings"))
    drawn = {"findings.png", "labels.png", "fit.png", "batch.png", "predictions.png"}
    assert {path.name for path in tmp_path.with_name("drawings").iterdir()} == drawn
    assert [one.name for one in report.failures] == ["data_audit"]
    assert [one.kind for one in report.findings] == ["empty_file"]


def test_a_model_has_as_many_outputs_as_the_data_has_classes(tmp_path):
    config = composed(tmp_path, "image_folder", "backbone=resnet18")
    model = aistudio.assemble(config).eval()
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    assert OmegaConf.is_interpolation(config.task, "num_classes")  # the caller's configuration is left as it was
