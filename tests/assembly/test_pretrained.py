"""Pretrained weights of all three forms get into backbones and whole models, and every tensor is accounted for."""

import inspect

import pytest
import torch
from torch import nn
from torchvision import models

from aistudio.assembly.model import assemble
from aistudio.config.compose import compose


@pytest.fixture
def cached(tmp_path, monkeypatch, any_published_file):
    """Put a state dict into torch's cache under the name that a torchvision weight entry downloads to."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)

    def save(name: str, weights: str = "DEFAULT") -> dict[str, torch.Tensor]:
        torch.manual_seed(7)
        builder = models.get_model_builder(name)
        extra = {"weights_backbone": None} if "weights_backbone" in inspect.signature(builder).parameters else {}
        extra |= {"aux_loss": True} if name.startswith(("fcn", "deeplab")) else {}
        listed = models.get_model_weights(name)[weights]
        classes = {} if len(listed.meta["categories"]) == 1000 else {"num_classes": len(listed.meta["categories"])}
        state = models.get_model(name, weights=None, **extra, **classes).state_dict()
        torch.save(state, folder / listed.url.rsplit("/", 1)[1])
        return state

    return save


def made_as(model: nn.Module) -> dict:
    norms = {n: (type(m).__name__, m.eps) for n, m in model.named_modules() if "BatchNorm" in type(m).__name__}
    return {**norms, **{name: one.requires_grad for name, one in model.named_parameters()}}


SAME = [
    ("fasterrcnn_resnet50_fpn", "task=object_detection", ""),
    ("fasterrcnn_resnet50_fpn_v2", "task=object_detection", "architecture=fasterrcnn_v2"),
    ("retinanet_resnet50_fpn", "task=object_detection", "architecture=retinanet"),
    ("retinanet_resnet50_fpn_v2", "task=object_detection", "architecture=retinanet_v2"),
    ("fcos_resnet50_fpn", "task=object_detection", "architecture=fcos"),
    ("maskrcnn_resnet50_fpn", "task=instance_segmentation", ""),
    ("maskrcnn_resnet50_fpn_v2", "task=instance_segmentation", "architecture=maskrcnn_v2"),
    ("fcn_resnet50", "task=segmentation", "architecture=fcn"),
    ("deeplabv3_mobilenet_v3_large", "task=segmentation", "backbone=mobilenet_v3_large"),
    ("lraspp_mobilenet_v3_large", "task=segmentation", "architecture=lraspp"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task", "architecture"), SAME)
def test_a_model_with_its_weights_is_the_one_that_torchvision_makes(name, task, architecture, cached):
    cached(name)
    classes = 91 if "rcnn" in name or "fcos" in name or "retina" in name else 21
    lines = [task, *[architecture] * bool(architecture), f"task.num_classes={classes - (classes == 91)}"]
    own = assemble(compose(*lines, "architecture.weights=DEFAULT"))
    theirs = models.get_model(name, weights="DEFAULT")
    assert all(torch.equal(tensor, own.state_dict()[key]) for key, tensor in theirs.state_dict().items())
    assert made_as(own) == made_as(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [None, 0, 1, 4, 5])
@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn_v2"])
def test_a_detector_on_a_trained_backbone_is_the_one_that_torchvision_makes(name, layers, cached):
    cached("resnet50")
    more = [] if layers is None else [f"+architecture.model.trainable_backbone_layers={layers}"]
    family = name.replace("_resnet50_fpn", "")
    own = assemble(compose("task=object_detection", f"architecture={family}", "backbone.weights=DEFAULT", *more))
    theirs = models.get_model(
        name, weights=None, weights_backbone="DEFAULT", trainable_backbone_layers=layers, num_classes=4
    )
    state = own.backbone.body.state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in theirs.backbone.body.state_dict().items())
    assert made_as(own) == made_as(theirs)


def test_coco_with_three_classes_keeps_everything_but_the_last_layers(cached):
    state = cached("lraspp_mobilenet_v3_large")
    model = assemble(
        compose("task=segmentation", "architecture=lraspp", "task.num_classes=3", "architecture.weights=DEFAULT")
    )
    own = model.state_dict()
    anew = {name for name, tensor in own.items() if tensor.shape != state[name].shape}
    assert anew == {f"classifier.{part}_classifier.{kind}" for part in ("low", "high") for kind in ("weight", "bias")}
    assert all(torch.equal(tensor, state[name]) for name, tensor in own.items() if name not in anew)


@pytest.mark.parametrize(
    ("name", "task", "anew"),
    [
        ("fasterrcnn_resnet50_fpn", "object_detection", {"roi_heads.box_predictor"}),
        ("maskrcnn_resnet50_fpn", "instance_segmentation", {"roi_heads.box_predictor", "roi_heads.mask_predictor"}),
    ],
)
def test_a_detector_of_coco_keeps_everything_but_its_predictors(name, task, anew, cached):
    state = cached(name)
    model = assemble(compose(f"task={task}", "task.num_classes=3", "architecture.weights=COCO_V1"))
    other = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, state[key])}
    assert {".".join(key.split(".")[:2]) for key in other} == anew
