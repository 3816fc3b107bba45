"""The entrance of the command line: refuse in half a second, or import torch and run.

Exit codes: 0 every run passed, 1 a check failed or a run broke, 2 refused, 130 interrupted, 143 ended by SIGTERM.
"""

from __future__ import annotations

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import hydra
from hydra._internal.callbacks import Callbacks
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, open_dict, read_write

from aistudio.config.compose import compose
from aistudio.config.hydra import VERSION_BASE, hydra_composed
from aistudio.config.overrides import is_hydras, key_of, user_folders, without_plus
from aistudio.config.trust import trusted
from aistudio.errors import FAILED, PASSED, REFUSED, Problem, Refusal, refusal_text
from aistudio.files import claimed, refuse_links_in
from aistudio.jobs.job import FILES, reported, scrub_files
from aistudio.safety.conf_folder import conf_folder
from aistudio.safety.encoding import plain_where_needed
from aistudio.safety.outlet import guard
from aistudio.safety.search_path import SafeChildren, reach
from aistudio.safety.signals import code_of, ending_with_a_report, reason_of

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)
INSPECT = (
    "help",
    "hydra_help",
    "version",
    "cfg",
    "info",
    "shell_completion",
)
NOT_OURS = {  # options of Hydra's that would run what nobody has judged, and what to take instead
    "config_name": "--config-dir FOLDER, with groups of your own in it; or an application of your own",
    "config_path": "--config-dir FOLDER, with groups of your own in it; or an application of your own",
    "experimental_rerun": "python -m aistudio.cli.replay report.json",
}


def main() -> int:
    """Run ``python -m aistudio`` with the arguments of the process; the exit code."""
    guard()
    reach(trusted())
    with SafeChildren(), ending_with_a_report(), plain_where_needed():
        return answered()


def answered() -> int:
    """Do what was asked for, and say in a few lines what keeps it from being done."""
    sys.argv[1:] = without_plus(sys.argv[1:])  # Hydra reads them again
    arguments = get_args_parser().parse_args()
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # a bug of ours keeps its traceback
    inspected = any(getattr(arguments, name, None) for name in INSPECT)
    try:
        refuse_what_is_not_judged(arguments)
        if not inspected and "sanity=rules" in arguments.overrides:
            from aistudio.cli.rules import verify  # a run needs none of it

            return verify(arguments.overrides, arguments.config_dir)
        if not inspected:
            refuse_what_hydra_would_interpret(Path.cwd())
        if arguments.multirun and not inspected:
            from aistudio.jobs.sweep import sweep

            return sweep(arguments.overrides, arguments.config_dir)
        if not inspected:  # before Hydra makes a folder and before torch is imported
            compose(*arguments.overrides, config_dir=arguments.config_dir)
            return run(arguments.overrides, arguments.config_dir)
        return hand_to_hydra()
    except Refusal as refusal:
        print(refusal_text(refusal.problems), file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt as end:
        print(reason_of(end), file=sys.stderr)
        return code_of(end)
    except BrokenPipeError:  # whoever read this, `head` for example, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        what = f"the files of this run cannot be written: {error.filename or 'the report'}"
        problem = Problem(what, error.strerror, "hydra.run.dir", "hydra.run.dir=FOLDER with room in it")
        print(refusal_text([problem]), file=sys.stderr)
        return FAILED


def refuse_what_is_not_judged(arguments: Namespace) -> None:
    """Hydra's own ways around this program's configuration, which could name any code."""
    given = [(name, instead) for name, instead in NOT_OURS.items() if getattr(arguments, name, None)]
    options = [(f"--{name.replace('_', '-')}", instead) for name, instead in given]
    if options:
        why = "it would put an unjudged configuration in the place of this program's own"
        raise Refusal([Problem(f"{option} is not taken", why, "the command line", alt) for option, alt in options])


def refuse_what_hydra_would_interpret(folder: Path) -> None:
    """A current folder whose path Hydra, which writes it into its own section, would read as a reference."""
    if "${" in str(folder):
        why = "Hydra reads ${…} in the path of a run as a reference to a value"
        raise Refusal([Problem("runs cannot be kept in this folder", why, str(folder), "one without ${ in its path")])


def hand_to_hydra() -> int:
    """Let Hydra print what it was asked for."""
    hydra.main(version_base=VERSION_BASE, config_path=str(conf_folder().resolve()), config_name="config")(print)()
    return PASSED


def run(overrides: Sequence[str], config_dir: str | None) -> int:
    """Claim the run's folder, and let Hydra log, keep its own files there and call the job."""
    config = hydra_composed(overrides, user_folders(overrides, config_dir))
    key = "hydra.run.dir"
    try:
        folder = claimed(config.hydra.run.dir, key, any(key_of(one) in ("hydra.run", key) for one in overrides))
    except (FileExistsError, NotADirectoryError) as error:
        what, why = f"{config.hydra.run.dir} cannot be made", f"{error.filename} is a file, and no folder"
        raise Refusal([Problem(what, why, key, f"{key}=ANOTHER, or remove that file")]) from None
    refuse_links_in(folder, (config.hydra.output_subdir or "", *FILES), key)
    with read_write(config), open_dict(config):
        config.hydra.run.dir, config.hydra.mode = str(folder), RunMode.RUN
    callbacks = Callbacks(config)  # none, but those that were asked for on the command line
    callbacks.on_run_start(config=config, config_name="config")
    context = HydraContext(config_loader=None, callbacks=callbacks)
    said = [one for one in overrides if not is_hydras(one)]  # by the person, whatever Hydra's section may say
    ended = run_job(partial(job, overrides=said), config, job_dir_key=key, job_subdir_key=None, hydra_context=context)
    callbacks.on_run_end(config=config, config_name="config", job_return=ended)
    if isinstance(ended._return_value, Exception):  # through its property, Hydra would announce it as an error
        raise ended._return_value
    return ended._return_value


def job(config: DictConfig, overrides: Sequence[str]) -> int:
    """The job, as Hydra calls it; its exit code."""
    settings = HydraConfig.get()
    scrub_files(settings)
    return reported(config, Path(settings.runtime.output_dir), overrides)
