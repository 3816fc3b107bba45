"""Fetch one file over HTTP: resumed where it broke off, hashed, and there whole or not at all; silence has a limit."""

from __future__ import annotations

import errno
import http.client
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from aistudio.files import file_digest

BLOCK = 1 << 18
_SILENCE = 10.0  # seconds without a byte after which a server counts as gone
_ATTEMPTS = 8  # of a transfer that is cut again and again; each goes on where the last one ended
Progress = Callable[[int, int | None], None]


class Failed(Exception):
    """A download that did not work out, with the reason in words."""


def download(
    url: str, target: Path, begins: str = "", progress: Progress | None = None, silence: float = _SILENCE
) -> str:
    """Fetch ``url`` into ``target``; its SHA-256. Raises `Failed`, and then leaves ``target`` as it was.

    ``begins`` is how the SHA-256 must begin. What arrived of a cut download stays beside it, in ``*.partial``, and the
    next call goes on there; a wrong file is deleted. Two processes never write the same file at the same time.
    """
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(partial) as file:
            if target.is_file():  # another process was faster
                return file_digest(target)
            _transfer(url, file, progress, silence)
            file.flush()
            found = file_digest(partial)
            if not found.startswith(begins):
                partial.unlink()
                raise Failed(f"what {url} gives has the SHA-256 {found[:8]}…, not {begins}…: it was deleted")
            os.replace(partial, target)
            return found
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            partial.unlink(missing_ok=True)
        raise Failed(f"{target} cannot be written: {error.strerror or error}") from None


@contextmanager
def alone(partial: Path) -> Iterator[BinaryIO]:
    """The partial file, open for this process alone; others wait."""
    with partial.open("ab") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except ImportError:  # on Windows an open file cannot be replaced anyway
            pass
        yield file


def _transfer(url: str, file: BinaryIO, progress: Progress | None, silence: float) -> None:
    """Append what is missing of ``url`` to ``file``, in several attempts where the line is cut."""
    for attempt in range(1, _ATTEMPTS + 1):
        before = file.tell()
        try:
            with ask(url, before, silence) as response:
                copy(response, file, progress)
            return
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            if attempt == _ATTEMPTS or file.tell() == before:
                raise Failed(f"{url} broke off after {file.tell()} bytes ({reason(error)})") from None


def ask(url: str, start: int, silence: float) -> Any:
    """The server's answer to a request for a file from byte ``start`` on. Raises `Failed` for what will not change."""
    headers = {"User-Agent": "aistudio", **({"Range": f"bytes={start}-"} if start else {})}
    try:
        request = urllib.request.Request(url, headers=headers)
        return within(silence, lambda: urllib.request.urlopen(request, timeout=silence))
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # there is nothing after it: what is here is all, or of another file
            return error
        raise Failed(f"{url} answers {error.code} ({error.reason})") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise Failed(f"{url} cannot be reached ({reason(error)})") from None


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """What ``call`` gives, if it does so in time; looking up a name has no limit of its own."""
    done: list[Any] = []

    def run() -> None:
        try:
            done.append((True, call()))
        except BaseException as error:  # raised again below, in the thread that asked
            done.append((False, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        raise TimeoutError(f"no answer in {seconds:g} s")
    fine, result = done[0]
    if not fine:
        raise result
    return result


def copy(response: Any, file: BinaryIO, progress: Progress | None) -> None:
    """Append an answer to the file, from the start if the server did not go on where it was asked to."""
    if getattr(response, "status", None) == 416:
        return
    if response.status != 206:
        file.truncate(0)
        file.seek(0)
    length = response.headers.get("Content-Length")
    total = file.tell() + int(length) if length and length.isdigit() else None
    while block := response.read(BLOCK):
        file.write(block)
        if progress:
            progress(file.tell(), total)
    file.flush()
    if total is not None and file.tell() < total:
        raise ConnectionError(f"{total - file.tell()} bytes short")


def reason(error: BaseException) -> str:
    """An error of the network in a few words."""
    cause = getattr(error, "reason", error)
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)
