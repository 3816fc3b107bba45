"""The commit that a folder is at and whether its files have changed since, read without starting git.

``git status`` starts what a repository's configuration names: a monitor of files, filters, a transport for what is
missing. Here its files are read and nothing is run; what they do not tell plainly is None. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # of an object: SHA-1 or SHA-256
_REF = re.compile(r"refs/[\w./+@=-]+")
LARGEST = 2**28  # bytes of an index or a list of refs that is read
LONGEST = 10.0  # seconds for looking at files
_COMMIT = 2**20  # bytes of a commit that are read
ABSENT = (OSError, ValueError, KeyError, IndexError, struct.error, zlib.error, RecursionError)


@dataclass(frozen=True)
class Entry:
    """What the index knows of a file: its mode, object, size, times, and whether it is to be looked at."""

    path: bytes
    mode: int
    name: bytes
    size: int
    modified: tuple[int, int]  # seconds, nanoseconds
    stage: int  # 0 but for what a merge or an announcement has left open
    left_alone: bool  # assumed unchanged, or not checked out


def git(folder: Path) -> dict[str, Any] | None:
    """``commit``, and ``dirty``: whether the bytes of files that it knows differ; None outside of a repository.

    ``dirty`` is None where that cannot be told: a commit in a form that is not read here, or too many files. Whether
    a file may be executed, and what lies in submodules, is not looked at.
    """
    try:
        root = next(one for one in (folder, *folder.parents) if (one / ".git").exists())
        own, common = folders(root)
        commit = resolved(text(own / "HEAD"), own, common)
    except (*ABSENT, StopIteration):
        return None
    try:
        dirty = changed(root, own, common, commit)
    except ABSENT:
        dirty = None
    return {"commit": commit, "dirty": dirty}


def folders(root: Path) -> tuple[Path, Path]:
    """The folder of this working tree's own files and the one that all of a repository's working trees share."""
    own = root / ".git"
    if own.is_file():
        own = root / text(own).removeprefix("gitdir:").strip()
    shared = own / "commondir"
    return own, own / text(shared).strip() if shared.is_file() else own


def text(path: Path) -> str:
    """A small file of git's; ValueError for what is no file, or not small."""
    return contents(path).decode()


def contents(path: Path) -> bytes:
    """The bytes of a regular file that is not too large."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
        raise ValueError(path)
    return path.read_bytes()


def resolved(head: str, own: Path, common: Path, depth: int = 5) -> str:
    """The commit that HEAD or a ref names, through at most five others."""
    head = head.strip()
    if NAME.fullmatch(head):
        return head
    ref = head.removeprefix("ref:").strip()
    if not _REF.fullmatch(ref) or ".." in ref or not depth:
        raise ValueError(head)
    for place in (own, common):
        if (place / ref).is_file():
            return resolved(text(place / ref), own, common, depth - 1)
    lines = (line.split(" ") for line in text(common / "packed-refs").splitlines() if not line.startswith(("#", "^")))
    return resolved({name: commit for commit, name in lines}[ref], own, common, depth - 1)


def changed(root: Path, own: Path, common: Path, commit: str) -> bool | None:
    """Whether something is staged, or a file differs from what the index knows of it."""
    index = own / "index"
    entries = [*_read_index(contents(index), len(commit) // 2)]
    algorithm = "sha1" if len(commit) == 40 else "sha256"
    if any(entry.stage for entry in entries):
        return True
    if _tree_of(entries, algorithm) != _tree_named_by(common / "objects", commit):
        return True
    written, end = index.stat().st_mtime_ns, time.monotonic() + LONGEST
    for entry in entries:
        if time.monotonic() > end:
            return None
        if not entry.left_alone and differs(entry, root, written, algorithm):
            return True
    return False


def _read_index(data: bytes, width: int) -> Iterator[Entry]:
    """The entries of an index, versions 2 to 4; ValueError for one that is split, or that leaves folders out."""
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("no index")
    place, path = 12, b""
    for _ in range(count):
        start, fields = place, struct.unpack_from(">10I", data, place)
        name = data[place + 40 : place + 40 + width]
        (flags,) = struct.unpack_from(">H", data, place + 40 + width)
        place += 42 + width
        more = struct.unpack_from(">H", data, place)[0] if flags & 0x4000 else 0
        place += 2 if flags & 0x4000 else 0
        kept = b""
        if version == 4:
            cut, place = variable(data, place)
            kept = path[: len(path) - cut]
        end = data.index(b"\0", place)
        path = kept + data[place:end]
        place = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8
        if not path or path.startswith(b"/") or b".." in path.split(b"/") or path.endswith(b"/"):
            raise ValueError(path)
        stage = flags >> 12 & 3 or more >> 13 & 1  # of a merge, or announced by git add --intent-to-add
        yield Entry(path, fields[6], name, fields[9], fields[2:4], stage, bool(flags & 0x8000 or more & 0x4000))
    if any(kind == b"link" for kind in extensions(data[place:-width])):
        raise ValueError("split")


def extensions(data: bytes) -> Iterator[bytes]:
    """The names of what follows the entries of an index."""
    while len(data) >= 8:
        kind, size = struct.unpack_from(">4sI", data)
        yield kind
        data = data[8 + size :]


def variable(data: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, as offsets in packs are written, and where it ends."""
    value = data[place] & 127
    while data[place] & 128:
        place += 1
        value = (value + 1 << 7) | data[place] & 127
    return value, place + 1


def _tree_of(entries: Sequence[Entry], algorithm: str) -> str:
    """The name that the tree of these entries has as an object."""
    root: dict[bytes, Any] = {}
    for entry in entries:
        *parents, last = entry.path.split(b"/")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = entry
    return _hashed_tree(root, algorithm).hex()


def _hashed_tree(node: dict[bytes, Any], algorithm: str) -> bytes:
    """The name of a tree with those of its folders in it."""
    lines = {}
    for name, child in node.items():
        if isinstance(child, dict):
            lines[name + b"/"] = b"40000 " + name + b"\0" + _hashed_tree(child, algorithm)
        else:
            lines[name] = b"%o " % child.mode + name + b"\0" + child.name
    return hashed(b"tree", b"".join(lines[key] for key in sorted(lines)), algorithm)


def hashed(kind: bytes, content: bytes, algorithm: str) -> bytes:
    """The name of an object."""
    return hashlib.new(algorithm, kind + b" %d\0" % len(content) + content).digest()


def differs(entry: Entry, root: Path, index_written: int, algorithm: str) -> bool:
    """Whether a file is not as the index knows it: by its times and size, and where these tell nothing by its bytes."""
    path = os.path.join(os.fsencode(root), entry.path)
    try:
        status = os.lstat(path)
    except OSError:
        return True
    if stat.S_IFMT(entry.mode) == 0o160000:  # a submodule has a commit of its own
        return not stat.S_ISDIR(status.st_mode)
    if stat.S_IFMT(status.st_mode) != stat.S_IFMT(entry.mode):
        return True
    seconds, nanoseconds = entry.modified
    same_times = status.st_mtime_ns == seconds * 10**9 + nanoseconds
    if same_times and status.st_size & 0xFFFFFFFF == entry.size and status.st_mtime_ns < index_written:
        return False
    if stat.S_ISLNK(status.st_mode):
        return hashed(b"blob", os.readlink(path), algorithm) != entry.name
    with open(path, "rb") as file:
        content = file.read()
    return all(hashed(b"blob", form, algorithm) != entry.name for form in (content, content.replace(b"\r\n", b"\n")))


def _tree_named_by(objects: Path, commit: str) -> str:
    """The tree of a commit, loose or in a pack; KeyError where it is not stored, or as a difference to another."""
    loose = objects / commit[:2] / commit[2:]
    if loose.is_file():
        content = zlib.decompressobj().decompress(contents(loose), _COMMIT).partition(b"\0")[2]
    else:
        content = next(packed(sorted((objects / "pack").glob("*.idx")), commit), b"")
    match = re.match(rb"tree ([0-9a-f]{40,64})\n", content)
    if not match:
        raise KeyError(commit)
    return match.group(1).decode()


def packed(indices: Iterable[Path], commit: str) -> Iterator[bytes]:
    """What packs hold of a commit."""
    wanted, width = bytes.fromhex(commit), len(commit) // 2
    for path in indices:
        data = contents(path)
        if data[:8] != b"\xfftOc\0\0\0\2":
            continue
        fan = struct.unpack_from(">256I", data, 8)
        first, last, count = fan[wanted[0] - 1] if wanted[0] else 0, fan[wanted[0]], fan[255]
        names = 8 + 1024
        for index in range(first, last):
            if data[names + index * width : names + (index + 1) * width] == wanted:
                (offset,) = struct.unpack_from(">I", data, names + count * (width + 4) + 4 * index)
                if not offset >> 31:
                    yield _unpacked(path.with_suffix(".pack"), offset)


def _unpacked(pack: Path, offset: int) -> bytes:
    """The commit at a place in a pack; nothing where it is stored as a difference to another."""
    with open(pack, "rb") as file:
        file.seek(offset)
        data = file.read(_COMMIT)
    place, is_commit = 0, data[0] >> 4 & 7 == 1
    while data[place] & 128:
        place += 1
    return zlib.decompressobj().decompress(data[place + 1 :], _COMMIT) if is_commit else b""
