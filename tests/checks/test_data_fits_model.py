"""Data that a model cannot learn from fails, what another size would suit better is warned of, good data is not."""

import numpy as np
import pytest
import torch
from labelled_sets import SETS, photo, save
from PIL import Image
from tiny_models import OneLevel, Segmenter, anchored, classification, detection, detector, segmentation, subject
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator

from aistudio.checks import DataFitsModel
from aistudio.checks.fit_of_boxes import DetectorFit
from aistudio.checks.fit_of_classes import output_stride, surviving
from aistudio.checks.fit_plots import save_fit
from aistudio.data import ImageFolder, Labelled
from aistudio.data.arrival import arrival
from aistudio.drawing import BAD, GOOD, colour

CHECK = DataFitsModel("why")


def labelled(root, name, **options):
    write, kind, task = SETS[name]
    write(root)
    return Labelled(str(root), kind, task, **options)


def pointed(side):
    """FCOS on one level."""
    anchors = AnchorGenerator(sizes=((8,),), aspect_ratios=((1.0,),))
    return lambda: FCOS(OneLevel(), 5, min_size=side, max_size=side, anchor_generator=anchors)


def outcome(model, task, source, size, check=CHECK):
    return check(subject(model, task, source=source, image_size=size))


def test_boxes_that_points_reach_pass_without_a_warning(tmp_path):
    found = outcome(pointed(160), detection(), labelled(tmp_path, "coco"), 160)
    assert (found.status, found.warning) == ("passed", "")
    assert "100 % of 30 boxes in 10 images are matched at 160 px (100 % at stride 8)" in found.seen
    assert "25 % of the pixels are padding" in found.seen


def test_boxes_that_no_anchor_reaches_fail_with_the_size_to_set(tmp_path):
    """Boxes of about 32 x 18 px in images 160 px wide, anchors of 100."""
    found = outcome(lambda: anchored(100, 160), detection(), labelled(tmp_path, "coco"), 160)
    assert found.status == "failed"
    assert "0 % of 30 boxes" in found.seen and "the one anchor that overlaps most" in found.seen
    said = "the objects are too small at 160 px, where 0 % are matched: task.image_size=640 would match 87 %"
    assert found.cause == said


def test_boxes_that_half_fit_pass_with_a_warning(tmp_path):
    found = outcome(lambda: anchored(32, 160), detection(), labelled(tmp_path, "coco"), 160)
    assert found.status == "passed"
    assert "task.image_size=" in found.warning and "too small at 160 px" in found.warning


def test_more_objects_than_detections_are_named(tmp_path):
    def few():
        model = pointed(160)()
        model.detections_per_img = 2
        return model

    found = outcome(few, detection(), labelled(tmp_path, "coco"), 160)
    assert "10 images have more than 2 objects, one has 3" in found.seen
    assert "+architecture.model.detections_per_img=3" in found.warning


def test_a_bounded_part_is_looked_at_and_said(tmp_path):
    found = outcome(pointed(160), detection(), labelled(tmp_path, "coco"), 160, DataFitsModel("why", images=4))
    assert "12 boxes in 4 of 10 images" in found.seen


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "dota", "yolo_obb", "coco_rotated"])
def test_boxes_arrive_as_the_loader_gives_them(name, tmp_path):
    source = labelled(tmp_path, name)
    found, loaded = arrival(source, 1000), source.dataset("train", 96)
    wide = source.task == "oriented_object_detection"
    wanted = torch.cat([sample.boxes if wide else sample.extents for sample in loaded])
    assert torch.equal(found.boxes_at(96), wanted)
    assert found.counts == [3] * 10


def test_classes_as_wide_as_the_cells_pass(tmp_path):
    found = outcome(Segmenter, segmentation(), labelled(tmp_path, "masks"), 160)
    assert (found.status, found.warning) == ("passed", "")
    assert "output stride of 8" in found.seen


def wires(root, thick):
    """Masks of horizontal lines of one class."""
    for number in range(4):
        values = np.zeros((120, 160), dtype=np.uint8)
        for row in range(number, 110, 24):
            values[row : row + thick] = 1
        save(photo(number), root / f"images/train/{number}.jpg")
        save(Image.fromarray(values), root / f"masks/train/{number}.png")
    return Labelled(str(root), "masks", "segmentation", classes=["ground", "wire", "sky", "sea"])


def test_classes_thinner_than_the_cells_fail_with_the_size_to_set(tmp_path):
    found = outcome(Segmenter, segmentation(), wires(tmp_path, 2), 160)
    assert found.status == "failed"
    assert "ground 100 %" in found.seen and "wire 0 %" in found.seen
    assert "task.image_size=" in found.cause
    assert outcome(Segmenter, segmentation(), wires(tmp_path / "b", 12), 160).status == "passed"


def test_pixels_survive_where_their_class_has_most_of_a_cell():
    mask = torch.zeros((16, 16), dtype=torch.int64)
    mask[:8, :5] = 1  # 40 of the 64 pixels of the first cell
    mask[8:, 8:11] = 2  # 24 of 64
    mask[0, 0] = 255
    assert surviving([mask], 3, 16, 8) == {0: pytest.approx(168 / 192), 1: 1.0, 2: 0.0}
    assert surviving([mask], 3, 32, 8)[2] == pytest.approx(1.0)  # cells of four pixels: 3 of 4 are of the class


def test_the_stride_of_a_model_without_a_backbone_is_not_guessed(tmp_path):
    assert output_stride(torch.nn.Conv2d(3, 3, 1), 64) is None
    model = lambda: torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1))  # noqa: E731
    assert outcome(model, segmentation(), labelled(tmp_path, "masks"), 64).status == "skipped"


def test_what_the_crop_cuts_off_is_said_and_long_images_are_warned_of(tmp_path):
    source = labelled(tmp_path, "image_folder")
    found = outcome(detector, classification(), source, 96)
    assert (found.status, found.warning) == ("passed", "")
    assert "leaves out 25 % of an image at the median" in found.seen
    for number, path in enumerate(sorted((tmp_path / "train/dog").iterdir())):
        save(photo(900 + number, 320, 100), path)
    found = outcome(detector, classification(), source, 96)
    assert "33 % of the images are more than twice as long as wide" in found.warning
    found = outcome(detector, classification(), source, 480)
    assert "task.image_size=128 sees as much" in found.warning


def test_images_without_labels_are_skipped(tmp_path):
    save(photo(1), tmp_path / "a.jpg")
    assert outcome(detector, detection(), ImageFolder(str(tmp_path)), 64).status == "skipped"
    assert CHECK(subject()).status == "skipped"


def test_an_unknown_detector_is_skipped_and_says_how_to_tell(tmp_path):
    found = outcome(torch.nn.Identity, detection(), labelled(tmp_path, "coco"), 64)
    assert found.status == "skipped" and "levels_of" in found.cause


@pytest.mark.parametrize(
    ("model", "task", "name", "size"),
    [
        (lambda: anchored(32, 160), detection, "coco", 160),
        (pointed(160), detection, "coco", 160),
        (Segmenter, segmentation, "masks", 160),
        (detector, classification, "image_folder", 96),
    ],
)
def test_what_fits_is_drawn_with_the_size_to_set(model, task, name, size, tmp_path):
    of = subject(model, task(), source=labelled(tmp_path / "data", name), image_size=size)
    assert of.fit is None
    CHECK(of)
    save_fit(of.fit, tmp_path)
    with Image.open(tmp_path / "fit.png") as image:
        shades = {shade for _, shade in image.convert("RGB").getcolors(1 << 24)}
    assert image.width <= 1008 and colour(0) in shades
    missed = isinstance(of.fit, DetectorFit) and bool(of.fit.advice())
    assert ((BAD in shades) and (GOOD in shades)) == missed
