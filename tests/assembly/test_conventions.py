"""Conventions are said where one steps on them: how classes are counted, what a model takes, which heads it has."""

import copy
import pickle
import warnings

import pytest
import torch

import aistudio
from aistudio.assembly.contract import input_contract
from aistudio.config.conventions import label_warnings
from aistudio.config.plain import plain
from aistudio.models import InputContract

SMALL = "task.image_size=64"
SEGMENTER = ("task=segmentation", "backbone=mobilenet_v3_large", SMALL)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("task", "count", "said"),
    [
        ("object_detection", 91, "task.num_classes=80, or 90"),
        ("instance_segmentation", 91, "task.num_classes=80, or 90"),
        ("object_detection", 81, "task.num_classes=80"),
        ("object_detection", 21, "task.num_classes=20"),
        ("segmentation", 20, "task.num_classes=21"),
        *[("object_detection", count, "") for count in (80, 90, 20, 3)],
        *[("segmentation", count, "") for count in (21, 91, 19)],
        ("classification", 91, ""),
        ("oriented_object_detection", 21, ""),
    ],
)
def test_another_programs_way_to_count_classes_is_a_warning(task, count, said):
    found = label_warnings(plain(aistudio.compose(f"task={task}", f"task.num_classes={count}")))
    assert len(found) == bool(said) and all(said in text for text in found), found


def test_labelled_data_knows_how_many_classes_it_has():
    settings = {"task": {"_target_": "aistudio.tasks.ObjectDetection", "num_classes": 21}}
    assert label_warnings(settings | {"data": {"_target_": "aistudio.data.Synthetic"}})
    assert not label_warnings(settings | {"data": {"_target_": "aistudio.data.Labelled"}})


def test_assemble_warns_and_names_the_line_that_called_it():
    with pytest.warns(UserWarning, match="task.num_classes=80") as caught:
        aistudio.assemble(aistudio.compose("task=object_detection", "architecture=fcos", "task.num_classes=91", SMALL))
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("settings", "layout", "normalised"),
    [
        (("backbone=resnet18", "task.image_size=96"), "(N, 3, H, W)", True),
        (SEGMENTER, "(N, 3, H, W)", True),
        (("task=object_detection", "architecture=fcos", SMALL), "a list of (3, H, W)", False),
        (("task=oriented_object_detection", SMALL), "a list of (3, H, W)", False),
    ],
    ids=["backbone_head", "segmenter", "detector", "oriented detector"],
)
def test_a_model_tells_what_it_takes(settings, layout, normalised):
    model = aistudio.assemble(aistudio.compose(*settings))
    contract = model.input_contract
    assert isinstance(contract, InputContract)
    assert (contract.layout, contract.normalised) == (layout, normalised)
    assert contract.mean == pytest.approx((0.485, 0.456, 0.406)) and contract.std == pytest.approx(
        (0.229, 0.224, 0.225)
    )
    assert str(contract) in repr(model).splitlines()[1]
    assert copy.deepcopy(model).input_contract == pickle.loads(pickle.dumps(contract)) == contract
    assert not [name for name in model.state_dict() if "contract" in name]


def test_the_contract_is_read_off_what_the_task_does():
    """Not written down: a task that normalises otherwise, twice or not at all shows in it."""
    from aistudio.data.imagenet import normalize
    from aistudio.tasks import Classification

    class Twice(Classification):
        def inputs(self, images):
            return normalize(super().inputs(images))

    class NotAtAll(Classification):
        def inputs(self, images):
            return torch.stack(list(images))

    def contract(kind):
        return input_contract(torch.nn.Identity(), kind(3, torch.nn.CrossEntropyLoss()), 32)

    image = torch.rand(3, 32, 32)
    for kind in (Classification, Twice):
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (contract(kind).mean, contract(kind).std))
        task = kind(3, torch.nn.CrossEntropyLoss())
        torch.testing.assert_close((image - mean) / std, task.inputs([image])[0], rtol=1e-4, atol=1e-4)
    assert contract(Twice) != contract(Classification)
    assert contract(NotAtAll) == InputContract("(N, 3, H, W)", False, (), (), 32)


@pytest.mark.parametrize(
    ("off", "heads"), [((), True), (("task.aux_weight=0",), False), (("architecture.model.aux_loss=false",), False)]
)
def test_an_auxiliary_head_whose_loss_is_off_is_not_built(off, heads):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = aistudio.assemble(aistudio.compose(*SEGMENTER, *off))
    assert (model.aux_classifier is not None) == heads
    assert ("aux" in model(torch.rand(2, 3, 64, 64))) == heads
