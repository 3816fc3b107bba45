"""Every kind of finding, with its severity and the reason why it matters."""

from __future__ import annotations

BREAKS, POISONS, ODD = "breaks", "poisons", "odd"
MEANING = {BREAKS: "stops a training run", POISONS: "trains something else, quietly", ODD: "may be right"}

KINDS: dict[str, tuple[str, str]] = {
    # files
    "missing_image": (BREAKS, "the loader stops at a label whose image is not there"),
    "missing_label": (POISONS, "an image without labels is taken for one with nothing in it, or left out"),
    "unlisted_image": (POISONS, "an image that no label file lists is never seen"),
    "missing_split": (BREAKS, "a split that is named is not there"),
    "unknown_split": (POISONS, "an image of a split that nobody trains or tests on is never seen"),
    "outside_root": (BREAKS, "a path that leaves the root reads other files, or none on another machine"),
    "name_case": (BREAKS, "on most disks A.jpg and a.jpg are two files"),
    "names_differ_in_case": (ODD, "on some disks one of the two overwrites the other"),
    "stray_file": (ODD, "a file that is no image lies among them"),
    "mask_among_images": (POISONS, "a mask that lies beside its image is taken for an image, too"),
    "empty_file": (BREAKS, "a file of zero bytes cannot be read"),
    "not_an_image": (BREAKS, "no decoder can read it"),
    "truncated_image": (BREAKS, "its header is whole, its pixels are not: loaders stop, or train on grey"),
    "unreadable_file": (BREAKS, "it cannot be opened"),
    "oversized_image": (BREAKS, "decoding it takes all memory; decoders refuse"),
    "blank_image": (ODD, "an image of a single colour shows nothing"),
    "tiny_image": (ODD, "hardly any pixels are left in it"),
    # sizes and orientation
    "wrong_size": (POISONS, "labels drawn for another size lie beside their objects"),
    "exif_rotation": (POISONS, "loaders that turn the image leave its labels behind"),
    "exif_unclear": (ODD, "the image is turned by its EXIF tag: were the labels drawn before or after?"),
    # label files
    "bad_line": (BREAKS, "the loader stops at a line that it cannot read, or misreads it"),
    "bad_entry": (BREAKS, "an entry lacks what the format asks for"),
    "unknown_image": (BREAKS, "it belongs to no image"),
    "duplicate_id": (POISONS, "of two entries with one id the last wins"),
    "duplicate_entry": (POISONS, "an image that is listed twice counts twice"),
    "no_label_file": (ODD, "YOLO takes an image without a label file for background; here it is left out"),
    "no_objects": (ODD, "most images of a split have nothing in them: were their labels lost?"),
    "empty_label_file": (BREAKS, "an empty file is no XML: loaders stop"),
    "same_labels": (POISONS, "labels that were copied from another image lie beside the objects of this one"),
    # classes
    "class_out_of_range": (BREAKS, "the loss stops at a class that does not exist, or counts it as another"),
    "class_count": (BREAKS, "the number of classes and their names contradict each other"),
    "same_class_name": (POISONS, "one class under two numbers"),
    "similar_class_names": (ODD, "one class, misspelt?"),
    "background_class": (POISONS, "the background is counted twice: as a class of its own and as what is no object"),
    "unused_class": (ODD, "a class without an example is never learnt"),
    "class_missing_in_train": (POISONS, "what is not in the training split cannot be learnt"),
    "class_index_shift": (POISONS, "the splits number their classes differently"),
    "empty_class": (BREAKS, "torchvision's ImageFolder stops at a class folder without an image"),
    "single_example": (ODD, "one example is too few to learn or to judge by"),
    "imbalance": (ODD, "the rare classes hardly count in the loss"),
    "single_class": (ODD, "with one class there is nothing to tell apart"),
    # boxes
    "not_finite": (BREAKS, "NaN and infinity turn the loss, and then every weight, into NaN"),
    "inverted_box": (BREAKS, "a box whose corners are swapped has no area, or a negative one"),
    "empty_box": (BREAKS, "a box without area stops torchvision's detectors"),
    "box_outside": (POISONS, "a box that leaves the image is clipped, or learnt wrongly"),
    "box_format": (POISONS, "the boxes are written in another format than stated"),
    "not_normalised": (POISONS, "pixels where shares of the image are expected"),
    "not_pixels": (POISONS, "shares of the image where pixels are expected"),
    "duplicate_box": (POISONS, "an object that is written twice counts twice"),
    "near_duplicate_box": (ODD, "two boxes of one class that cover the same: was one object marked twice?"),
    "box_with_two_classes": (POISONS, "the same box as two classes contradicts itself"),
    "tiny_box": (ODD, "an object of a few pixels is hardly there"),
    "area_mismatch": (ODD, "metrics sort objects by the area that is written"),
    # rotated boxes
    "corner_order": (POISONS, "the corners do not go round the object"),
    "not_a_rectangle": (ODD, "the corners are far from a rectangle"),
    "angle_unit": (POISONS, "radians are read as degrees: every box lies flat"),
    "angle_range": (POISONS, "an angle beyond half a turn was written in another unit or convention"),
    "angle_direction": (POISONS, "angles count the other way: boxes are mirrored"),
    # polygons and RLE
    "bad_polygon": (BREAKS, "a polygon needs three points of two numbers"),
    "self_crossing": (POISONS, "where a polygon crosses itself, inside becomes outside"),
    "polygon_outside": (POISONS, "a polygon that leaves the image belongs to another image or size"),
    "polygon_box_mismatch": (POISONS, "polygon and box describe different objects"),
    "bad_rle": (BREAKS, "run lengths that do not fill the image decode to nonsense, or crash"),
    "rle_size": (BREAKS, "a mask of another size than its image"),
    "missing_mask": (BREAKS, "an object without the mask that the task learns from"),
    "mask_is_box": (ODD, "masks that are nothing but boxes teach a mask head to draw boxes"),
    # masks
    "mask_size": (BREAKS, "mask and image are of different sizes"),
    "mask_is_lossy": (POISONS, "JPEG changes class ids near every border"),
    "mask_interpolated": (POISONS, "resizing with interpolation invents classes along every border"),
    "mask_not_ids": (BREAKS, "the mask holds colours, not class ids"),
    "mask_without_image": (ODD, "a mask that belongs to no image"),
    "mask_inverted": (ODD, "nearly all of an image is marked as a defect: are black and white changed over?"),
    "empty_mask": (ODD, "a mask in which nothing is marked"),
    "unlabelled_mask": (POISONS, "every pixel is ignored: nothing is learnt from this image"),
    # values
    "missing_value": (BREAKS, "a row without a value"),
    "comma_number": (BREAKS, "a number with a comma is text to every reader"),
    "not_a_number": (BREAKS, "text where a number is expected"),
    "constant_target": (POISONS, "a target that never changes teaches a constant"),
    "outlier": (ODD, "one value far from all others rules the squared error"),
    "other_unit": (POISONS, "some rows are in another unit"),
    # images among each other
    "duplicate_image": (ODD, "the same image twice counts twice"),
    "near_duplicate": (ODD, "the same image in another size, quality, brightness or orientation counts twice"),
    "image_in_two_splits": (POISONS, "the test asks what the training has seen"),
    "image_with_two_labels": (POISONS, "the same image under two labels contradicts itself"),
    "anomaly_in_train": (POISONS, "the training split of normal images holds anomalies"),
    "one_sided_test": (ODD, "a test with one side only measures nothing"),
    "batch_of_one": (ODD, "the last batch of an epoch holds one image: batch norm stops, or learns noise"),
}


def severity(kind: str) -> str:
    """``breaks``, ``poisons`` or ``odd``."""
    return KINDS[kind][0]
