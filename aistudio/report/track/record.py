"""Telling a tracker of runs so that it can do them no harm: it may be slow, down or not installed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from aistudio.report.track.entry import Entry

TRACKERS = ("mlflow", "tensorboard", "wandb")
_TIMEOUT = 120.0  # seconds that one run may take


def record(entries: Iterable[Entry], settings: Mapping[str, Any]) -> str:
    """Tell the configured tracker of runs, one after the other; a warning at the first that it does not take, or "".

    Whatever a tracker raises, and however long it waits for a server, the runs are over and their files are written.
    """
    tracker = str(settings.get("name"))
    if tracker not in TRACKERS:
        return f"track.name={tracker} is none of {', '.join(TRACKERS)}"
    try:
        log = import_module(f"aistudio.report.track.{tracker}_runs").log
    except ImportError as error:
        return f"{tracker} is not installed ({error}): pip install 'aistudio[{tracker}]'"
    for one in entries:
        if why := failure(log, one, settings):
            return f"{tracker} did not take {one.name}: {why}"
    return ""


def failure(log: Callable[[Entry, Mapping[str, Any]], None], one: Entry, settings: Mapping[str, Any]) -> str:
    """Why a tracker did not take a run in time; "" where it did."""
    raised: list[BaseException] = []

    def told() -> None:
        try:
            log(one, settings)
        except BaseException as error:  # libraries that end the process included
            raised.append(error)

    timeout = float(settings.get("timeout") or _TIMEOUT)
    thread = threading.Thread(target=told, daemon=True, name=f"telling {settings.get('name')}")
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        return f"no answer in track.timeout={timeout:g} seconds"
    words = str(raised[0]).strip().splitlines()[:1] if raised else []
    return f"{type(raised[0]).__name__}: {(words or [''])[0][:300]}" if raised else ""
