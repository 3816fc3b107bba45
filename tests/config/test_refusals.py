"""Sixty-odd wrong inputs: each is answered in a few lines and with exit code 2, without torch, with nothing written."""

import sys

import pytest

from aistudio.config.compose import compose
from aistudio.config.hydra import hydra_composed
from aistudio.errors import Refusal

LINE = [  # arguments, what the answer must name, what it must offer
    # pairs
    ("task=segmentation backbone=resnet18", "backbone=resnet18 does not fit task=segmentation", "mobilenet_v3_large"),
    ("task=object_detection backbone=resnet101", "backbone=resnet101 does not fit task=object_detection", "resnet50"),
    ("task=oriented_object_detection backbone=resnet18", "does not fit task=oriented_object_detection", "resnet50"),
    ("task=instance_segmentation backbone=efficientnet_b0", "does not fit task=instance_segmentation", "resnet50"),
    ("task=segmentation architecture=lraspp backbone=resnet50", "does not fit architecture=lraspp", "mobilenet_v3_large"),
    ("task=segmentation architecture=fcn backbone=mobilenet_v3_large", "does not fit architecture=fcn", "resnet50"),
    ("task=segmentation architecture=fcn_resnet101 backbone=resnet50", "architecture=fcn_resnet101", "resnet101"),
    ("task=classification architecture=fcn", "architecture=fcn does not fit task=classification", "task=segmentation"),
    ("task=object_detection architecture=maskrcnn", "architecture=maskrcnn does not fit", "task=instance_segmentation"),
    ("task=segmentation architecture=backbone_head", "architecture=backbone_head does not fit", "task=regression"),
    ("architecture=retinanet", "architecture=retinanet does not fit task=classification", "task=object_detection"),
    # names that no file has
    ("backbone=resnet19", "backbone=resnet19 does not exist", "(nearest)"),
    ("backbone=vgg16", "backbone=vgg16 does not exist", "resnet50"),
    ("task=segmentaton", "task=segmentaton does not exist", "segmentation (nearest)"),
    ("task=pose", "task=pose does not exist", "regression"),
    ("architecture=unet task=segmentation", "architecture=unet does not exist", "fcn"),
    ("sanity=fast", "sanity=fast does not exist", "quick"),
    ("data=imagenet", "data=imagenet does not exist", "data=image_folder"),
    ("runtime=gpu", "runtime=gpu does not exist", "runtime=cuda"),
    ("experiment=mine", "experiment=mine does not exist", "detection_one_stage"),
    ("task=null", "task=null does not exist", "regression"),
    ("backbone=[resnet18,resnet34]", "backbone=[resnet18,resnet34] names several files", "-m backbone=resnet18,resnet34"),
    ("backbone={name:resnet18}", "backbone.name=resnet18 contradicts backbone=resnet50", "backbone=resnet18"),
    ("backbone.name=resnet18", "backbone.name=resnet18 contradicts backbone=resnet50", "backbone=resnet18"),
    ("backbone=resnet18 task=segmentation backbone.name=resnet50", "backbone.name=resnet50 contradicts backbone=resnet18", "resnet50"),
    ("task.name=segmentation", "task.name=segmentation contradicts task=classification", "task=segmentation"),
    # keys that nobody reads
    ("bakbone=resnet18", "bakbone is unknown", "backbone (nearest)"),
    ("seed=1", "seed is unknown", "runtime.seed=1"),
    ("runtime.sead=1", "runtime.sead is unknown", "runtime.seed (nearest)"),
    ("+runtime.sead=1", "runtime.sead is unknown", "runtime.seed (nearest)"),
    ("task.num_clases=3", "task.num_clases is unknown", "task.num_classes (nearest)"),
    ("task=regression task.num_classes=3", "task.num_classes is unknown", "task.num_outputs"),
    ("task=regression +task.num_classes=3", "task.num_classes is unknown", "task.num_outputs"),
    ("data.root=photos", "data.root is unknown", "data=images data.root=photos"),
    ("architecture.model.dropuot=0.1", "architecture.model.dropuot is unknown", "dropout (nearest)"),
    ("sanity.checks.lerns.steps=3", "sanity.checks.lerns.steps is unknown", "sanity.checks."),
    ("+sanity.checks.mine.steps=3", "sanity.checks.mine is unknown", "sanity.checks."),
    ("task.image_size.height=3", "task.image_size.height is unknown", "task.image_size"),
    ("+extra=3", "extra is unknown", "task"),
    ("~runtime.sead", "runtime.sead is unknown", "runtime.seed (nearest)"),
    # values that cannot be
    ("task.num_classes=0", "task.num_classes=0 is out of range", "2 or more"),
    ("task.num_classes=-3", "task.num_classes=-3 is out of range", "2 or more"),
    ("task.num_classes=ten", "task.num_classes=ten is not a whole number", "2 or more"),
    ("task.num_classes=2.5", "task.num_classes=2.5 is not a whole number", "2 or more"),
    ("task.num_classes=true", "task.num_classes=true is not a whole number", "2 or more"),
    ("task.num_classes=null", "task.num_classes=null is not a whole number", "2 or more"),
    ("task=regression task.num_outputs=0", "task.num_outputs=0 is out of range", "1 or more"),
    ("task.image_size=16", "task.image_size=16 is too small for architecture=backbone_head", "task.image_size=32"),
    ("task.image_size=0", "task.image_size=0 is out of range", "32 … 16384"),
    ("task.image_size=[224,224]", "is not a whole number", "32 … 16384"),
    ("task.image_size=224px", "task.image_size=224px is not a whole number", "32 … 16384"),
    ("data.batch_size=0", "data.batch_size=0 is out of range", "1 … 1048575"),
    ("task=segmentation data.batch_size=1", "data.batch_size=1 is too small for architecture=deeplabv3", "data.batch_size=2"),
    ("task.image_size=32 data.batch_size=1", "data.batch_size=1 cannot train at task.image_size=32", "task.image_size=33"),
    ("architecture.model.dropout=1", "architecture.model.dropout=1 is out of range", "less than 1"),
    ("architecture.model.dropout=-0.1", "architecture.model.dropout=-0.1 is out of range", "less than 1"),
    ("architecture.model.dropout=.nan", "is not a number", "less than 1"),
    ("task=segmentation task.num_classes=300", "task.num_classes=300 collides with task.ignore_index=255", "-100"),
    ("task=segmentation task.num_classes=1", "task.num_classes=1 is too small for task=segmentation", "task.num_classes=2"),
    ("backbone.in_channels=0", "backbone.in_channels=0 is out of range", "1 … 1024"),
    ("backbone.in_channels=four", "backbone.in_channels=four is not a whole number", "1 … 1024"),
    ("backbone.in_channels=4 backbone.image_mean=[0.1,0.2]", "backbone.image_mean has 2 numbers", "4 numbers, or null"),
    ("backbone.image_mean=[124,116,104]", "backbone.image_mean=[124, 116, 104] is not from 0 to 1", "null, or a list"),
    ("backbone.image_std=[0,1,1]", "backbone.image_std=[0, 1, 1] is not above 0", "null, or a list"),
    ("task=segmentation task.aux_weight=-1", "task.aux_weight=-1 is out of range", "0 or more"),
    ("sanity.image_size=32", "sanity.image_size=32 is out of range", "64 … 16384"),
    ("runtime.device=gpu", "runtime.device=gpu is not a device", "cuda"),
    ("runtime.device=cuda:x", "runtime.device=cuda:x is not a device", "cuda:0 (nearest)"),
    ("runtime.precision=fp16", "runtime.precision=fp16 is not a choice", "float16 (nearest)"),
    ("runtime.seed=-1", "runtime.seed=-1 is out of range", "0 or more"),
    ("runtime.threads=0", "runtime.threads=0 is out of range", "1 … 4096"),
    ("runtime.compile=yess", "runtime.compile=yess is not true or false", "true or false"),
    ("backbone.frozen=9", "backbone.frozen=9 is out of range", "1 … 4"),
    ("backbone.frozen=1.5", "backbone.frozen=1.5 cannot be read", "true, false"),
    ("backbone.weights=5", "backbone.weights=5 is not a word", "a word"),
    ("task.loss=L1Loss", "task.loss=L1Loss holds no keys", "task.loss._target_=torch.nn.L1Loss"),
    ("architecture.learning.optimizer=sgd", "holds no keys", "torch.optim.SGD"),
    ("architecture.learning.optimizer.lr=-1", "optimizer.lr=-1 is out of range", "0 or more"),
    ("task.loss.label_smoothing=2", "label_smoothing=2 is out of range", "from 0 to 1"),
    ("task.image_size=100000", "task.image_size=100000 is out of range", "32 … 16384"),
    ("sanity.measure.repeats=0", "sanity.measure.repeats=0 is out of range", "1 or more"),
    ("sanity.checks=null", "sanity.checks=null holds no keys", "~sanity.checks.NAME"),
    ("sanity.checks.frozen=null", "sanity.checks.frozen=null is no check", "~sanity.checks.frozen"),
    ("runtime.threads=99999", "runtime.threads=99999 is out of range", "1 … 4096"),
    ("backbone.pretrained=true", "backbone.pretrained=true holds no keys", "backbone.weights=DEFAULT"),
    ("backbone.weights=true", "backbone.weights=true is not a word", "backbone.weights=DEFAULT"),
    ("task.num_classes=1", "task.num_classes=1 is too small", "task=anomaly_detection"),
    ("task=regression task.loss._target_=torch.nn.CrossEntropyLoss", "does not fit task=regression", "torch.nn.MSELoss"),
    ("task=anomaly_detection task.loss._target_=torch.nn.CrossEntropyLoss", "always 1", "BCEWithLogitsLoss"),
    ("task.loss._target_=torch.nn.MSELoss", "does not fit task=classification", "torch.nn.CrossEntropyLoss"),
    ("data=images data.root=null", "data.root=null names no folder", "folder"),
    ("data=images data.root=", "data.root= names no folder", "folder"),
    # what is missing, unreadable, or not for one run
    ("data=images", "data.root is missing", "data.root=FOLDER"),
    ("data=images data.root=nowhere", "data.root=nowhere is not a folder", "folder"),
    ("task.image_size", "'task.image_size' cannot be read", "section.key=VALUE"),
    ("a=b=c,,[", "cannot be read", "section.key=VALUE"),
    ("backbone=resnet18,resnet34", "backbone=resnet18,resnet34 names several values", "-m"),
    ("task.image_size=${nothing}", "'nothing' not found", "--help"),
    ("task=3", "task=3 does not exist", "regression"),
    ("task.rules=3", "task.rules cannot be read", "allow"),
    ("task.rules.backbones=resnet18", "task.rules.backbones cannot be read", "allow"),
    ("architecture.rules.backbones.allow=resnet50", "cannot be read", "list of names"),
    ("-m task=segmentation backbone=resnet18,resnet34", "backbone=resnet34 does not fit", "resnet50"),
    ("-m task=segmentation backbone=glob(efficientnet*)", "backbone=efficientnet_b4 does not fit", "resnet50"),
    ("--config-dir nowhere", "nowhere is not a folder", "--config-dir"),
    ("task=regression task.loss={_target_:torch.nn.L1Loss,reduction:sum}", "has no reduction that", "'+task.loss={"),
    ("sweep={tiemout:3}", "sweep.tiemout is unknown", "sweep.timeout"),
    ("sanity.checks=[overfits_one_batch]", "is a list", "~sanity.checks.NAME"),
    ("backbone==resnet18", "cannot be read", "backbone=resnet18"),
]  # fmt: skip


def test_there_are_enough_of_them():
    assert len(LINE) + len(YAML) >= 60


@pytest.mark.sampled(24)
@pytest.mark.parametrize(("arguments", "what", "instead"), LINE, ids=[row[0] for row in LINE])
def test_wrong_command_line(arguments, what, instead, cli, no_torch, tmp_path):
    code, answer = cli(*arguments.split())
    assert code == 2
    assert what in answer and instead in answer
    assert "Traceback" not in answer and len(answer.splitlines()) <= 20
    assert not [*(tmp_path / "empty").iterdir()], "a refusal writes nothing"


YAML = [  # what a user's experiment says, what the answer must name, what it must offer
    ("runtime: {sead: 7}", "runtime.sead is unknown", "runtime.seed (nearest)"),
    ("task: {num_clases: 7}", "task.num_clases is unknown", "task.num_classes (nearest)"),
    ("taks: {num_classes: 7}", "taks is unknown", "task (nearest)"),
    ("data: {batchsize: 7}", "data.batchsize is unknown", "data.batch_size=7"),
    ("task: {num_classes: 0}", "task.num_classes=0 is out of range", "2 or more"),
    ("task: 7", "task is no section", "task="),
    ("backbone: null", "backbone is no section", "backbone="),
    ("defaults: [override /backbone: resnet19]", "resnet19", "resnet18"),
    ("defaults: [override /bakbone: resnet18]", "bakbone", ""),
    (
        "defaults: [{override /task: segmentation}, {override /backbone: resnet18}]",
        "backbone=resnet18 does not fit",
        "resnet50",
    ),
    ("task: [broken", "experiment", ""),
    ("task: {image_size: '${task.size}'}", "task.size", ""),
    ("sanity: {checks: {lerns: {steps: 3}}}", "sanity.checks.lerns is unknown", "sanity.checks."),
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("text", "what", "instead"), YAML, ids=[row[0] for row in YAML])
def test_wrong_yaml(text, what, instead, cli, no_torch, tmp_path):
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    code, answer = cli("--config-dir", str(folder.parent), "experiment=mine")
    assert code == 2
    assert what in answer and instead in answer
    assert "Traceback" not in answer and len(answer.splitlines()) <= 16
    if "unknown" in what:
        assert "experiment/mine.yaml in" in answer, "the file that has the key is named"


@pytest.mark.parametrize("group", ["backbone", "task", "architecture", "experiment"])
def test_a_users_file_with_a_shipped_name_is_refused_and_not_passed_over(group, cli, no_torch, tmp_path):
    from aistudio.config import groups

    name = groups.options(group)[0]
    (tmp_path / "conf" / group).mkdir(parents=True)
    (tmp_path / "conf" / group / f"{name}.yaml").write_text("name: mine\n")
    code, answer = cli("--config-dir", str(tmp_path / "conf"))
    assert code == 2 and f"{group}={name} is taken" in answer and f"my_{name}" in answer


def test_a_misspelt_key_of_a_users_own_backbone_is_found(cli, no_torch, tmp_path):
    (tmp_path / "conf" / "backbone").mkdir(parents=True)
    (tmp_path / "conf" / "backbone" / "mine.yaml").write_text(
        "name: mine\nwieghts: null\nmodel: {_target_: my.Model, any: 1}\n"
    )
    code, answer = cli("--config-dir", str(tmp_path / "conf"), "backbone=mine")
    assert code == 2 and "backbone.wieghts is unknown" in answer and "backbone.weights (nearest)" in answer
    assert "any" not in answer.split("instead")[0], "arguments of the user's own class are not ours to judge"


def test_everything_wrong_is_said_at_once(cli, no_torch):
    code, answer = cli("task=segmentaton", "backbone=resnet18", "runtime.sead=1", "task.num_classes=0", "x[")
    assert code == 2
    for what in ("'x['", "task=segmentaton", "backbone=resnet18 does not fit", "runtime.sead", "task.num_classes=0"):
        assert answer.count(what) >= 1, what


@pytest.mark.parametrize(
    ("line", "told", "not_told"),
    [
        ("task.num_clases=3 architecture=yolo", ["task.num_clases is unknown", "architecture=yolo does not exist"], []),
        ("task=pose task.num_keypoints=3 runtime.sead=1", ["task=pose", "runtime.sead is unknown"], ["num_keypoints"]),
        ("backbone=swin_t task.num_classes=0 runtime.seed=-1", ["backbone=swin_t does", "num_classes=0 is", "seed=-1 is"], ["out_channels"]),
        ("data=images task.num_classes=0", ["data.root is missing", "task.num_classes=0 is out"], ["is not a folder"]),
        ("seed=1 task=segmentation backbone=resnet18", ["seed is unknown", "does not fit task=segmentation"], []),
        ("architecture=yolo task=segmentation", ["architecture=yolo does not exist"], ["does not fit"]),
        ("+foo=1 runtime.seed=-1", ["foo is unknown", "runtime.seed=-1 is out of range"], []),
    ],
)  # fmt: skip
def test_mistakes_of_several_kinds_are_said_together_each_once(line, told, not_told, cli, no_torch):
    code, answer = cli(*line.split())
    assert code == 2
    assert all(answer.count(what) == 1 for what in told), answer
    assert not any(what in answer for what in not_told), answer


def test_unknown_flags_are_refused_too(cli, no_torch):
    code, answer = cli("--backbone", "resnet18")
    assert code == 2 and "--backbone" in answer


def test_import_aistudio_imports_no_torch():
    import subprocess

    code = "import aistudio, sys; aistudio.compose('task=regression'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("overrides", "most"), [(["backbone=nope"], 1), (["num_classes=5"], 1), (["runtime.sead=1"], 2)]
)
def test_a_refusal_composes_no_more_often_than_it_must(overrides, most, monkeypatch):
    composed = []
    for module in ("compose", "override_problems"):
        name = f"aistudio.config.{module}.hydra_composed"
        monkeypatch.setattr(name, lambda *given: composed.append(given) or hydra_composed(*given))
    with pytest.raises(Refusal):
        compose(*overrides)
    assert len(composed) == most
