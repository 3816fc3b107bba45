"""Words of other tools: each is answered with ours, before anything that is only spelt alike."""

import pytest
from omegaconf import OmegaConf

from aistudio import compose
from aistudio.config.advice import _table, _tables, absent_option, bare, key_here
from aistudio.config.groups import GROUPS, merged, options, tree
from aistudio.config.key_problems import unknown_key
from aistudio.config.values import lookup

LINE = [  # what is typed, and what to type
    ("task=semantic_segmentation", "task=segmentation"),
    ("task=rotated_detection", "task=oriented_object_detection"),
    ("task=obb", "task=oriented_object_detection"),
    ("task=detect", "task=object_detection"),
    ("task=Classify", "task=classification"),
    ("task=segment", "instance_segmentation (a mask an object), or segmentation (a class a pixel)"),
    ("task=resnet18", "backbone=resnet18"),
    ("runtime=gpu", "runtime=cuda"),
    ("runtime=cuda:1", "runtime=cuda runtime.device=cuda:1"),
    ("sanity=smoke", "sanity=quick"),
    ("data=imagenet", "data=image_folder"),
    ("data=coco128.yaml", "data=yolo data.root=FOLDER data.annotations=coco128.yaml"),
    ("data=photos/instances.json", "data=coco data.root=photos data.annotations=instances.json"),
    ("data=/photos", "data=images data.root=/photos"),
    ("data.root=photos", "data=images data.root=photos"),
    ("architecture=yolov8", "architecture=retinanet"),
    ("architecture=unet", "deeplabv3, fcn or lraspp"),
    ("architecture=Faster-RCNN", "fasterrcnn (nearest)"),
    ("track=tb", "track=tensorboard"),
    ("gpu=a100", "a100_40 (nearest), a100_80 (nearest)"),
    ("seed=1", "runtime.seed=1"),
    ("runtime.gpu=0", "runtime.device=cuda:0"),
    ("device=gpu", "runtime.device=cuda"),
    ("task.nc=3", "task.num_classes=3"),
    ("task=regression nc=3", "task.num_outputs=3"),
    ("num_classes=5", "task.num_classes=5"),
    ("num_clases=5", "task.num_classes (nearest)"),
    ("model.num_classes=5", "task.num_classes=5"),
    ("image_size=224", "task.image_size=224"),
    ("imgsz=640", "task.image_size=640"),
    ("batch_size=8", "data.batch_size=8"),
    ("batch=8", "data.batch_size=8"),
    ("weights=DEFAULT", "backbone.weights=DEFAULT"),
    ("pretrained=true", "backbone.weights=DEFAULT"),
    ("pretrained=false", "backbone.weights=null"),
    ("path=/photos", "data=images data.root=/photos"),
    ("lr=0.1", "architecture.learning.optimizer.lr=0.1"),
    ("optimizer=adamw", "architecture.learning.optimizer._target_=torch.optim.AdamW"),
    ("epochs=3", "architecture.learning.steps=3"),
    ("trainer.max_epochs=3", "architecture.learning.steps=3"),
    ("workers=4", "data.workers=4"),
    ("amp=true", "runtime.precision=float16"),
    ("fp16=true", "runtime.precision=float16"),
    ("in_channels=1", "backbone.in_channels=1"),
    ("in_chans=4", "backbone.in_channels=4"),
    ("backbone.in_chans=1", "backbone.in_channels=1"),
    ("model=resnet18", "backbone=resnet18"),
    ("model=fcn", "architecture=fcn"),
    ("model=yolov8n.pt", "task=object_detection"),
    ("dataset=imagenet", "data=image_folder"),
    ("backbone=ResNet-50", "resnet50 (nearest)"),
    ("backbone=mobilenet_v3", "mobilenet_v3_large (nearest), mobilenet_v3_small (nearest)"),
    ("backbone=yolov8n", "task=object_detection"),
    ("backbone=convnext_tiny", "_target_: torchvision.models.convnext_tiny"),
    ("backbone=swin_t", "conf/backbone/swin_t.yaml"),
    ("backbone=resnet152", "Your own backbone, in five lines"),
    ("backbone=resnet50d", "AISTUDIO_TRUST=timm"),
    ("backbone=vit_b_16", "Swin and ConvNeXt"),
    ("save_dir=x", "hydra.run.dir=x"),
    ("BACKBONE=ResNet18", "backbone=resnet18"),
    ("backbone=null", "every model here has a backbone"),
    ("backbone=all", "-m 'backbone=glob(*)'"),
    ("backbone=resnet*", "-m 'backbone=glob(resnet*)'"),
    ("sanity.skip=generalizes", "~sanity.checks.NAME"),
    ("backbone=conf/mine.yaml", "backbone=mine --config-dir FOLDER"),
    ("runtime=gpu:0", "runtime.device=cuda:0"),
    ("runtime=bf16", "runtime.precision=bfloat16"),
    ("bf16=true", "runtime.precision=bfloat16"),
    ("gpus=2", "one run takes one device"),
    ("classes=10", "task.num_classes=10"),
    ("dry_run=true", "aistudio rules"),
    ("sanity=none", "sanity=quick is the least"),
    ("architecture=fpn", "which have one on the backbone"),
    ("loss=focal", "task.loss._target_=aistudio.tasks.FocalLoss"),
    ("backbone=torchvision.models.resnet18", "resnet18 (nearest)"),
    ("backbone=hf-hub:timm/resnet50", "resnet50 (nearest)"),
]
ASKED = [  # the same, for what is told on other ways
    ("architecture.weights=imagenet", "backbone.weights=DEFAULT for its backbone"),
    ("backbone.weights=imagenet", "DEFAULT (nearest)"),
    ("task.loss._target_=L1Loss backbone.model._target_=os.system", "torch.nn.L1Loss"),
    ("gpu=[rtx4090,t4]", "rtx_4090 (nearest)"),
    ("seed=1 backbone=swin_t", "_target_: torchvision.models.swin_t"),
    ("batch=8 lr=0.1", "data.batch_size=8"),
]
WRONG = [  # what is typed, and what is not to be offered for it
    ("backbone._target_=os.system", "os.system"),
    ("backbone=resnet152", "(nearest)"),
    ("backbone=timm/resnet152", "(nearest)"),
    ("task.nc=3", "task.name"),
    ("in_channels=1", "out_channels"),
    ("sanity.checks.lerns.steps=3", "architecture"),
]


def answer_of(line, known):
    """What is offered for one override, as the command line would offer it."""
    key, _, value = line.partition("=")
    if key in GROUPS:
        problem = absent_option(key, value, options(key), "", "")
        return "\n".join((problem.what, problem.why, *problem.rows, problem.instead))
    return unknown_key(key.split("."), known, value)[2]


@pytest.fixture(scope="module")
def known():
    """The keys of a classification and of a regression."""
    return {task: OmegaConf.to_container(compose(f"task={task}")) for task in ("classification", "regression")}


@pytest.mark.parametrize(("line", "instead"), LINE, ids=[row[0] for row in LINE])
def test_a_word_of_another_tool_is_answered_with_ours(line, instead, known):
    *task, line = line.split()
    assert instead in answer_of(line, known["regression" if task else "classification"])


@pytest.mark.parametrize(("line", "not_instead"), WRONG, ids=[row[0] for row in WRONG])
def test_what_is_only_spelt_alike_is_not_offered(line, not_instead, known):
    assert not_instead not in answer_of(line, known["classification"])


@pytest.mark.parametrize(("line", "instead"), ASKED, ids=[row[0] for row in ASKED])
def test_the_command_line_says_the_same(line, instead, cli, no_torch):
    code, answer = cli(*line.split())
    assert code == 2 and instead in answer and "Traceback" not in answer and "AISTUDIO_TRUST=os" not in answer


def everything():
    """All keys of all shipped files, as one tree."""
    whole = tree("", "config")
    for group in GROUPS:
        for option in options(group):
            whole = merged(whole, tree(group, option))
    return whole


@pytest.mark.parametrize("group", _tables()["options"])
def test_options_of_the_table_are_there(group):
    for word, here in _table("options", group).items():
        assert word == bare(word) and word not in {bare(option) for option in options(group)}, "a word of ours"
        if " " not in here:
            assert here in options(group), word


def test_keys_of_the_table_are_there():
    whole = everything()
    for word, targets in _table("keys").items():
        assert word == bare(word)
        for target in targets.split(" or "):
            key = target.rpartition(".")[0] if target.startswith("+") else target
            assert key.startswith("hydra.") or lookup(whole, key.lstrip("+"))[0] or target in GROUPS, target
    for key in _tables()["values"]:
        assert lookup(whole, key)[0], key


def test_a_key_that_is_there_is_never_called_otherwise():
    for key in ("runtime.seed", "task.num_classes"):
        assert key in key_here(key.rpartition(".")[2], "1", everything())
    assert key_here("nothing_of_the_kind", "1", everything()) == ""


def test_classifiers_of_the_table_are_those_of_torchvision():
    import torchvision

    known = {*torchvision.models.list_models(module=torchvision.models)}
    shipped, listed = {*options("backbone")}, {*_tables()["cnns"].split()}
    assert listed <= known and known - listed - shipped == {one for one in known if one.startswith("vit_")}


def test_a_long_or_odd_name_is_answered():
    for name in ("", "a" * 5000, "é", "..", "a/b", "${x}", "\0"):
        for group in GROUPS:
            assert absent_option(group, name, options(group), "", "").what
