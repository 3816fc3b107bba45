"""A process of its own for one job: what it takes, it gives back, and how it ends harms nobody.

On Linux and macOS such a process is forked from a server that has imported torch once and done nothing else, so that
it costs a fraction of a second; elsewhere it starts anew.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from omegaconf import DictConfig

from aistudio.files import no_link

Job = Callable[[DictConfig, Path, Sequence[str]], int]
Leave = Callable[[Path, DictConfig, str, str], None]
LOG = "log.txt"  # in the job's folder
PATIENCE = 5.0  # seconds that a process has to end by itself once it was asked to


def in_a_process_of_its_own(job: Job, config: DictConfig, folder: Path, overrides: Sequence[str], leave: Leave) -> int:
    """Run ``job(config, folder, overrides)`` in a new process, for ``sweep.timeout`` at most; its exit code.

    Args:
        job: a module-level function; what it returns is the exit code.
        leave: called as ``leave(folder, config, outcome, reason)`` where the process did not end by itself.
    """
    process = context().Process(target=child, args=(job, config, folder, overrides), name=folder.name)
    timeout = config.sweep.timeout
    process.start()
    try:
        process.join(timeout)
        if process.is_alive():
            stop(process)
            leave(folder, config, "broke", f"hung: stopped after sweep.timeout={timeout:g} seconds")
            return 1
    except BaseException:
        stop(process)
        raise
    if process.exitcode < 0:
        leave(folder, config, "broke", killed(-process.exitcode))
        return 1
    return process.exitcode


def child(job: Job, config: DictConfig, folder: Path, overrides: Sequence[str]) -> None:
    """What the new process does; libraries that print past Python do it into the log, too."""
    with open(folder / LOG, "a", encoding="utf-8", opener=no_link) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        code = job(config, folder, overrides)
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the report is written; threads that a stuck library left behind must not keep the process


@cache
def context() -> BaseContext:
    """How processes are started here; the server that they are forked from imports torch, once."""
    methods = multiprocessing.get_all_start_methods()
    method = "forkserver" if "forkserver" in methods else "spawn"
    if multiprocessing.get_start_method(allow_none=True) not in (None, *methods):
        multiprocessing.set_start_method(method, force=True)  # joblib's workers have one that children do not know
    chosen = multiprocessing.get_context(method)
    if method == "forkserver":
        chosen.set_forkserver_preload(["aistudio.sanity", "aistudio.job"])
    return chosen


def stop(process: BaseProcess) -> None:
    """End a process, gently first."""
    process.terminate()
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()


def killed(number: int) -> str:
    """Which signal ended a process, and what it often means."""
    name = signal.Signals(number).name
    meaning = {
        "SIGKILL": "as the system does when memory runs out",
        "SIGSEGV": "a library touched memory that is not its own",
        "SIGABRT": "a library gave up",
    }.get(name)
    return f"killed by {name}{f', {meaning}' if meaning else ''}"
