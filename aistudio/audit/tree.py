"""What lies below a data set's root: one listing, and names in label files looked up in it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from posixpath import dirname, normpath

from aistudio.audit.records import Labels, Place
from aistudio.errors import Problem, Refusal

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
SPLITS = {"train": "train", "training": "train", "trainval": "train", "trn": "train"}
SPLITS |= dict.fromkeys(("val", "valid", "validation", "dev"), "val") | dict.fromkeys(("test", "testing"), "test")


class Tree:
    """The files below ``root`` by their names, with slashes; hidden ones are left out, a folder is listed once.

    Raises `Refusal` where there is no such folder, or nothing in it.
    """

    def __init__(self, root: str | os.PathLike):
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            what = f"data.root={printable(self.root)} is " + ("a file" if self.root.exists() else "not there")
            raise Refusal([Problem(what, "it names the folder of the data set", "data.root", _nearest(self.root))])
        self.folders: dict[str, str] = {}
        self.files = sorted(_walk(self.root, self.folders))
        if not self.files:
            what = f"data.root={printable(self.root)} is empty"
            raise Refusal([Problem(what, "it names the folder of the data set", "data.root", "another folder")])
        self.names = set(self.files)
        self._lower: dict[str, str] | None = None

    def images(self, folder: str = "") -> list[str]:
        """The files at or below a folder that are named like images."""
        return [name for name in self.below(folder) if is_image_name(name)]

    def below(self, folder: str = "") -> list[str]:
        """The files at or below a folder."""
        return [name for name in self.files if name.startswith(f"{folder}/")] if folder else self.files

    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder, empty or not."""
        return name in self.folders or name == ""

    def subfolders(self, parent: str = "") -> list[str]:
        """The names of the folders directly in another, empty ones included."""
        return sorted(name.rpartition("/")[2] for name, above in self.folders.items() if above == parent and name)

    def path(self, name: str) -> Path:
        """The path of a file or folder below the root."""
        return self.root / name

    def like(self, name: str) -> str | None:
        """A file whose name differs only in case."""
        if self._lower is None:
            self._lower = {name.lower(): name for name in self.files}
        return self._lower.get(name.lower())

    def resolve(self, written: str, folders: Sequence[str]) -> tuple[str, str]:
        """The file that a label file means: its name below the root, and the kind of fault or "".

        ``folders`` are tried in their order. A path that leaves the root is never looked at.
        """
        plain = str(written).replace("\\", "/")
        inside = self._inside(plain)
        if inside is None:
            return plain, "outside_root"
        if plain.startswith("/"):
            return inside, "" if inside in self.names else "missing_image"
        candidates = [normpath(f"{folder}/{plain}" if folder else plain) for folder in folders]
        for name in candidates:
            if name in self.names:
                return name, ""
        if all(name.startswith("..") for name in candidates):
            return plain, "outside_root"
        for name in candidates:
            if self.like(name):
                return self.like(name) or name, "name_case"
        return candidates[0], "missing_image"

    def _inside(self, written: str) -> str | None:
        """An absolute path as a name below the root; a relative one as it is; None where it leaves the root."""
        if not (written.startswith("/") or written[1:3] == ":/"):
            return written if not normpath(f"a/b/{written}").startswith("..") else None
        root = str(self.root.resolve())
        return written[len(root) + 1 :] if normpath(written).startswith(f"{root}/") else None


def folder_of(names: Iterable[str], tree: Tree, hint: str = "", first: str = "") -> list[str]:
    """The folders in which most of the names lie: those that hold any, best first; ``hint`` is a split's name.

    ``first`` is a folder to prefer where nothing tells them apart.
    """
    wanted = [str(name).replace("\\", "/") for name in names][:200]
    holding = {dirname(name) for name in tree.files if is_image_name(name)}
    above = {parent for folder in holding for parent in _parents(folder)} | {first}
    score = Counter({folder: sum(_join(folder, name) in tree.names for name in wanted) for folder in above})
    ranked = sorted(above, key=lambda folder: (-score[folder], split_of(folder) != hint, folder != first, folder))
    return [folder for folder in ranked if score[folder]] or [first]


def split_of(name: str) -> str:
    """``train``, ``val`` or ``test``, if a name says so in one of its words (the last of them), or ""."""
    words = "".join(c.lower() if c.isalpha() else " " for c in name).split()
    return next((SPLITS[word] for word in reversed(words) if word in SPLITS), "")


def is_image_name(name: str) -> bool:
    """Whether a file is named like an image."""
    return name.lower().endswith(SUFFIXES)


def read_text(tree: Tree, name: str, encoding: str = "utf-8-sig") -> str:
    """A text file below the root. Raises `Refusal` for one that is not written in this encoding."""
    data = tree.path(name).read_bytes()
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        other = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        what, why = f"{name}:{line} is not {encoding.removesuffix('-sig')}", f"{error.reason} at byte {error.start}"
        raise Refusal([Problem(what, why, "data.encoding", f"data.encoding={other}, if it is that")]) from None


def label_lines(tree: Tree, name: str, labels: Labels) -> Iterator[tuple[Place, str, list[str]]]:
    """The lines of a text file that are not empty, each with its place and its words; none, and a fault, of no text."""
    data = tree.path(name).read_bytes()
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        labels.blame("bad_line", Place(name, line), f"no text in UTF-8: {error.reason}, {data[:12]!r}")
        return
    for number, text in enumerate(lines, 1):
        if words := text.split():
            yield Place(name, number), text, words


def nearest(wanted: str, choices: Iterable[str]) -> str:
    """The choices in words, the nearest first."""
    import difflib

    known = [str(choice) for choice in choices]
    close = difflib.get_close_matches(wanted.lower(), [choice.lower() for choice in known], 1, 0.5)
    first = [choice for choice in known if choice.lower() in close][:1]
    rest = [choice for choice in known if choice not in first]
    return ", ".join([*(f"{choice} (nearest)" for choice in first), *rest])


def printable(name: object) -> str:
    """A file name that any terminal can print: bytes that are no UTF-8 become question marks."""
    return str(name).encode("utf-8", "replace").decode("utf-8")


def _walk(root: Path, folders: dict[str, str]) -> Iterator[str]:
    """Yield the names of files; fill ``folders`` with each folder and the one above it."""
    seen: set[tuple[int, int]] = set()
    todo = [("", "")]
    while todo:
        folder, above = todo.pop()
        try:
            status = os.stat(root / folder)
            entries = [] if (status.st_dev, status.st_ino) in seen else sorted(os.scandir(root / folder), key=_name)
        except OSError:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[folder] = above
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            name = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                todo.append((name, folder))
            else:
                yield name


def _is_folder(entry: os.DirEntry) -> bool:
    """Whether a folder, or a link to one; a link that leads back to itself is a file that nobody can read."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _name(entry: os.DirEntry) -> str:
    return entry.name


def _parents(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = dirname(folder)
    yield ""


def _join(folder: str, name: str) -> str:
    return normpath(f"{folder}/{name}" if folder else name)


def _nearest(root: Path) -> str:
    there = next((parent for parent in root.absolute().parents if parent.is_dir()), Path.cwd())
    return f"a folder; {there} exists"
