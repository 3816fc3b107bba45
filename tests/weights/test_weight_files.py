"""Wrong files get a short answer and run nothing; right ones say what they hold, without torch."""

import gzip
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy
import pytest
import torch
from torch import nn

from aistudio.models.checkpoint import read_checkpoint
from aistudio.weights.header import Unreadable, read_header
from aistudio.weights.parts import find_part
from aistudio.weights.unpickle import TensorInfo

STATE = {"conv1.weight": torch.rand(4, 3, 3, 3), "fc.weight": torch.rand(2, 4), "fc.bias": torch.zeros(2)}


class Bomb:
    """Unpickling it writes a file: what no reader may ever do."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return (os.system, (f"touch {self.marker}",))


class Layer(nn.Linear):
    """A user's own layer, pickled whole."""


def saved(value, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def safetensors(header: dict | bytes, numbers: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def tarred(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def array(write, *arguments) -> bytes:
    buffer = io.BytesIO()
    write(buffer, *arguments)
    return buffer.getvalue()


def scripted() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.rand(1, 2)), buffer)
    return buffer.getvalue()


def without_a_storage() -> bytes:
    whole, buffer = zipfile.ZipFile(io.BytesIO(saved(STATE))), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in whole.namelist():
            if not name.endswith("data/0"):
                archive.writestr(name, whole.read(name))
    return buffer.getvalue()


F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
MODULE, OLD = saved(Layer(2, 2)), saved(STATE, _use_new_zipfile_serialization=False)
WRONG = {  # content, and a word of the answer
    "empty": (b"", "empty"),
    "one byte": (b"\x80", "cut or damaged"),
    "text": (b"these are not the weights\n" * 9, "text"),
    "zeros": (bytes(4096), "zeros"),
    "noise": (bytes(range(144, 256)) * 9, "no format"),
    "web page": (b"<!DOCTYPE html><html>404</html>", "web page"),
    "xml": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "web page"),
    "json": (b'{"weight_map": {"a": "model-00001.safetensors"}}', "JSON"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
    "gguf": (b"GGUF\x03" + bytes(99), "GGUF"),
    "onnx of torch": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x80\x01" + bytes(99), "ONNX"),
    "onnx of others": (b"\x08\x07\x12\x08skl2onnx" + bytes(64), "ONNX"),
    "tensorflow lite": (b"\x1c\0\0\0TFL3\x14\0\x20\0" + bytes(99), "TensorFlow Lite"),
    "saved model": (b"\x08\x01\x12\xb6\x05\n\x04\x12\x02v2" + bytes(99), "SavedModel"),
    "frozen graph": (b"\n\x3f\n\x05input\x12\x0bPlaceholder" + bytes(99), "frozen graph"),
    "tensorflow checkpoint": (b"\0\0\x06\x08\x01\x1a\x02\x08\x01\0" + bytes(99), "TensorFlow checkpoint"),
    "core ml": (b"\x08\x04\x12\x20\n\x1e\n\x05image" + bytes(99), "Core ML"),
    "caffe": (b"\n\x08ResNet50\x12\x04data" + bytes(99), "Caffe"),
    "openvino": (b"<?xml version='1.0'?>\n<net name='x'>", "OpenVINO"),
    "tensorrt": (b"ftrt" + bytes(99), "TensorRT"),
    "flax": (b"\x81\xa6params\x81\xa5dense", "Flax"),
    "darknet": (struct.pack("<iii", 0, 2, 5) + bytes(range(99)), "Darknet"),
    "keras": (zipped(**{"config.json": b"{}", "model.weights.h5": b"\x89HDF"}), "Keras"),
    "exported program": (zipped(**{"archive_format": b"pt2"}), "torch.export"),
    "page after a mark": (b"\xef\xbb\xbf<!DOCTYPE html>", "web page"),
    "an error of a server": (b'{"error": "Repository not found"}', "server"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(99), "PNG"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(99), "JPEG"),
    "pdf": (b"%PDF-1.7\n", "PDF"),
    "program": (b"\x7fELF" + bytes(99), "program"),
    "gzip": (gzip.compress(saved(STATE)), "gzip"),
    "tar": (tarred("model.pth"), "model.pth"),
    "npy": (array(numpy.save, numpy.zeros(3)), "NumPy"),
    "npz": (array(numpy.savez, numpy.zeros(3)), "NumPy"),
    "zip of a file": (zipped(inner__resnet__pth=b"x"), "zip archive"),
    "zip of a checkpoint": (zipped(**{"model.pth": saved(STATE)}), "model.pth"),
    "zip of a document": (zipped(word__document=b"x"), "office"),
    "torchscript": (scripted(), "TorchScript"),
    "cut zip": (saved(STATE)[:-200], "cut or damaged"),
    "half a zip": (saved(STATE)[: len(saved(STATE)) // 2], "cut or damaged"),
    "zip without a storage": (without_a_storage(), "cut or damaged"),
    "cut old file": (OLD[: len(OLD) // 2], "cut"),
    "old file without numbers": (OLD[:-400], "cut"),
    "whole module": (MODULE, "test_weight_files.Layer"),
    "plain pickle": (pickle.dumps({"a": 1}), "pickle"),
    "list": (saved([torch.rand(2)]), "list"),
    "one tensor": (saved(torch.rand(3, 3)), "one tensor (3, 3)"),
    "number": (saved(3), "int"),
    "empty dictionary": (saved({}), "empty dictionary"),
    "dictionary of numbers": (saved({"epoch": 3, "loss": 0.1}), "epoch, loss"),
    "optimiser alone": (saved(torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1).state_dict()), "state, param_groups"),
    "whole numbers": (saved({name: (100 * one).char() for name, one in STATE.items()}), "quantised"),
    "safetensors with a gap": (safetensors({"a": F32, "b": {**F32, "data_offsets": [16, 24]}}, bytes(24)), "gaps"),
    "safetensors that overlap": (safetensors({"a": F32, "b": F32}, bytes(8)), "overlap"),
    "sparse": (saved({"a": torch.eye(3).to_sparse()}), "sparse"),
    "complex": (saved({"a": torch.zeros(3, dtype=torch.complex64)}), "complex"),
    "cut safetensors": (safetensors({"a": F32}, bytes(4)), "cut or damaged"),
    "safetensors without its header": (struct.pack("<Q", 10**6) + b'{"a"', "cut"),
    "safetensors of a huge header": (struct.pack("<Q", 2**62) + b'{"a": 1}', "cut"),
    "safetensors of wrong offsets": (safetensors({"a": {**F32, "data_offsets": [8, 0]}}, bytes(8)), "header"),
    "safetensors of a negative side": (safetensors({"a": {**F32, "shape": [-2]}}, bytes(8)), "header"),
    "safetensors of too small a tensor": (safetensors({"a": {**F32, "shape": [3]}}, bytes(8)), "header"),
    "safetensors of no dictionary": (safetensors(b"{" + b"[" * 5000), "header"),
    "safetensors of an unknown type": (safetensors({"a": {**F32, "dtype": "X9"}}, bytes(8)), "X9"),
    "safetensors whose metadata is a list": (
        safetensors({"__metadata__": [1], "a": {**F32, "shape": [2]}}, bytes(8)),
        "header",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_gets_a_short_answer(name, tmp_path):
    content, word = WRONG[name]
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as refused:
        read_checkpoint(path)
    assert word in f"{refused.value.why} {refused.value.instead}"
    assert len(refused.value.why) < 300 and "\n" not in refused.value.why
    assert refused.value.instead
    assert path.read_bytes() == content


def hostile(marker: Path) -> dict[str, bytes]:
    """Pickles with code in every place that a file has."""
    bomb = Bomb(marker)
    state = zipfile.ZipFile(io.BytesIO(saved(STATE)))
    root = state.namelist()[0].split("/")[0]
    files = {name: state.read(name) for name in state.namelist()}
    swapped = io.BytesIO()
    with zipfile.ZipFile(swapped, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, pickle.dumps(bomb) if name == f"{root}/data.pkl" else content)
    return {
        "the whole": saved(bomb),
        "beside the tensors": saved({"state_dict": STATE, "hyper_parameters": bomb}),
        "in the old format": saved({"model": STATE, "args": bomb}, _use_new_zipfile_serialization=False),
        "a bare pickle": pickle.dumps(bomb),
        "before protocol 2": pickle.dumps(bomb, protocol=0),
        "protocol 5": pickle.dumps({"model": bomb}, protocol=5),
        "in place of the list": swapped.getvalue(),
        "as a key": saved({bomb.marker: STATE, "x": [bomb]}),
        "by INST": b"\x80\x02(S'touch " + str(marker).encode() + b"'\nios\nsystem\n.",
        "by OBJ": b"\x80\x02(cos\nsystem\nS'touch " + str(marker).encode() + b"'\no.",
        "by BUILD": b"\x80\x02cos\nsystem\n}S'__setstate__'\ncos\nsystem\nsbS'touch " + str(marker).encode() + b"'\nb.",
        "a memo without end": b"\x80\x02}r\xff\xff\xff\x7f.",
        "an extension": b"\x80\x02\x82\x01.",
        "a deep nest": b"\x80\x02" + b"(" * 100000 + b"l" * 100000 + b".",
        "a long line": b"\x80\x02I" + b"9" * 10000 + b"\n.",
    }


@pytest.mark.parametrize("name", hostile(Path("x")))
def test_code_in_a_file_is_never_run(name, tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "weights.pth"
    path.write_bytes(hostile(marker)[name])
    for read in (read_header, read_checkpoint):
        try:
            read(path)
        except Unreadable as refused:
            assert len(refused.why) < 300
        else:
            assert read is read_header  # to look is allowed
    assert not marker.exists()


@pytest.mark.parametrize("framed", [b"", b"\x80\x04\x95" + struct.pack("<Q", 3000)])
def test_a_list_of_tensors_that_unpacks_to_millions_is_given_up(framed, tmp_path, monkeypatch):
    monkeypatch.setattr("aistudio.weights.unpickle._MOST", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", (framed or b"\x80\x02") + b"]" * 3000)
    with pytest.raises(Unreadable, match="more instructions"):
        read_header(tmp_path / "bomb.pth")
    (tmp_path / "good.pth").write_bytes(saved(STATE))
    assert len(read_header(tmp_path / "good.pth").content) == 3


def test_folders_and_names_of_nothing_are_answered(tmp_path):
    (tmp_path / "best.pth").write_bytes(saved(STATE))
    with pytest.raises(Unreadable, match="folder") as refused:
        read_header(tmp_path)
    assert "best.pth" in refused.value.instead
    with pytest.raises(Unreadable, match="no such file"):
        read_header(tmp_path / "none.pth")
    (tmp_path / "tf").mkdir()
    (tmp_path / "tf" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(Unreadable, match="SavedModel"):
        read_header(tmp_path / "tf")
    with pytest.raises(Unreadable, match="no such file") as refused:
        read_header(tmp_path / "bset.pth")
    assert refused.value.instead.endswith("best.pth (nearest)")
    for address in ("https://example.org/best.pth", "hf://owner/model", "file:///best.pth"):
        with pytest.raises(Unreadable, match="it is an address"):
            read_header(Path(address))
    with pytest.raises(Unreadable, match="no regular file"):
        read_header(Path(os.devnull))


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool])
def test_a_header_says_what_torch_would_load(old, dtype, tmp_path):
    path = tmp_path / "weights.pth"
    state = {name: tensor.to(dtype) for name, tensor in STATE.items()}
    torch.save(state, path, _use_new_zipfile_serialization=not old)
    header = read_header(path)
    assert {name: one.shape for name, one in header.content.items()} == {n: tuple(t.shape) for n, t in state.items()}
    assert header.code == ()
    if not dtype.is_floating_point:
        with pytest.raises(Unreadable, match="whole numbers"):
            read_checkpoint(path)
        return
    for name, tensor in read_checkpoint(path).tensors.items():
        assert torch.equal(tensor, state[name]) and tensor.dtype == dtype


def test_safetensors_are_read_as_their_own_package_writes_them(tmp_path):
    package = pytest.importorskip("safetensors.torch")
    state = {**STATE, "half": torch.rand(3).half(), "count": torch.tensor(7), "none": torch.zeros(0, 4)}
    state["brain"] = torch.rand(5).bfloat16()
    package.save_file(state, tmp_path / "weights.safetensors", metadata={"format": "pt"})
    found = read_checkpoint(tmp_path / "weights.safetensors").tensors
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) and found[name].dtype == state[name].dtype for name in state)
    assert read_header(tmp_path / "weights.safetensors").metadata == {"format": "pt"}


@pytest.mark.parametrize(
    ("saved_object", "place"),
    [
        (STATE, ""),
        ({"model": STATE}, "model"),
        ({"state_dict": STATE, "epoch": 3}, "state_dict"),
        ({"model": STATE, "model_ema": STATE}, "model_ema"),
        ({"model": STATE, "optimizer": {"state": {0: {"exp_avg": torch.rand(3)}}}}, "model"),
        ({"state": {"model": STATE}, "rng": torch.zeros(3)}, "state.model"),
        ({"epoch": 3, "generator": STATE}, "generator"),
        ({"network": STATE, "lr_schedulers": [{"last_lr": [0.1]}]}, "network"),
    ],
)
def test_the_state_dict_is_found_inside_of_what_was_saved(saved_object, place, tmp_path):
    torch.save(saved_object, tmp_path / "last.ckpt")
    part = read_checkpoint(tmp_path / "last.ckpt").part
    assert (part.place, part.tensors.keys()) == (place, STATE.keys())
    seen = find_part(read_header(tmp_path / "last.ckpt").content, lambda value: isinstance(value, TensorInfo))
    assert (seen.place, seen.others) == (part.place, part.others)


def test_arguments_and_numbers_beside_the_tensors_are_no_code(tmp_path):
    import argparse

    beside = {"args": argparse.Namespace(lr=0.1, out=tmp_path), "best": numpy.float64(0.7), "epoch": numpy.int64(3)}
    torch.save({"model": STATE, **beside}, tmp_path / "last.pth")
    assert read_checkpoint(tmp_path / "last.pth").tensors.keys() == STATE.keys()


def test_a_header_needs_no_torch(tmp_path):
    torch.save({"model": STATE}, tmp_path / "weights.pth")
    program = (
        "import sys; sys.modules['torch'] = sys.modules['numpy'] = None\n"
        "from pathlib import Path; from aistudio.weights.header import read_header\n"
        "print(sorted(read_header(Path('weights.pth')).content['model']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(sorted(STATE)), done.stderr
