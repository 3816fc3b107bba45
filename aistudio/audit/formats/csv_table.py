"""A table: a row an image, with its file name and a label, ``is_anomalous``, or one or several values."""

from __future__ import annotations

import csv
import math
import re

from aistudio.audit.numbered import NOTHING, number_classes
from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, Place
from aistudio.audit.tree import Tree, folder_of, nearest, read_text, split_of

_FILENAMES = ("filename", "file", "file_name", "image", "path", "image_path", "filepath", "img", "name")
LABELS = ("label", "class", "target", "category", "class_name", "label_name")
_ANOMALOUS = ("is_anomalous", "anomalous", "is_anomaly", "anomaly", "label", "target")
_COUNTERS = (
    "",
    "id",
    "index",
    "idx",
    "row",
    "unnamed: 0",
)  # columns that number rows; stated ones are taken all the same
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?|[+-]?\d{1,3}(\.\d{3})+,\d+")  # 1,234.5 and 1.234,5
_TRUTH = {"0": 0, "1": 1, "false": 0, "true": 1, "no": 0, "yes": 1, "normal": 0, "anomalous": 1, "good": 0}


def read(tree: Tree, options: Options) -> Labels:
    """Every table of the set, its rows as images; refuses a table without the columns that the task needs."""
    tables = _find_tables(tree, options)
    labels = Labels(tree.root, "csv", [], ignore_index=None)
    rows: list[tuple[Place, str, dict[str, str]]] = []
    header: list[str] = []
    for name in tables:
        header, some = _read_table(tree, name, options, labels)
        rows += [(place, split_of(name), row) for place, row in some]
    columns = _pick_columns(header, options, rows, tables[0])
    if not rows:
        refuse(f"{tables[0]} has no rows", "a row is an image and its label", "data.annotations", "another table")
    _place_rows(tree, labels, rows, columns, options)
    return labels


def _find_tables(tree: Tree, options: Options) -> list[str]:
    """The tables that are named, or all that lie in the root, or else below it."""
    if options.annotations:
        named = [options.annotations] if isinstance(options.annotations, str) else [*options.annotations]
        for name in named:
            if name not in tree.names:
                there = nearest(str(name), [n for n in tree.files if n.endswith((".csv", ".tsv"))][:10])
                refuse(
                    f"data.annotations={name} is not there", "it is a path below data.root", "data.annotations", there
                )
        return [str(name) for name in named]
    found = [name for name in tree.files if name.lower().endswith((".csv", ".tsv"))]
    tables = [name for name in found if "/" not in name] or found
    if not tables:
        refuse(
            f"data.root={tree.root} has no table", "it is a file NAME.csv", "data.annotations", "data.annotations=FILE"
        )
    if len(tables) > 1 and not all(split_of(name) for name in tables):
        why = "of several tables each is a split, named after it: train.csv, val.csv, test.csv"
        refuse(f"{len(tables)} tables: {', '.join(tables)}", why, "data.annotations", f"data.annotations={tables[0]}")
    return tables


def _read_table(tree: Tree, name: str, options: Options, labels: Labels) -> tuple[list[str], list]:
    """The header, and each row with its place; rows of another length are blamed."""
    delimiter = "\t" if name.lower().endswith(".tsv") and options.delimiter == "," else options.delimiter
    text = read_text(tree, name, options.encoding)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    header: list[str] = []
    rows: list[tuple[Place, dict[str, str]]] = []
    try:
        header = [column.strip() for column in next(reader, [])]
        _check_header(name, header, text, delimiter)
        for column in {one for one in header if header.count(one) > 1}:
            said = f"{header.count(column)} columns are named {column!r}: the last one is read"
            labels.blame("bad_line", Place(name, 1), said)
        for row in reader:
            place = Place(name, reader.line_num)
            unclosed = next((cell for cell in row if cell.count("\n") > 1), None)
            if unclosed is not None:
                first = reader.line_num - unclosed.count("\n") + 1
                labels.blame("bad_line", Place(name, first), f"a quote is not closed until line {reader.line_num}")
                labels.unlisted += re.split(r"[\n,;\t]", "\n".join(row))
            elif [cell.strip() for cell in row] == header:
                labels.blame("bad_line", place, "the header is there again, as where two tables were joined")
            elif row and not any(cell.strip() for cell in row):
                labels.blame("bad_line", place, f"{len(row)} cells with nothing in them")
            elif len(row) == len(header):
                rows.append((place, dict(zip(header, row, strict=True))))
            elif row:
                labels.unlisted += [cell.strip() for cell in row]  # what a broken row names is not forgotten
                labels.blame("bad_line", place, f"{len(row)} columns where the header has {len(header)}")
    except csv.Error as error:
        labels.blame("bad_line", Place(name, reader.line_num), f"no row of a table: {error}")
    return header, rows


def _check_header(name: str, header: list[str], text: str, delimiter: str) -> None:
    """Refuse an empty table, and one that is written with another delimiter."""
    if not any(header):
        refuse(f"{name} is empty", "its first line names the columns", "data.annotations", "filename,label")
    other = next((mark for mark in (";", "\t", "|", ",") if mark in header[0] and mark != delimiter), None)
    if len(header) == 1 and other:
        shown = "'\\t'" if other == "\t" else f"'{other}'"
        why = f"its first line has {other!r} between columns, not {delimiter!r}"
        refuse(f"{name}:1 has a single column", why, "data.delimiter", f'"data.delimiter={shown}"')


def _pick_columns(header: list[str], options: Options, rows: list, name: str) -> dict[str, list[str]]:
    """Which columns hold the file name and what the task learns."""
    lower = {column.lower(): column for column in header}

    def column(stated: str | None, usual: tuple[str, ...], key: str) -> str:
        if stated is not None and stated not in header:
            refuse(f"{name} has no column {stated}", "", f"data.{key}", nearest(stated, header))
        found = stated or next((lower[one] for one in usual if one in lower), None)
        if found is None:
            refuse(
                f"{name} has no column {usual[0]}", "", f"data.{key}", f"data.{key}=COLUMN: {nearest(usual[0], header)}"
            )
        return found

    file = column(options.filename, _FILENAMES, "filename")
    if options.task != "regression":
        usual = _ANOMALOUS if options.task == "anomaly_detection" else LABELS
        return {"file": [file], "label": [column(options.label, usual, "label")]}
    stated = [options.values] if isinstance(options.values, str) else options.values
    if stated:
        return {"file": [file], "values": [column(str(one), (), "values") for one in stated]}
    others = [c for c in header if c not in (file, options.split_column) and c.lower() not in _COUNTERS]
    numeric = [c for c in others if sum(is_number(row[c]) for _, _, row in rows) * 2 >= max(len(rows), 1)]
    if not numeric:
        refuse(f"{name} has no column of numbers", "", "data.values", f"data.values=[COLUMN]: {', '.join(others)}")
    return {"file": [file], "values": numeric}


def is_number(text: str) -> bool:
    """Whether a cell was meant as a number: with a comma, it is one in another country."""
    try:
        float(text.strip().replace(",", "."))
        return True
    except ValueError:
        return False


def _place_rows(tree: Tree, labels: Labels, rows: list, columns: dict[str, list[str]], options: Options) -> None:
    """Make images of rows: find their files, read their labels or values."""
    file = columns["file"][0]
    folders = folder_of((row[file].strip() for _, _, row in rows), tree, first=options.images or "")
    labels.value_names = (*columns.get("values", ()),)
    written = []
    for place, split, row in rows:
        name, kind = tree.resolve(row[file].strip(), folders)
        if kind:
            labels.blame(kind, place, f"{row[file]!r}" + (f" is {name}" if kind == "name_case" else ""))
        image = ImageRecord(name, split_in(row, options.split_column) or split, place)
        if "values" in columns:
            image.values = tuple(_read_value(row[c], c, place, labels) for c in columns["values"])
        else:
            written.append((image, row[columns["label"][0]]))
        labels.images.append(image)
    if options.task == "anomaly_detection":
        _read_anomalies(labels, written)
    elif written:
        number_classes(labels, written, options)
    listed = {image.name for image in labels.images} | {tree.resolve(cell, folders)[0] for cell in labels.unlisted}
    labels.unlisted = [name for folder in folders[:1] for name in tree.images(folder) if name not in listed]
    _check_split_column(labels, [(place, row) for place, _, row in rows], options.split_column)


_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


def split_in(row: dict[str, str], column: str) -> str:
    """The split that a row states in one of the usual words, or ""."""
    return _SPLIT_WORDS.get((row.get(column) or "").strip().lower(), "")


def _check_split_column(labels: Labels, rows: list[tuple[Place, dict[str, str]]], column: str) -> None:
    """Rows of no split in a table whose other rows are in one. Where no row is, the column means something else."""
    if sum(bool(split_in(row, column)) for _, row in rows) * 2 <= len(rows):
        return
    for place, row in rows:
        if not split_in(row, column):
            said = (row.get(column) or "").strip()
            kind = "missing_value" if not said else "unknown_split"
            labels.blame(kind, place, f"{column}={said!r} is none of train, val, test")


def _read_value(text: str, column: str, place: Place, labels: Labels) -> float:
    """A number of a cell, or NaN and the reason why it is none."""
    plain = text.strip()
    try:
        value = float(plain)
        if not math.isfinite(value):
            labels.blame("not_finite", place, f"{column}={plain}")
        return value
    except ValueError:
        comma = is_number(plain) or bool(_GROUPED.fullmatch(plain))
        kind = "missing_value" if plain.lower() in ("", *NOTHING) else "comma_number" if comma else "not_a_number"
        labels.blame(kind, place, f"{column}={text!r}")
        return math.nan


def _read_anomalies(labels: Labels, written: list[tuple[ImageRecord, str]]) -> None:
    """Normal is 0, anomalous 1, in the usual words for both."""
    labels.classes = ["normal", "anomalous"]
    labels.declared = True
    for image, text in written:
        word = text.strip().lower().removesuffix(".0")
        image.label = _TRUTH.get(word)
        if image.label is None:
            kind = "class_out_of_range" if word else "missing_value"
            labels.blame(kind, image.place, f"{text!r} is neither 0 (normal) nor 1 (anomalous)")
        if image.label == 1 and image.split == "train":
            labels.blame("anomaly_in_train", image.place, f"{image.name} is anomalous")
