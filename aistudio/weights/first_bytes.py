"""Files that are not PyTorch's, by their first bytes: what each is, and what to do instead."""

from __future__ import annotations

import re

_PORTED = "the same model's PyTorch weights"
_ARRAYS = "torch.save of a state dict"
_NO_WEIGHTS = "a file of weights"
_TABLE: tuple[tuple[bytes, str, str], ...] = (  # pattern at the start, what that is, what to take; the first fits
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file itself", "git lfs pull"),
    (rb"\x89HDF", "an HDF5 file, as Keras writes them", _PORTED),
    (rb"GGUF|ggml|lmgg", "a GGUF file of a language model", _PORTED),
    (rb"....TFL3", "a TensorFlow Lite model", _PORTED),
    (rb"\x08\x01\x12[\x80-\xff]*.\n", "a SavedModel of TensorFlow's (protobuf)", _PORTED),
    (rb"\x08[\x01-\x10]\x12[\x80-\xff]*.\n", "a Core ML model (protobuf)", _PORTED),
    (
        rb"\x08[\x01-\x20]\x12.[ -~]{2}|\x08[\x01-\x20][\x1a\":B]",
        "an ONNX model (protobuf)",
        "the state dict of the model that it was exported from",
    ),
    (rb"\n[\x80-\xff]*.\n.[\w./:-]+\x12", "a frozen graph of TensorFlow's (protobuf)", _PORTED),
    (rb"\n.[ -~]{3,64}?(\x12|\xa2\x06|\x9a\x06)", "a Caffe model (protobuf)", _PORTED),
    (rb"\0\0.\x08\x01\x1a\x02", "the index of a TensorFlow checkpoint", _PORTED),
    (rb"\x12\x01\0\0\0\0\0\0", "a file of MXNet's", _PORTED),
    (rb"\0\0\0\0[\x01\x02]\0\0\0", "a file of Darknet's (YOLO)", _PORTED),
    (rb"7767517\n", "a model of ncnn's", _PORTED),
    (rb"ftrt", "a TensorRT engine", "the weights that it was built from"),
    (rb"(<\?xml[^>]*>\s*)?<net\b", "an OpenVINO model", _PORTED),
    (rb"[\x81-\x8f\xde\xdf].{0,4}?[\xa1-\xbf][a-z_]", "a MessagePack file, as Flax writes them", _PORTED),
    (rb"\x93NUMPY", "an array of NumPy's", _ARRAYS),
    (rb"\x1f\x8b", "compressed with gzip", "the file inside: gunzip it"),
    (rb"\xfd7zXZ", "compressed with xz", "the file inside: unxz it"),
    (rb"BZh", "compressed with bzip2", "the file inside: bunzip2 it"),
    (rb"\x28\xb5\x2f\xfd", "compressed with zstd", "the file inside: unzstd it"),
    (rb"Rar!", "a RAR archive", "the file inside"),
    (rb"7z\xbc\xaf", "a 7z archive", "the file inside"),
    (rb"\x89PNG", "a PNG image", _NO_WEIGHTS),
    (rb"\xff\xd8\xff", "a JPEG image", _NO_WEIGHTS),
    (rb"....ftyp", "a film or a HEIC photograph", _NO_WEIGHTS),
    (rb"%PDF", "a PDF", _NO_WEIGHTS),
    (rb"PAR1", "a Parquet table", _NO_WEIGHTS),
    (rb"SQLite format 3", "a database", _NO_WEIGHTS),
    (rb"\x7fELF|MZ", "a program", _NO_WEIGHTS),
)
_AGAIN = "the file itself, downloaded again: look at the address, and whether you must log in"
_TEXTS: tuple[tuple[bytes, str, str], ...] = (  # the same of text, in lower case and without blanks before it
    (rb"(<!doctype html|<html|<head|<\?xml)", "a web page: the download was answered with a page", _AGAIN),
    (
        rb"\{[^\0]*\"weight_map\"",
        "the index (JSON) of a model in several files",
        "the files that it lists, as one state dict",
    ),
    (rb"\{\s*\"(error|message|detail)\"", "an error (JSON) that a server answered with", _AGAIN),
    (rb"[\[{]", "JSON: a configuration, not the weights", "the file of weights beside it"),
)


def foreign_format(start: bytes) -> tuple[str, str] | None:
    """What a file with these first bytes is, and what to take instead; None for what may be PyTorch's."""
    return next(((what, instead) for sign, what, instead in _TABLE if re.match(sign, start, re.DOTALL)), None)


def kind_of_text(start: bytes) -> tuple[str, str] | None:
    """The same of a text, whatever stands before it."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next(((what, instead) for sign, what, instead in _TEXTS if re.match(sign, text, re.DOTALL)), None)
