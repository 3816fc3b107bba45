"""A sweep: judge every combination, run what is missing through one of Hydra's launchers, end in a summary.

Every job has a row from the start, in a ``report.json`` of its own that says ``unfinished``; how a job ended is read
from that file and from nothing else. So nothing is lost, however the jobs, the launcher or this process end.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, open_dict, read_write

from aistudio.config.hydra import VERSION_BASE
from aistudio.config.overrides import is_hydras, key_of, quoted, search_path, uninterpreted, user_folders
from aistudio.errors import FAILED, PASSED, Problem, Refusal, refusal_text
from aistudio.files import claimed, refuse_links, refuse_links_in, shown
from aistudio.jobs.combinations import Job, in_short, judged
from aistudio.jobs.job import FILES, STOP, in_sweep
from aistudio.jobs.progress import Progress
from aistudio.jobs.rounds import time_again
from aistudio.jobs.shards import conclude_shards
from aistudio.jobs.track import track
from aistudio.report.files import REPORT, read, write_without_verdict
from aistudio.report.receipt import NO_SETTINGS
from aistudio.report.records import Ending, verdict
from aistudio.report.summary import Row, row
from aistudio.report.tables import conclude
from aistudio.report.terminal import Terminal
from aistudio.report.validation import Unreadable
from aistudio.safety.conf_folder import conf_folder
from aistudio.safety.signals import code_of, reason_of

_NOT_USED = {  # keys of Hydra's own sweeps that mean nothing here
    "hydra.sweeper": "name what is swept on the command line, or in a script around it",
    "hydra.callbacks": "what a job leaves behind is in its report.json",
    "hydra.sweep.subdir": "a job's folder is named after what the sweep varies",
}
_SUMMARY = (
    STOP,
    ".submitit",
    "summary.html",
    "summary.csv",
    "summary.md",
    "summary.json",
    "findings.csv",
)  # of a sweep itself
_UNFINISHED = "not started, or ended together with its sweep"


def sweep(overrides: Sequence[str], config_dir: str | None) -> int:
    """Run every combination that ``overrides`` span; the exit code: 0 only if every row passed, 130 if interrupted."""
    if unused := [*_not_used(overrides)]:
        raise Refusal(unused)
    jobs = [*judged(overrides, config_dir)]
    fitting = [job for job in jobs if not job.problems]
    if len(fitting) < len(jobs) and (not fitting or fitting[0].config["sweep"]["on_refusal"] == "stop"):
        raise Refusal(in_short(jobs))
    terminal = Terminal()
    with initialize_config_dir(str(conf_folder().resolve()), version_base=VERSION_BASE):
        launcher_config = _config_for_launcher(overrides, config_dir)
        with _refusing_what_cannot_be_written(launcher_config):
            folder = folder_of(launcher_config, overrides)
            waiting = plan(jobs, folder)
        terminal.sweep(len(jobs), len(fitting) - len(waiting), len(jobs) - len(fitting), shown(folder))
        with Progress([folder / job.name for job in waiting], terminal):
            end = _launched(waiting, launcher_config)
    if not end.code and waiting:
        end = _timed_in_rounds(end, jobs, folder, launcher_config, terminal)
    rows = [row(folder / job.name / REPORT) for job in jobs]
    track([folder / job.name for job in jobs], fitting[0].config.get("track"), terminal, folder.name)
    rows = [end.of(one) if one.outcome == "unfinished" else one for one in rows]
    passed = conclude(rows, folder, terminal, remarks=[end.remark] if end.remark else ())
    passed = conclude_shards([folder / job.name for job in jobs], folder, terminal) and passed
    return end.code or (PASSED if passed else FAILED)


def _timed_in_rounds(end: End, jobs: Sequence[Job], folder: Path, config: DictConfig, terminal: Terminal) -> End:
    """Time the models of the sweep again; the end of the launch with why that was not done, where it was not."""
    rows = [row(folder / job.name / REPORT) for job in jobs]
    settings = next(job.config["sweep"] for job in jobs if not job.problems)
    try:
        return replace(end, remark=time_again(rows, settings, config.hydra.launcher._target_, terminal))
    except KeyboardInterrupt as signal:
        return replace(end, remark=f"not timed again in rounds: {reason_of(signal)}", code=code_of(signal))


@dataclass(frozen=True)
class End:
    """How a launch ended, for the jobs that have left no report.

    ``code`` is the exit code of the sweep, where that does not depend on its rows; ``unwritten`` says of jobs by their
    names what kept them from leaving one; ``remark`` is said of the sweep as a whole.
    """

    outcome: Ending
    reason: str
    code: int = 0
    unwritten: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""

    def of(self, row: Row) -> Row:
        """The row of a job that has left no report."""
        return replace(row, outcome=self.outcome, reason=self.unwritten.get(row.job, self.reason))


def _not_used(overrides: Sequence[str]) -> Iterator[Problem]:
    """What is said to Hydra's sweepers, which would compose every job anew and know nothing of rules."""
    for override in overrides:
        key = key_of(override).replace("/", ".")
        for prefix, instead in _NOT_USED.items():
            if key == prefix or key.startswith(f"{prefix}."):
                yield Problem(
                    f"{override} has no effect", f"a sweep does not use {prefix}", "the command line", instead
                )


def _config_for_launcher(overrides: Sequence[str], config_dir: str | None) -> DictConfig:
    """What Hydra's launchers start from: the configuration with Hydra's own section, and the overrides of that."""
    own = [one for one in overrides if is_hydras(one) and key_of(one) != "hydra.searchpath"]
    search = search_path(user_folders(overrides, config_dir))
    return _running_hydra().compose_config("config", [*own, *search, "hydra.mode=MULTIRUN"], RunMode.MULTIRUN)


def _running_hydra() -> Hydra:
    """The Hydra that was started for this sweep."""
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None  # `_config_for_launcher` and `_launched` are called within it alone
    return hydra


@contextmanager
def _refusing_what_cannot_be_written(config: DictConfig) -> Iterator[None]:
    """Answer a disk that is full or closed before the first job, rather than after the last."""
    try:
        yield
    except OSError as error:
        folder = shown(Path(config.hydra.sweep.dir).absolute())
        what = f"the reports of this sweep cannot be written below {folder}"
        instead = "hydra.sweep.dir=FOLDER with room in it"
        raise Refusal([Problem(what, f"{error.strerror or error}", "hydra.sweep.dir", instead)]) from None


def folder_of(config: DictConfig, overrides: Sequence[str]) -> Path:
    """The folder of this sweep: the one that was asked for, else a new one, also where another began this second."""
    key = "hydra.sweep.dir"
    folder = claimed(config.hydra.sweep.dir, key, any(key_of(one) in ("hydra.sweep", key) for one in overrides))
    refuse_links_in(folder, _SUMMARY, key)
    with read_write(config), open_dict(config):
        config.hydra.sweep.dir = uninterpreted(str(folder))
    queue = Path(os.path.abspath(config.hydra.launcher.get("submitit_folder") or folder))
    if not queue.is_relative_to(folder):
        refuse_links(queue, "hydra.launcher.submitit_folder")
    return folder


def plan(jobs: Sequence[Job], folder: Path) -> list[Job]:
    """Give every job a row, and say which are to run: all that fit, but those that passed as they are now."""
    (folder / STOP).unlink(missing_ok=True)
    waiting = []
    refuse_links_in(folder, [job.name for job in jobs], "hydra.sweep.dir")
    for job in jobs:
        path = folder / job.name / REPORT
        refuse_links_in(folder / job.name, FILES, "hydra.sweep.dir")
        if job.problems:
            write_without_verdict(path, "refused", refusal_text(job.problems), job.config or named(job))
        elif not passed_before(path, job.config):
            write_without_verdict(path, "unfinished", _UNFINISHED, job.config)
            waiting.append(job)
    return waiting


def named(job: Job) -> dict[str, dict[str, str]]:
    """The names that a job's overrides say, for the row of one that could not be composed."""
    options = dict(override.lstrip("+").split("=", 1) for override in job.overrides if "=" in override)
    return {group: {"name": options.get(group, "")} for group in ("task", "architecture", "backbone")}


def passed_before(path: Path, config: Mapping[str, Any]) -> bool:
    """Whether a report says, and shows, that this very configuration has passed."""
    try:
        report = read(path)
        return report.verdict == "passed" == verdict(report.checks) and same(report.config, config)
    except (Unreadable, RecursionError):
        return False


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two resolved configurations describe the same job; how it is swept and tracked makes no difference."""
    nothing = dict.fromkeys(NO_SETTINGS)
    return _as_read({**one, **nothing}) == _as_read({**other, **nothing})


def _as_read(config: Mapping[str, Any]) -> Any:
    """A configuration as it comes back from a report."""
    return json.loads(json.dumps(config, default=str))


def _launched(jobs: Sequence[Job], config: DictConfig) -> End:
    """Hand the jobs to the launcher and wait; the outcome and the reason of those that leave no report.

    How a job ended is in its report: what the launcher returns or raises decides nothing.
    """
    context = HydraContext(config_loader=_running_hydra().config_loader, callbacks=Callbacks())
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=in_sweep, config=config)
    folder = f"hydra.sweep.dir={quoted(uninterpreted(str(config.hydra.sweep.dir)))}"
    lines = [
        [*(one for one in job.overrides if not is_hydras(one)), folder, f"hydra.sweep.subdir={quoted(job.name)}"]
        for job in jobs
    ]
    for name in ("hydra", "hydra_plugins"):  # they announce every job; Progress does
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        ended = launcher.launch(lines, initial_job_idx=0) if lines else []
    except KeyboardInterrupt as end:
        return End("interrupted", f"not started: the sweep was {reason_of(end)}", code_of(end))
    except Exception as error:
        return End("broke", f"its launcher gave up: {type(error).__name__}: {error}")
    errors = {job.name: getattr(one, "_return_value", None) for job, one in zip(jobs, ended or (), strict=False)}
    words = {name: unwritten(error) for name, error in errors.items() if isinstance(error, OSError)}
    return End("broke", "it left no report: killed, or never started by its launcher", unwritten=words)


def unwritten(error: OSError) -> str:
    """Why a job has left no report."""
    return f"its report cannot be written: {error.strerror or error}"
