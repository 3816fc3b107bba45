"""What the drawings of the seven tasks say: outputs, targets, either alone, by name; and a guess judges nothing."""

import pytest
import torch
from PIL import Image
from torch import nn

from aistudio.data import Sample
from aistudio.drawing import BAD, GOOD, Canvas
from aistudio.tasks import (
    AnomalyDetection,
    Classification,
    InstanceSegmentation,
    ObjectDetection,
    OrientedObjectDetection,
    Regression,
    Segmentation,
)
from aistudio.tasks import detection_drawing as drawing

NAMES = ("heron", "otter", "newt")
IMAGE = torch.rand((3, 64, 64), generator=torch.Generator().manual_seed(0))
MASK = torch.zeros((64, 64), dtype=torch.int64)
MASK[10:30, 10:40] = 1
BOXES = torch.tensor([[10.0, 10, 40, 30], [20, 35, 50, 60]])
FOUND = {"boxes": BOXES, "labels": torch.tensor([1, 3]), "scores": torch.tensor([0.9, 0.6])}
TARGET = {"boxes": BOXES[:1], "labels": torch.tensor([2])}
ROTATED = {"boxes": torch.tensor([[30.0, 30, 30, 12, 25]]), "labels": torch.tensor([2]), "scores": torch.tensor([0.8])}
MASKS = {"masks": torch.rand((2, 1, 64, 64))}
CASES = {  # a task, a target and an output
    "classification": (Classification(3, nn.CrossEntropyLoss()), torch.tensor(1), torch.tensor([0.0, 9, 0])),
    "anomaly_detection": (AnomalyDetection(nn.BCEWithLogitsLoss()), torch.ones(1), torch.tensor([3.0])),
    "regression": (Regression(2, nn.MSELoss()), torch.tensor([0.5, 1.0]), torch.tensor([0.4, 1.5])),
    "segmentation": (Segmentation(3, nn.CrossEntropyLoss(ignore_index=255)), MASK, {"out": torch.rand((3, 64, 64))}),
    "object_detection": (ObjectDetection(3), TARGET, FOUND),
    "oriented_object_detection": (OrientedObjectDetection(3), ROTATED, ROTATED),
    "instance_segmentation": (InstanceSegmentation(3), {**TARGET, "masks": MASK[None]}, {**FOUND, **MASKS}),
}


@pytest.fixture(params=CASES)
def case(request):
    task, target, output = CASES[request.param]
    task.class_names = ("speed", "angle") if request.param == "regression" else NAMES
    return task, target, output


@pytest.fixture
def said(monkeypatch):
    """Every word that is drawn, and every colour of a badge."""
    words, shades = [], []

    def note(name, index, colour=None):
        original = getattr(Canvas, name)

        def noted(self, *arguments):
            given = arguments[index]
            words.extend([given] if isinstance(given, str) else given)
            words.extend(text for text, _ in (arguments[1] if name == "finish" and len(arguments) > 1 else ()))
            shades.extend([arguments[colour]] if colour else [])
            return original(self, *arguments)

        monkeypatch.setattr(Canvas, name, noted)

    note("tag", 2)
    note("badge", 0, 1)
    note("finish", 0)
    return lambda: (" | ".join(words), shades)


def test_both_are_drawn_and_compared(case, said):
    task, target, output = case
    assert isinstance(task.draw(IMAGE, target, output), Image.Image)
    assert any(word in said()[0] for word in ("expected", "% of the pixels right"))


def test_outputs_alone_are_not_judged(case, said):
    task, _, output = case
    assert task.draw(IMAGE, None, output).size[0] >= 384
    words, shades = said()
    assert not any(word in words for word in ("right", "wrong", "expected", "dashed", "off by"))
    assert not {GOOD, BAD} & {*shades}


def test_targets_alone_are_drawn(case, said):
    task, target, _ = case
    task.draw(IMAGE, target, None)
    words, _ = said()
    assert words and not any(word in words for word in ("right", "wrong", "score", "outputs"))


def test_classes_are_called_by_their_names(case, said):
    task, target, output = case
    task.draw(IMAGE, target, output)
    words, _ = said()
    if isinstance(task, Regression):
        assert "speed 0.4" in words and "angle 1.5" in words
    elif isinstance(task, AnomalyDetection):
        assert "anomalous" in words
    else:
        assert "otter" in words and "class" not in words


def test_what_is_enlarged_is_drawn_at_the_same_place(case):
    task, target, output = case
    once, twice = task.draw(IMAGE, target, output), IMAGE.repeat_interleave(2, 1).repeat_interleave(2, 2)
    again = task.draw(twice, task.enlarge(target, 2), task.enlarge(output, 2))
    if isinstance(output, dict) and "boxes" in output:
        assert torch.equal(task.enlarge(output, 2)["boxes"][:, :4], output["boxes"][:, :4] * 2)
    small, large = (image.resize((100, 100)).convert("L") for image in (once, again))
    apart = [abs(a - b) for a, b in zip(small.tobytes(), large.tobytes(), strict=True)]
    assert sum(apart) / len(apart) < 12


def test_values_are_in_the_units_of_the_data(said):
    task = Regression(2, nn.MSELoss())
    task.mean, task.std = torch.tensor([100.0, 5.0]), torch.tensor([10.0, 1.0])
    task.draw(IMAGE, torch.tensor([1.0, 0.0]), torch.tensor([2.0, 0.0]))
    assert "120, 5" in said()[0] and "expected: 110, 5" in said()[0] and "off by 10, 0" in said()[0]


def test_metrics_are_in_the_units_of_the_data_too():
    task = Regression(2, nn.MSELoss())
    task.mean, task.std = torch.tensor([100.0, 5.0]), torch.tensor([10.0, 1.0])
    samples = [Sample(IMAGE, values=torch.tensor([1.0, 0.0])), Sample(IMAGE, values=torch.tensor([0.0, 1.0]))]
    assert task.metrics(torch.tensor([[2.0, 0.0], [0.0, 2.0]]), samples)["mae"] == pytest.approx(11 / 4)


def scores(*values):
    count = len(values)
    return {"boxes": torch.zeros((count, 4)), "labels": torch.ones(count).long(), "scores": torch.tensor(values)}


def test_only_the_best_are_drawn_and_the_others_counted():
    found = scores(*[0.9, 0.1, 0.5] + [0.4] * 97)
    best = drawing.best(found)
    assert best["scores"].tolist() == pytest.approx([0.9, 0.5])
    assert drawing.summary(best, found).startswith("2 of 100 outputs drawn") and "98" in drawing.summary(best, found)
    assert len(drawing.best(scores(*[0.9] * 50))["scores"]) == drawing.MOST


def test_what_found_nothing_yet_draws_no_output_and_says_so():
    found = scores(*[0.07] * 100)
    assert not len(drawing.best(found)["scores"]) and "nothing found yet" in drawing.summary(drawing.best(found), found)
    assert drawing.summary(drawing.best(scores()), scores()) == "nothing found"


def test_a_label_that_no_name_belongs_to_is_a_number():
    assert [drawing.named(("a", "b"), label) for label in (0, 1, 2, 3)] == ["class 0", "a", "b", "class 3"]
