"""Wrong tables and wrong masks."""

import numpy as np
import pytest
from labelled_sets import H, W, mask_of, photo, save
from PIL import Image, ImageDraw
from planting import Fault, all_of, expect, line, name_of, rename, repaint, replace, turn, word

ROW = ("labels.csv:3",)
MASK = "masks/train/img001.png"
GROUND = "ground_truth/crack/001_mask.png"


def cell(number, value, row=3):
    return line("labels.csv", row, word(number, value, ","))


def column(number, change, rows=range(2, 16)):
    """Change a column of numbers in some rows."""

    def plant(root):
        for row in rows:
            old = (root / "labels.csv").read_text().splitlines()[row - 1].split(",")[number]
            cell(number, f"{change(float(old)):.6g}", row)(root)

    return plant


def classes_by_number(root):
    for name, number in (("bicycle", "0"), ("dog", "1"), ("person", "2")):
        path = root / "labels.csv"
        path.write_text(path.read_text().replace(f",{name}", f",{number}"))


TABLES = [
    Fault("csv_values", "not_finite", ROW, cell(1, "nan")),
    Fault("csv_values", "not_finite", ROW, cell(1, "inf")),
    Fault("csv_values", "not_finite", ROW, cell(2, "-inf")),
    Fault("csv_values", "missing_value", ROW, cell(1, "")),
    Fault("csv_values", "comma_number", ROW, cell(1, '"171,5"')),
    Fault("csv_values", "not_a_number", ROW, cell(1, "tall")),
    Fault("csv_values", "not_a_number", ROW, cell(1, "171 cm")),
    Fault("csv_values", "outlier", ROW, cell(1, "99999")),
    Fault("csv_values", "outlier", ROW, cell(1, "-4000")),
    Fault("csv_values", "outlier", ROW, cell(2, "0.0001")),
    Fault("csv_values", "constant_target", ("labels.csv, column height",), column(1, lambda v: 170)),
    Fault(
        "csv_values",
        "other_unit",
        ("labels.csv:3", "labels.csv:5", "labels.csv:9"),
        column(1, lambda v: v / 100, (3, 5, 9)),
    ),
    Fault(
        "csv_values",
        "other_unit",
        ("labels.csv:3", "labels.csv:5", "labels.csv:9"),
        column(1, lambda v: v * 10, (3, 5, 9)),
    ),
    Fault("csv_values", "other_unit", ("labels.csv:3", "labels.csv:5"), column(1, lambda v: v / 2.54, (3, 5))),
    Fault(
        "csv_values",
        "other_unit",
        ("labels.csv:3", "labels.csv:5", "labels.csv:9"),
        column(2, lambda v: v * 1000, (3, 5, 9)),
    ),
    Fault("csv_values", "bad_line", ROW, line("labels.csv", 3, "images/img001.jpg,171.5")),
    Fault("csv_values", "bad_line", ROW, line("labels.csv", 3, "images/img001.jpg,171,5,70")),
    Fault("csv_classes", "missing_value", ROW, cell(1, "")),
    Fault("csv_classes", "bad_line", ROW, line("labels.csv", 3, "img001.jpg")),
    Fault("csv_classes", "same_class_name", ROW, cell(1, "Dog"), also=("single_example",)),
    Fault("csv_classes", "same_class_name", ROW, cell(1, " dog"), also=("single_example",)),
    Fault("csv_classes", "similar_class_names", ROW, cell(1, "dgo"), also=("single_example",)),
    Fault("csv_classes", "similar_class_names", ROW, cell(1, "bicyle"), also=("single_example",)),
    Fault("csv_classes", "single_example", ROW, cell(1, "unicorn")),
    Fault("csv_classes", "class_out_of_range", ROW, all_of(classes_by_number, cell(1, "17"))),
    Fault("csv_classes", "class_out_of_range", ROW, all_of(classes_by_number, cell(1, "-1"))),
    Fault("csv_classes", "class_out_of_range", ROW, all_of(classes_by_number, cell(1, "dog"))),
    Fault("csv_classes", "class_out_of_range", ROW, cell(1, "unicorn"), {"classes": ["bicycle", "dog", "person"]}),
    Fault(
        "csv_classes",
        "unused_class",
        ("., class unicorn",),
        lambda root: None,
        {"classes": ["bicycle", "dog", "person", "unicorn"]},
    ),
    Fault("csv_anomalies", "class_out_of_range", ROW, cell(1, "2")),
    Fault("csv_anomalies", "class_out_of_range", ROW, cell(1, "maybe")),
    Fault("csv_anomalies", "missing_value", ROW, cell(1, "")),
    Fault("csv_anomalies", "anomaly_in_train", ROW, cell(1, "1")),
    Fault("csv_anomalies", "one_sided_test", ("labels.csv",), all_of(*[cell(1, "0", row) for row in range(12, 16)])),
]


def pixel(value, size=5):
    def change(mask):
        ImageDraw.Draw(mask).rectangle((2, 2, 2 + size, 2 + size), fill=value)
        return mask

    return change


def blended(mask, method=Image.Resampling.BILINEAR):
    return mask.resize((W // 2, H // 2), Image.Resampling.NEAREST).resize((W, H), method)


def colours(mask):
    palette = np.random.default_rng(0).integers(0, 255, (256, 3), dtype=np.uint8)
    return Image.fromarray(palette[np.asarray(mask)])


def filled(value):
    return lambda mask: Image.new("L", mask.size, value)


def turned_image(path):
    return turn(path)


MASKS = [
    Fault("masks", "class_out_of_range", (MASK,), repaint(MASK, pixel(77))),
    Fault("masks", "class_out_of_range", (MASK,), repaint(MASK, pixel(5))),
    Fault("masks", "class_out_of_range", (MASK,), repaint(MASK, pixel(4)), {"num_classes": 4}),
    Fault("masks", "class_out_of_range", (MASK,), repaint(MASK, pixel(254))),
    Fault("masks", "mask_size", (MASK,), repaint(MASK, lambda m: m.resize((W // 2, H // 2), 0))),
    Fault("masks", "mask_size", (MASK,), repaint(MASK, lambda m: m.transpose(Image.Transpose.ROTATE_90))),
    Fault("masks", "mask_interpolated", (MASK,), repaint(MASK, blended)),
    Fault("masks", "mask_interpolated", (MASK,), repaint(MASK, lambda m: blended(m, Image.Resampling.BICUBIC))),
    Fault(
        "masks",
        "mask_is_lossy",
        (MASK.replace("png", "jpg"),),
        all_of(repaint(MASK, lambda m: m, MASK.replace("png", "jpg")), lambda root: (root / MASK).unlink()),
    ),
    Fault("masks", "mask_is_lossy", (MASK,), repaint(MASK, lambda m: m, format="JPEG")),
    Fault("masks", "mask_not_ids", (MASK,), repaint(MASK, colours)),
    Fault(
        "masks",
        "mask_not_ids",
        tuple(f"masks/{s}/img{i:03d}.png" for s, r in (("train", range(10)), ("val", range(10, 14))) for i in r),
        lambda root: [
            save(mask_of(p.stem).point(lambda v: 255 if v else 0), p) for p in sorted(root.glob("masks/*/*.png"))
        ],
    ),
    Fault("masks", "empty_mask", (MASK,), repaint(MASK, filled(0))),
    Fault("masks", "unlabelled_mask", (MASK,), repaint(MASK, filled(255))),
    Fault("masks", "empty_file", (MASK,), lambda root: (root / MASK).write_bytes(b"")),
    Fault(
        "masks", "truncated_image", (MASK,), lambda root: (root / MASK).write_bytes((root / MASK).read_bytes()[:-30])
    ),
    Fault("masks", "not_an_image", (MASK,), lambda root: (root / MASK).write_bytes(b"hello world")),
    Fault("masks", "exif_rotation", ("images/train/img001.jpg",), turn("images/train/img001.jpg")),
    Fault("masks", "exif_unclear", ("images/train/img001.jpg",), turn("images/train/img001.jpg", 3)),
    Fault(
        "masks",
        "missing_label",
        ("images/train/img001.jpg",),
        rename(MASK, "masks/train/other.png"),
        also=("mask_without_image",),
    ),
    Fault(
        "masks",
        "names_differ_in_case",
        ("images/train/img001.jpg",),
        lambda root: [save(photo(900), root / "images/train/IMG001.jpg")],
    ),
    Fault("mvtec", "mask_size", (GROUND,), repaint(GROUND, lambda m: m.resize((W // 2, H // 2), 0))),
    Fault("mvtec", "mask_interpolated", (GROUND,), repaint(GROUND, blended)),
    Fault("mvtec", "mask_is_lossy", (GROUND,), repaint(GROUND, lambda m: m, format="JPEG")),
    Fault("mvtec", "mask_not_ids", (GROUND,), repaint(GROUND, colours)),
    Fault("mvtec", "empty_mask", (GROUND,), repaint(GROUND, filled(0))),
    Fault("mvtec", "empty_file", (GROUND,), lambda root: (root / GROUND).write_bytes(b"")),
]


@pytest.mark.sampled(20)
@pytest.mark.parametrize("fault", [*TABLES, *MASKS], ids=name_of)
def test_a_wrong_value_or_mask_is_found(fault, tmp_path):
    expect(fault, tmp_path)


def test_the_unit_that_some_rows_are_in_is_named(tmp_path):
    from labelled_sets import csv_values

    from aistudio.audit import Options, audit

    csv_values(tmp_path)
    column(1, lambda v: v / 100, (3, 5, 9))(tmp_path)
    (finding,) = audit(Options(str(tmp_path), "csv", "regression", batch_size=1)).findings
    assert "100 times as much would be among them (cm and m, or percent)" in finding.faults[0].message
    replace("labels.csv", "height", "height")(tmp_path)
