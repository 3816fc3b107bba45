"""A process of its own for one job: what it takes, it gives back, and how it ends harms nobody.

On Linux and macOS such a process is forked from a server that has imported torch once and done nothing else, so that
it costs a fraction of a second; elsewhere it starts anew.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from aistudio.errors import BUG, FAILED, PASSED, REFUSED
from aistudio.files import no_link
from aistudio.report.files import LOG
from aistudio.report.records import Ending
from aistudio.safety.environment import ASKED, remember
from aistudio.safety.outlet import guard
from aistudio.safety.signals import code_of, ending_with_a_report, reason_of

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

Job = Callable[[DictConfig, Path, Sequence[str]], int]
Leave = Callable[[Path, DictConfig, Ending, str], None]
PATIENCE = 5.0  # seconds that a process has to end by itself once it was asked to
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one way
LOST = 255  # multiprocessing's exit code of a process whose parent has gone


def in_a_process_of_its_own(job: Job, config: DictConfig, folder: Path, overrides: Sequence[str], leave: Leave) -> int:
    """Run ``job(config, folder, overrides)`` in a new process, for ``sweep.timeout`` at most; its exit code.

    What the job has started ends with it, however it ends.

    Args:
        job: a module-level function; what it returns is the exit code.
        leave: called as ``leave(folder, config, ending, reason)`` where the process did not end by itself.
    """
    told, tell = context().Pipe(duplex=False)
    process = context().Process(
        target=_run_child, args=(job, config, folder, overrides, tell, tuple(ASKED)), name=folder.name
    )
    timeout = config.sweep.timeout
    process.start()
    tell.close()
    try:
        process.join(timeout)
        if process.is_alive():
            stop(process)
            leave(folder, config, "broke", f"hung: stopped after sweep.timeout={timeout:g} seconds")
            return FAILED
    except KeyboardInterrupt as end:
        stop(process)
        if process.exitcode not in (PASSED, FAILED, REFUSED, BUG):  # else its report is there
            leave(folder, config, "interrupted", reason_of(end))
        raise
    finally:
        stop(process)
    code = LOST if process.exitcode is None else process.exitcode
    if reason := _last_words(told) or killed(code):
        leave(folder, config, "broke", reason)
        return FAILED
    return code


def _last_words(told: Connection) -> str:
    """What a process says that can write no report; empty where it can."""
    with told:
        try:
            return told.recv() if told.poll() else ""
        except EOFError:  # it has ended, as it should
            return ""


def _run_child(
    job: Job, config: DictConfig, folder: Path, overrides: Sequence[str], tell: Connection, asked: Sequence[str]
) -> None:
    """What the new process does; libraries that print past Python do it into the log, too."""
    _lead_a_group()
    with open(folder / LOG, "a", encoding="utf-8", opener=no_link) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    remember(*asked)
    guard()
    with ending_with_a_report():
        try:
            code = job(config, folder, overrides)
        except KeyboardInterrupt as end:
            code = code_of(end)
        except OSError as error:
            tell.send(f"its report cannot be written: {error.strerror or error}")
            code = FAILED
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a full disk
            stream.flush()
    os._exit(code)  # the report is written; threads that a stuck library left behind must not keep the process


def _lead_a_group() -> None:
    """Let this process and all that it starts be ended together, at the latest when its parent has gone."""
    if hasattr(os, "setsid"):
        os.setsid()
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """Wait for a process to end, be it killed, and end with it."""
    parent.join()
    _signal_group(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    _signal_group(os.getpid(), KILL)


@cache
def context() -> ForkServerContext | SpawnContext:
    """How processes are started here; the server that they are forked from imports torch, once."""
    methods = multiprocessing.get_all_start_methods()
    method = "forkserver" if "forkserver" in methods else "spawn"
    if multiprocessing.get_start_method(allow_none=True) not in (None, *methods):
        multiprocessing.set_start_method(method, force=True)  # joblib's workers have one that children do not know
    if method == "spawn":
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["aistudio.sanity", "aistudio.jobs.job"])
    return forking


def stop(process: BaseProcess) -> None:
    """End a process and what it has started, gently first; what it has left behind, where it has ended."""
    leader = process.pid
    if leader is None:  # it was not started
        return
    if process.is_alive():
        _signal_group(leader, signal.SIGTERM)
        process.join(PATIENCE)
    _signal_group(leader, KILL)
    process.join()


def _signal_group(leader: int, number: int) -> None:
    """Send a signal to a process and all that belong to its group, as far as they are there."""
    try:
        if not hasattr(os, "killpg"):
            os.kill(leader, number)
        else:
            os.killpg(leader, number)
    except ProcessLookupError:  # no such group, or not yet: it has only just started
        with suppress(ProcessLookupError):
            os.kill(leader, number)
    except PermissionError:
        pass


def killed(code: int) -> str:
    """Which signal ended a process, and what it often means; empty where none did."""
    if code == LOST:
        return "it is not known how it ended: what starts the processes of jobs has gone"
    if code >= 0:
        return ""
    name = signal.Signals(-code).name
    meaning = {
        "SIGKILL": "as the system does when memory runs out",
        "SIGSEGV": "a library touched memory that is not its own",
        "SIGABRT": "a library gave up",
    }.get(name)
    return f"killed by {name}{f', {meaning}' if meaning else ''}"
