"""``aistudio GROUP=NAME …``: one run, a sweep with ``-m``, or what Hydra has to show; no command's word before it."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import hydra
from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.types import HydraContext, RunMode
from hydra.version import setbase
from omegaconf import DictConfig, open_dict, read_write

from aistudio.cli.completion import complete
from aistudio.cli.line import flags, parsed
from aistudio.cli.main import COMMANDS
from aistudio.config.compose import Judged, composition, judge
from aistudio.config.hydra import VERSION_BASE
from aistudio.config.overrides import is_hydras, key_of
from aistudio.config.trust import fault_code
from aistudio.config.typed import as_typed
from aistudio.errors import PASSED, Problem, Refusal
from aistudio.files import claimed, refuse_links_in
from aistudio.jobs.job import FILES, begin, own_folders, reported, scrub_files
from aistudio.jobs.track import track
from aistudio.report.terminal import Terminal
from aistudio.safety.conf_folder import conf_folder

_QUERIES = {"query=bash", "query=fish"}  # asked by a shell whose line is in the environment; zsh asks as bash
_INSPECT = ("help", "hydra_help", "cfg", "info", "shell_completion")
_NOT_OURS = {  # options of Hydra's that would run what nobody has judged, and what to take instead
    "config_name": "--config-dir FOLDER, with groups of your own in it; or an application of your own",
    "config_path": "--config-dir FOLDER, with groups of your own in it; or an application of your own",
    "experimental_rerun": "aistudio replay report.json",
}


def main(arguments: Sequence[str]) -> int:
    """Run once or as a sweep, or show a configuration; the exit code."""
    given = parsed(arguments)
    typed = as_typed(given.overrides, given.config_dir, several=given.multirun)
    line = replaced(arguments, dict(zip(given.overrides, typed, strict=True)))
    given.overrides = typed
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # a bug of ours keeps its traceback
    _refuse_what_is_not_judged(given)
    _refuse_what_is_a_command(given)
    if _QUERIES.intersection(given.overrides) and given.shell_completion and complete(COMMANDS, flags()):
        return PASSED
    if any(getattr(given, name, None) for name in _INSPECT):
        if (given.cfg or given.info) and not given.multirun:
            composition(given.overrides, given.config_dir)  # which says in our words what cannot be shown
        return _hand_to_hydra(line)
    refuse_what_hydra_would_interpret(Path.cwd())
    if given.multirun:
        from aistudio.jobs.sweep import sweep

        return sweep(given.overrides, given.config_dir)
    found = composition(given.overrides, given.config_dir)
    judged = judge(found)  # before Hydra makes a folder and before torch is imported
    return run(found.whole, judged, given.overrides)


def replaced(line: Sequence[str], overrides: Mapping[str, str]) -> list[str]:
    """A line with its overrides as they are read."""
    return [overrides.get(one, one) for one in line]


def _refuse_what_is_not_judged(given: Namespace) -> None:
    """Hydra's own ways around this program's configuration, which could name any code."""
    names = [(name, instead) for name, instead in _NOT_OURS.items() if getattr(given, name, None)]
    options = [(f"--{name.replace('_', '-')}", instead) for name, instead in names]
    if options:
        why = "it would put an unjudged configuration in the place of this program's own"
        raise Refusal([Problem(f"{option} is not taken", why, "the command line", alt) for option, alt in options])


def _refuse_what_is_a_command(given: Namespace) -> None:
    """A command's word that does not come first, and ``sanity=rules``, as it was once said; with what to type."""
    options = ["--config-dir", given.config_dir] if given.config_dir else []
    for word in [one for one in given.overrides if one in COMMANDS]:
        others = [one for one in given.overrides if one != word]
        instead = shlex.join(["aistudio", word, *options, *others])
        raise Refusal([Problem(f"{word} does not come first", "it is a command", "the command line", instead)])
    if "sanity=rules" in given.overrides:
        files = {"sanity.junit": "--junit", "sanity.sarif": "--sarif"}
        others = [one for one in given.overrides if key_of(one) not in ("sanity", *files)]
        for one in (one for one in given.overrides if key_of(one) in files):
            options += [files[key_of(one)], one.partition("=")[2].strip("'\"")]
        what, instead = "sanity=rules is a command of its own", shlex.join(["aistudio", "rules", *options, *others])
        raise Refusal([Problem(what, "it judges and runs nothing", "the command line", instead)])


def refuse_what_hydra_would_interpret(folder: Path) -> None:
    """A current folder whose path Hydra, which writes it into its own section, would read as a reference."""
    if "${" in str(folder):
        why = "Hydra reads ${…} in the path of a run as a reference to a value"
        raise Refusal([Problem("runs cannot be kept in this folder", why, str(folder), "one without ${ in its path")])


def _hand_to_hydra(line: Sequence[str]) -> int:
    """Let Hydra print what it was asked for."""
    sys.argv[1:] = line  # where Hydra looks
    hydra.main(version_base=VERSION_BASE, config_path=str(conf_folder().resolve()), config_name="config")(print)()
    return PASSED


def run(config: DictConfig, judged: Judged, overrides: Sequence[str]) -> int:
    """Claim the run's folder, and let Hydra log, keep its own files there and call the job; the exit code."""
    key = "hydra.run.dir"
    try:
        folder = claimed(config.hydra.run.dir, key, any(key_of(one) in ("hydra.run", key) for one in overrides))
    except OSError as error:
        at = error.filename or config.hydra.run.dir
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        why = f"{at} is a file, and no folder" if is_file else f"{at}: {error.strerror or error}"
        instead = f"{key}=ANOTHER{', or remove that file' * is_file}"
        raise Refusal([Problem(f"{config.hydra.run.dir} cannot be made", why, key, instead)]) from None
    refuse_links_in(folder, (config.hydra.output_subdir or "", *FILES), key)
    with read_write(config), open_dict(config):
        config.hydra.run.dir, config.hydra.mode = str(folder), RunMode.RUN
    callbacks = Callbacks(config)  # none, but those that were asked for on the command line
    callbacks.on_run_start(config=config, config_name="config")
    context = HydraContext(config_loader=cast(ConfigLoader, None), callbacks=callbacks)  # one job composes nothing more
    said = [one for one in overrides if not is_hydras(one)]  # by the person, whatever Hydra's section may say
    task = partial(job, judged=judged, overrides=said)
    setbase(VERSION_BASE)  # what run_job goes by
    ended = run_job(task, config, job_dir_key=key, job_subdir_key=None, hydra_context=context)
    callbacks.on_run_end(config=config, config_name="config", job_return=ended)
    if isinstance(ended._return_value, Exception):  # through its property, Hydra would announce it as an error
        raise ended._return_value
    return ended._return_value


def job(config: DictConfig, judged: Judged, overrides: Sequence[str]) -> int:
    """The job, as Hydra calls it; its exit code."""
    settings = cast(DictConfig, HydraConfig.get())
    scrub_files(settings)
    folder = Path(settings.runtime.output_dir)
    begin(config, folder, overrides, own_folders(settings))
    try:
        code = reported(config, folder, overrides, judged)
    except SystemExit as end:
        print(f"a library has ended the process: SystemExit: {end}", file=sys.stderr)
        return fault_code(end)
    track([folder], judged.values.get("track"), Terminal())
    return code
