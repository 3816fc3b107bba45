"""How labels are distributed: the numbers of each format, and a drawing of whatever there is."""

import math

import pytest
from labelled_sets import CLASSES, SETS

from aistudio.audit import Options, audit
from aistudio.audit.distribution import Distribution, distribution, of_corners
from aistudio.audit.label_plots import class_bars, label_plots, panels
from aistudio.drawing import colour


def found(root, name):
    write, kind, task = SETS[name]
    write(root)
    return distribution(audit(Options(str(root), kind, task, batch_size=1)))


@pytest.mark.parametrize("name", SETS)
def test_every_format_has_something_to_draw(name, tmp_path):
    assert [*panels(found(tmp_path, name))]


@pytest.mark.parametrize("name", ["coco", "yolo", "voc"])
def test_formats_with_boxes_have_the_same_numbers(name, tmp_path):
    one = found(tmp_path, name)
    assert [*one.classes] == CLASSES and sum(map(sum, one.classes.values())) == 42 and one.counted == "objects"
    assert one.objects == [3] * 14 and len(one.sizes) == len(one.places) == 42 and not one.angles
    assert all(13 <= h <= 23 and 23 <= w <= 41 for w, h in one.sizes)
    assert all(0 < x < 1 and 0 < y < 1 for x, y in one.places)


@pytest.mark.parametrize("name", ["dota", "yolo_obb", "coco_rotated"])
def test_formats_with_rotated_boxes_have_angles(name, tmp_path):
    one = found(tmp_path, name)
    assert len(one.angles) == 42 and all(-41 <= angle <= 41 for angle in one.angles)


def test_values_are_listed_by_name(tmp_path):
    one = found(tmp_path, "csv_values")
    assert [*one.values] == ["height", "weight"] and not one.classes
    assert all(len(values) == 14 for values in one.values.values())


def test_the_angle_of_corners_counts_counter_clockwise():
    cos, sin = math.cos(math.radians(30)), math.sin(math.radians(30))
    sides = [(-20, -5), (20, -5), (20, 5), (-20, 5)]
    corners = [value for x, y in sides for value in (50 + x * cos + y * sin, 50 - x * sin + y * cos)]
    assert of_corners(corners) == pytest.approx((50, 50, 40, 10, 30))


def test_many_classes_with_long_names_and_one_image():
    classes = {f"$a class_{index} {'x' * 60}": (index, 1) for index in range(300)}
    sizes, places = [(1, 1), (2000, 3)], [(0, 0), (1, 1), (math.nan, 7)]
    many = Distribution(("train", "val"), "objects", classes, sizes, places, [0.0, 1.0], [0, 900])
    sheet = label_plots(many, "a title\x1b[31m")
    assert sheet is not None and sheet.width < 1200 and len(sheet.convert("L").getcolors()) > 10


def test_more_of_a_class_is_a_longer_bar():
    def blue(image):
        return sum(count for count, shade in image.getcolors(1 << 20) if shade == colour(0))

    few, many = (class_bars({"cat": (count,), "dog": (100,)}, ("train",), "images") for count in (10, 90))
    assert blue(many) > 1.5 * blue(few)


@pytest.mark.parametrize("values", [[3.0, 3.0], [-1e9, 1e9], [1e-7, 2e-7, 3e-7], [0.0, 1.0] * 5000])
def test_values_of_any_range_are_drawn(values):
    assert label_plots(Distribution((), "images", {}, values={"x": values}), "") is not None


def test_where_nothing_is_known_nothing_is_drawn():
    assert label_plots(Distribution((), "images", {}), "") is None
