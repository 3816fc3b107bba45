"""One job: run what a configuration describes, in a folder, and leave a report there however it ends."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from aistudio.config.compose import Judged, settle
from aistudio.config.origins import origins
from aistudio.config.plain import plain
from aistudio.config.trust import fault_code, trusted
from aistudio.errors import FAILED, PASSED, REFUSED, Refusal, refusal_text
from aistudio.files import no_link, shown, write_whole
from aistudio.jobs.imports import import_for_good
from aistudio.jobs.process import in_a_process_of_its_own
from aistudio.report.files import DRAWINGS, LOG, PAGE, REPORT, write, write_without_verdict
from aistudio.report.receipt import receipt
from aistudio.report.records import Ending, SanityReport
from aistudio.report.terminal import Terminal
from aistudio.report.unfinished import Unfinished, so_far
from aistudio.safety.environment import scrub
from aistudio.safety.outlet import as_yaml, data, guarded
from aistudio.safety.search_path import reach
from aistudio.safety.signals import reason_of

IN_PROCESS = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
FILES = (".hydra", DRAWINGS, PAGE, REPORT, "config.yaml", "findings.csv", "shard.jsonl", LOG)  # in a job's folder
STOP = "stopped"  # a file in a sweep's folder that keeps its other jobs from starting; it holds the reason


def run(config: DictConfig, judged: Judged, folder: Path, overrides: Sequence[str]) -> int:
    """Examine what was judged, show it as it goes, write the report; the exit code.

    ``overrides`` are what it was composed from, for the receipt.
    """
    from aistudio.jobs.data_audit import audit_data, audit_first  # a refusal needs none of these

    if judged.values["sanity"]["level"] == "data":
        return audit_data(config, judged, folder, overrides)
    from aistudio.report.html.run_folder import leave_page

    terminal = Terminal()
    terminal.head(*(judged.values[group]["name"] for group in ("task", "backbone", "architecture")))
    terminal.plan(steps(judged))
    known = so_far(folder)
    with terminal.busy():
        audit = audit_first(config, judged, folder, terminal)
        terminal.started("importing torch")
        unfinished = Unfinished(folder, judged.written, known)
        examine, drawings = import_examine(), folder / DRAWINGS
        report = examine(config, judged, terminal, unfinished, drawings=drawings, audit=audit)
    report = replace(report, config=data(report.config))
    write_whole(folder / "config.yaml", as_yaml(report.config))
    write(folder / REPORT, report, receipt(report.config, overrides), known.get("origins"))
    leave_page(folder)
    terminal.files(shown(folder / name) for name in (PAGE, REPORT, "config.yaml", DRAWINGS))
    return PASSED if report.ok else FAILED


def steps(judged: Judged) -> dict[str, str]:
    """The checks of a run and its measurement, with what is measured."""
    settings, images = judged.values["sanity"], judged.values["data"].get("batch_size")
    measure = settings.get("measure") or {}
    images, size = measure.get("batch_size") or images, judged.values["task"].get("image_size")
    remark = f": up to {measure.get('repeats')} passes of batch {images} at {size} px" if measure else ""
    return {**dict.fromkeys(settings.get("checks") or (), ""), **({"measure": remark} if measure else {})}


def begin(config: DictConfig, folder: Path, overrides: Sequence[str], folders: Sequence[Path]) -> None:
    """Write down what was asked for and by whom, before anything is tried; ``folders`` are the user's own ``conf/``."""
    written = plain(config, missing=True)
    known: dict[str, Any] = {"receipt": receipt(written, overrides)}
    if OmegaConf.select(config, "sanity.level") != "data":  # whose report has none: they take a tenth of its time
        known["origins"] = origins(written, overrides, folders)
    with suppress(OSError):  # the end of the run says it
        write_without_verdict(folder / REPORT, "unfinished", "it has not begun", written, known)


def import_examine() -> Callable[..., SanityReport]:
    """Import torch and what stands on it."""
    return import_for_good("aistudio.sanity").examine


def reported(config: DictConfig, folder: Path, overrides: Sequence[str], judged: Judged | None = None) -> int:
    """Judge, unless that was done, and run; leave a report also where there is no verdict. What was raised goes on."""
    try:
        return run(config, judged or settle(config), folder, overrides)
    except Refusal as refusal:  # what only torch, or only this machine, could know
        leave(folder, config, "refused", refusal_text(refusal.problems))
        raise
    except KeyboardInterrupt as end:
        leave(folder, config, "interrupted", reason_of(end))
        raise
    except (Exception, SystemExit) as error:  # a library that ends the process must not end a sweep
        leave(folder, config, "broke", f"{type(error).__name__}: {error}", traceback.format_exc())
        raise


def leave(folder: Path, config: DictConfig, ending: Ending, reason: str, fault: str = "") -> None:
    """Write the report of a run that came to no verdict; ``fault`` is the traceback of what broke it."""
    try:
        known = {**so_far(folder), "traceback": fault}
        write_without_verdict(folder / REPORT, ending, reason, plain(config, missing=True), known)
    except OSError as error:
        raise _NoReport(error.errno, error.strerror, str(folder / REPORT)) from error
    from aistudio.report.html.run_folder import leave_page

    leave_page(folder)


class _NoReport(OSError):
    """The report of a run cannot be written: the disk is full, for example."""


def _logged(config: DictConfig, folder: Path, overrides: Sequence[str]) -> int:
    """Run with everything that it prints in its log; nothing but an interruption goes on."""
    with printing_to(folder / LOG):
        try:
            return reported(config, folder, overrides)
        except Refusal as refusal:
            print(refusal_text(refusal.problems), file=sys.stderr)
            return REFUSED
        except _NoReport:
            raise
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            return fault_code(error)


def side_by_side(config: DictConfig, folder: Path, overrides: Sequence[str]) -> int:
    """Run as ``_logged`` does, beside other jobs on the same machine."""
    from aistudio.jobs.gpus import one_for_itself

    with one_for_itself(config.runtime.device):
        return _logged(config, folder, overrides)


@contextmanager
def printing_to(path: Path) -> Iterator[None]:
    """Let Python print into a file instead of to the terminal."""
    file = open(path, "a", encoding="utf-8", errors="backslashreplace", opener=no_link)  # noqa: SIM115
    try:
        with redirect_stdout(guarded(file)), redirect_stderr(guarded(file)):
            yield
    finally:
        with suppress(OSError):  # a full disk: the log ends early, and the report says what there is to say
            file.close()


def in_sweep(config: DictConfig) -> int:
    """One job of a sweep, as launchers call it, here or on another machine; the exit code that it would have alone."""
    reach(trusted())  # this may be a new process, on another machine
    settings = cast(DictConfig, HydraConfig.get())
    folder = Path(settings.runtime.output_dir)
    scrub_files(settings)
    stop = folder.parent / STOP
    if stop.exists():
        leave(folder, config, "interrupted", stop.read_text(encoding="utf-8"))
        return FAILED
    (folder / LOG).unlink(missing_ok=True)
    overrides = as_written(settings)
    begin(config, folder, overrides, own_folders(settings))
    job = _logged if settings.launcher._target_ == IN_PROCESS else side_by_side
    if isolated(config, settings.launcher._target_):
        code = in_a_process_of_its_own(job, config, folder, overrides, leave)
    else:
        code = job(config, folder, overrides)
    if code != PASSED and config.sweep.fail_fast:
        write_whole(stop, f"not started: sweep.fail_fast=true, and {folder.name} did not pass")
    return code


def scrub_files(settings: DictConfig) -> None:
    """Take out of what Hydra has written about a job what came from the environment."""
    folder = Path(settings.runtime.output_dir) / (settings.output_subdir or "")
    for path in folder.glob("*.yaml") if settings.output_subdir else ():
        write_whole(path, scrub(path.read_text(encoding="utf-8")))


def as_written(settings: DictConfig) -> list[str]:
    """The overrides of a job, with ``${…}`` in them as it was written: a receipt holds no environment variable."""
    return cast(list[str], OmegaConf.to_container(settings.overrides.task, resolve=False))


def own_folders(settings: DictConfig) -> list[Path]:
    """The folders with groups of the user's own that a job was composed from."""
    sources = [one for one in settings.runtime.config_sources if one.provider not in ("hydra", "main", "schema")]
    return [Path(one.path) for one in sources if one.schema == "file"]


def isolated(config: DictConfig, launcher: str) -> bool:
    """Whether a job gets a process of its own: as configured, else where one is needed.

    A launcher's own workers run several jobs, and one that the system kills would take the others with it; and only
    a process can be stopped when its time is up.
    """
    needed = launcher != IN_PROCESS or config.sweep.timeout is not None
    return needed if config.sweep.isolate is None else config.sweep.isolate or config.sweep.timeout is not None
