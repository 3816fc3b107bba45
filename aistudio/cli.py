"""The entrance of the command line: refuse in half a second, or import torch and run.

Exit codes: 0 every run passed, 1 a check failed or a run broke, 2 refused, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from aistudio.catalog import conf_folder
from aistudio.config import compose, judge
from aistudio.errors import Refusal
from aistudio.report import Terminal, as_json, refusal_text, shown, without_verdict, write_whole
from aistudio.search import VERSION_BASE
from aistudio.summarize import conclude
from aistudio.summary import rows
from aistudio.sweeps import combinations

PASSED, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
INSPECT = (
    "help",
    "hydra_help",
    "version",
    "cfg",
    "info",
    "shell_completion",
    "experimental_rerun",
    "config_name",
    "config_path",
)


def main() -> int:
    """Run ``python -m aistudio`` with the arguments of the process; the exit code."""
    arguments = get_args_parser().parse_args()
    try:
        if not any(getattr(arguments, name, None) for name in INSPECT):
            judge_request(arguments.overrides, arguments.config_dir, arguments.multirun)
        return hand_to_hydra()
    except Refusal as refusal:
        print(refusal_text(refusal.problems), file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def judge_request(overrides: Sequence[str], config_dir: str | None, multirun: bool) -> None:
    """Refuse what cannot work, before Hydra makes a folder and before torch is imported; a sweep as a whole."""
    if not multirun:
        compose(*overrides, config_dir=config_dir)
        return
    problems = {}  # a dict keeps the order and drops what several combinations have in common
    for combination in combinations(overrides, config_dir):
        try:
            compose(*combination, config_dir=config_dir)
        except Refusal as refusal:
            problems |= dict.fromkeys(refusal.problems)
    if problems:
        raise Refusal(problems)


def hand_to_hydra() -> int:
    """Let Hydra compose again, make the run's folder and call the job, once or for every combination of a sweep."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # a bug of ours keeps its traceback
    codes: list[int] = []
    sweeps: set[Path] = set()

    def job(config: DictConfig) -> int:
        settings = HydraConfig.get()
        if settings.mode == RunMode.MULTIRUN:
            sweeps.add(Path(settings.sweep.dir))
        codes.append(record(config, Path(settings.runtime.output_dir), bool(sweeps)))
        return codes[-1]

    try:
        hydra.main(version_base=VERSION_BASE, config_path=str(conf_folder().resolve()), config_name="config")(job)()
    finally:  # an interrupted sweep has rows, too
        passed = [conclude(rows([folder]), folder, Terminal()) for folder in sweeps]
    return max([*codes, PASSED if all(passed) else FAILED])


def record(config: DictConfig, folder: Path, in_sweep: bool) -> int:
    """Run one job, and leave a report behind even where it ends without a verdict; in a sweep the others go on."""
    try:
        return run(config)
    except Refusal as refusal:  # what only torch could know
        reason = refusal_text(refusal.problems)
        leave(folder, config, "refused", reason)
        print(reason, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        leave(folder, config, "interrupted", "interrupted from the keyboard")
        raise
    except Exception as error:
        leave(folder, config, "broke", f"{type(error).__name__}: {error}")
        if not in_sweep:
            raise
        traceback.print_exc()
        return FAILED


def leave(folder: Path, config: DictConfig, outcome: str, reason: str) -> None:
    """Write the report of a run that came to no verdict."""
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    write_whole(folder / "report.json", without_verdict(outcome, reason, plain))


def run(config: DictConfig) -> int:
    """One job: check the configuration, show it as it goes, write the report; the exit code."""
    settings = HydraConfig.get()
    problems = judge(config)
    if problems:  # only reachable past judge_request: with a primary configuration of the user's own
        raise Refusal(problems)
    folder = Path(settings.runtime.output_dir)
    terminal = Terminal()
    if settings.mode == RunMode.MULTIRUN:
        terminal.print()  # after Hydra's own line
    terminal.head(config.task.name, config.backbone.name, config.architecture.name)
    with terminal.busy():
        terminal.start("importing torch")
        sanity_run = import_sanity_run()
        report = sanity_run(config, terminal.facts, terminal.check, terminal.start, pictures=folder / "pictures")
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    write_whole(folder / "report.json", as_json(report))
    terminal.measurements(report.measurements)
    terminal.verdict(report, [shown(folder / name) for name in ("report.json", "config.yaml", "pictures")])
    return PASSED if report.ok else FAILED


def import_sanity_run() -> Callable:
    """Import torch and what stands on it.

    Nothing that the imports make is garbage, so collecting among it is put off: a tenth to a half of the time. What is
    frozen is thawed at exit, or libraries with C++ bindings would report it as leaked.
    """
    import atexit
    import gc

    gc.disable()
    from aistudio.sanity import sanity_run

    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)
    return sanity_run
