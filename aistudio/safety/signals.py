"""How a process is ended from outside: SIGTERM (Slurm, Docker) and SIGHUP (a closed terminal) are as Ctrl-C is.

Standard library only. A first signal is raised where the program is, so that it writes what it knows; a second one ends
the process at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
PATIENCE = 2.0  # seconds that what was started has to end by itself once it was asked to
_UNTOUCHED = (signal.SIG_DFL, signal.default_int_handler)  # what is ignored (nohup) or somebody's stays so


class Ended(KeyboardInterrupt):
    """A signal has asked this process to end; its number is the one argument."""


def code_of(end: KeyboardInterrupt) -> int:
    """The exit code that a shell gives to a process which such a signal has ended: 130 or 143, for example."""
    return 128 + (end.args[0] if isinstance(end, Ended) else signal.SIGINT)


def reason_of(end: KeyboardInterrupt) -> str:
    """What ended the process, in words."""
    return f"ended by {signal.Signals(end.args[0]).name}" if isinstance(end, Ended) else "interrupted from the keyboard"


@contextmanager
def ending_with_a_report() -> Iterator[None]:
    """Within it the signals are raised as `Ended` (SIGINT as KeyboardInterrupt); what was set before is put back.

    Once one came, what was started within is ended, too.
    """
    if threading.current_thread() is not threading.main_thread():  # Python sets handlers there only
        yield
        return
    before = {one: handler for one in SIGNALS if (handler := signal.getsignal(one)) in _UNTOUCHED}
    others = {*_descendants()}
    for one in before:
        signal.signal(one, end_once)
    try:
        yield
    finally:
        if any(signal.getsignal(one) is _end_at_once for one in before):
            _end_all_but(others)
        for one, handler in before.items():
            signal.signal(one, handler)


def end_once(number: int, _: FrameType | None) -> NoReturn:
    """Raise what was asked for; from now on there is no more patience."""
    for one in SIGNALS:
        if signal.getsignal(one) is end_once:
            signal.signal(one, _end_at_once)
    raise KeyboardInterrupt if number == signal.SIGINT else Ended(number)


def _end_at_once(number: int, _: Any) -> NoReturn:
    """End this process without another word; processes of its own watch it and end, too."""
    os._exit(128 + number)


def _end_all_but(others: set[int]) -> None:
    """End what this process and its children have started, gently first."""
    end = time.monotonic() + PATIENCE
    number = signal.SIGTERM
    while left := [*_descendants() - others]:
        for process in left:
            with suppress(OSError):
                os.kill(process, number)
        if number == signal.SIGKILL:
            return
        while {*left} & _descendants() and time.monotonic() < end:
            time.sleep(0.05)
        number = signal.SIGKILL


def _descendants() -> set[int]:
    """The processes below this one that still run, as far as the system shows them: on Linux."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            parents[int(path.parent.name)] = int(parent) if state != "Z" else 0
    found: set[int] = set()
    new = {os.getpid()}
    while new := {process for process, parent in parents.items() if parent in new} - found:
        found |= new
    return found
