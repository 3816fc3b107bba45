"""The files of a run: whole or not there, in a folder of its own, and never through a link. Standard library only.

A stranger's folder may hold links that lead to a hook or out of it, and pipes that wait for ever. A relative path goes
through no link; one that a person wrote as an absolute path may, but what lies in that folder is no link either.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from aistudio.errors import Problem, Refusal

WHY = "files of a run are written through no link, for it may lead anywhere"
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe that nobody reads is no place either


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that nobody ever sees half of it: beside it first, then renamed over it.

    A link of that name is replaced, not followed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(
        f".{path.name[:100]}.{os.urandom(6).hex()}"
    )  # not tempfile's: only its owner may read those
    try:
        with open(beside, "xb", opener=no_link) as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def no_link(path: str, flags: int) -> int:
    """Open a file, for ``open``; OSError where it is a link, or a pipe without a reader."""
    return os.open(path, flags | _NO_LINK, 0o666)


def claimed(folder: str, key: str, asked: bool) -> Path:
    """Make the folder of a run or a sweep; its absolute path. A `Refusal` where it would be made through a link.

    Args:
        folder: as it was written, relative to the current folder or absolute.
        key: what it was written for, ``hydra.run.dir`` for example.
        asked: whether the command line names it. It is then taken as it is; else a new one is made below the current
            folder, numbered where there is one already.
    """
    path = Path(os.path.abspath(folder))  # without ..
    if not asked and (not path.is_relative_to(Path.cwd()) or path == Path.cwd()):
        what, why = f"{key}={folder} is no folder below the current one", "a file may only name a new one there"
        raise Refusal([Problem(what, why, key, f"{key}=… on the command line")])
    if not (asked and os.path.isabs(folder)):
        refuse_links(path, key)
    if asked:
        path.mkdir(parents=True, exist_ok=True)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    return next(one for one in numbered(path) if made(one))


def refuse_links(path: Path, key: str) -> None:
    """A `Refusal` where a path below the current folder goes through a link, or through what is no folder."""
    here = Path.cwd()
    steps = [one for one in (path, *path.parents) if one != here and one.is_relative_to(here)]
    problems = [
        Problem(f"{shown(one)} is {kind}", WHY, key, f"{key}={one.resolve()} on the command line, if that is meant")
        for one in reversed(steps)
        if (kind := unfit(one)) == "a link"
    ]
    if problems:
        raise Refusal(problems[:1])


def refuse_links_in(folder: Path, names: Iterable[str], key: str) -> None:
    """A `Refusal` where one of these in a run's folder, or of what lies in them, is a link or no file."""
    for one in (folder / name for name in names if name):
        inside = sorted(one.iterdir()) if one.is_dir() and not one.is_symlink() else []
        for path in (one, *inside):
            if kind := unfit(path):
                raise Refusal([Problem(f"{shown(path)} is {kind}", WHY, key, f"another {key}, or remove it")])


def unfit(path: Path) -> str:
    """What keeps a path from being written to: it is a link, or neither file nor folder; "" where nothing does."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return ""
    if stat.S_ISLNK(mode):
        return "a link"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "no file"


def numbered(folder: Path) -> Iterator[Path]:
    """A folder's name, then the same with -2, -3, …"""
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in count(2))


def made(folder: Path) -> bool:
    """Make a folder; False where something of that name was there before."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def shown(path: Path) -> Path:
    """A path as short as it can be written from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            found.update(block)
    return found.hexdigest()
