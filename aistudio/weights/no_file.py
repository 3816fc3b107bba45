"""Paths that are no file of weights: nothing is there, or a folder is."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)  # as pathlib leaves of an address, one slash gone
SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".tar", ".pkl", ".th")


def why_absent(path: Path) -> tuple[str, str]:
    """Why a file is not there: it is an address, or its name is another."""
    address = _ADDRESS.fullmatch(str(path))
    if address and address[1] == "file":
        return "it is an address, not a path", f"/{address[2]}"
    if address:
        return "it is an address, and a file is never downloaded from one", "the path of the file, once downloaded"
    try:
        near = get_close_matches(path.name, [one.name for one in path.parent.iterdir()], n=1, cutoff=0.8)
    except (OSError, ValueError):
        near = []
    return "there is no such file", f"{path.parent / near[0]} (nearest)" if near else "the path of a file that exists"


def why_folder(folder: Path) -> tuple[str, str]:
    """What a folder is, and the files of weights in it."""
    names = sorted(path.name for path in folder.iterdir())
    if "saved_model.pb" in names:
        return "it is a folder of TensorFlow's (SavedModel)", "the same model's PyTorch weights"
    if any(name.endswith(".distcp") for name in names):
        convert = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE"
        return "it is a folder of a distributed checkpoint", convert
    if "data.pkl" in names:
        return "it is an unpacked file of torch's", "the file as it was before: zip -0 -r FILE.pth FOLDER"
    found = [name for name in names if name.endswith(SUFFIXES)]
    return "it is a folder", ", ".join(str(folder / name) for name in found[:4]) or "a file"
