"""Judge combinations of files and values by the rules, an experiment repository's for example, and run none.

Without an override every experiment in conf/ is judged, or in the folder that is given. It costs half a second, and a
tenth of a second for every further experiment: torch stays out. Nothing is written but the files that are asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.text import Text

import aistudio
from aistudio.cli.line import Parser
from aistudio.config.groups import options
from aistudio.config.overrides import quoted, user_folders
from aistudio.config.typed import as_typed
from aistudio.errors import PASSED, REFUSED, Problem, Refusal
from aistudio.files import refuse_links, shown, write_whole
from aistudio.jobs.combinations import Job, judged
from aistudio.report import refusals
from aistudio.report.ci import Judgement, as_junit, as_sarif
from aistudio.report.terminal import MARKS, Terminal, words
from aistudio.safety.conf_folder import conf_folder
from aistudio.safety.outlet import said

FORMATS: dict[str, Callable[[Sequence[Judgement]], str]] = {
    "--junit": as_junit,
    "--sarif": lambda judgements: as_sarif(judgements, aistudio.__version__),
}


def main(arguments: Sequence[str]) -> int:
    """Judge what is asked for and print it; the exit code: 0 if everything fits, 2 if something does not."""
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser("aistudio rules", description=__doc__, formatter_class=form)
    parser.add_argument("overrides", nargs="*", metavar="GROUP=NAME", help="as of a run; several values: all of them")
    parser.add_argument("--config-dir", metavar="FOLDER", help="with groups of your own in it; conf, if it is there")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="for a CI's table of tests, as JUnit XML")
    parser.add_argument("--sarif", type=Path, metavar="FILE", help="for a code host: each problem beside its line")
    given = parser.parse_intermixed_args(arguments)
    own = Path("conf").is_dir() and not Path("conf").samefile(conf_folder())
    config_dir = given.config_dir or ("conf" if own and not given.overrides else None)
    overrides = as_typed(given.overrides, config_dir, several=True) or [_every_experiment(config_dir)]
    return judge(overrides, config_dir, {"--junit": given.junit, "--sarif": given.sarif})


def _every_experiment(config_dir: str | None) -> str:
    """The override that spans the experiments of a folder, or those that ship where it has none."""
    names = options("experiment", Path(config_dir)) if config_dir else []
    return f"experiment={','.join(map(quoted, names))}" if names else "experiment=glob(*)"


def judge(overrides: Sequence[str], config_dir: str | None, files: Mapping[str, Path | None]) -> int:
    """Judge all that ``overrides`` span, print it and write the files; the exit code."""
    jobs, folders = [*judged(overrides, config_dir)], user_folders(overrides, config_dir)
    names = [job.name if len(jobs) > 1 else described(job) for job in jobs]
    judgements = [Judgement(name, file_of(job, folders), job.problems) for name, job in zip(names, jobs, strict=True)]
    tell(judgements, jobs)
    for option, path in files.items():
        if path is not None:
            save(path, FORMATS[option](judgements), option)
    return REFUSED if any(one.problems for one in judgements) else PASSED


def described(job: Job) -> str:
    """A combination in the names of its files."""
    names = [job.config.get(group, {}).get("name") for group in ("task", "architecture", "backbone")]
    return " · ".join(filter(None, names)) or " ".join(job.overrides)


def tell(judgements: Sequence[Judgement], jobs: Sequence[Job]) -> None:
    """Print a line for every combination, and the problems of the refused ones."""
    terminal = Terminal()
    width = max(len(one.name) for one in judgements)
    for one, job in zip(judgements, jobs, strict=True):
        mark = MARKS["failed" if one.problems else "passed"]
        what = "" if len(jobs) == 1 or one.problems else described(job)
        terminal.print(Text.assemble(mark, words(f"  {one.name:<{width}}  "), words(what, "dim")), wrap=False)
    for titles, problems in once(judgements):
        print(f"\n{', '.join(titles)}", file=sys.stderr)
        refusals.tell(problems, headline=False)
    refused = sum(bool(one.problems) for one in judgements)
    counts = ", ".join(filter(None, [f"{len(jobs) - refused} fit", f"{refused} refused" if refused else ""]))
    terminal.print(words(counts, "bold red" if refused else "bold green"))


def once(judgements: Sequence[Judgement]) -> Iterator[tuple[Sequence[str], Sequence[Problem]]]:
    """Every refusal once, below the titles of all that it is of; those of the same combinations are together."""
    answers: dict[tuple[object, ...], tuple[dict[str, None], dict[Problem, None]]] = {}
    for one in judgements:
        for problem in one.problems:
            answer = (problem.why, problem.rows, problem.where, problem.instead)
            titles, problems = answers.setdefault(answer, ({}, {}))
            titles[said(title(one))] = problems[problem] = None
    together: dict[tuple[str, ...], list[Problem]] = {}
    for titles, problems in answers.values():
        together.setdefault((*titles,), []).extend(problems)
    yield from together.items()


def title(one: Judgement) -> str:
    """A combination's name, and its file where it has one."""
    return f"{one.name}  {shown(one.file)}" if one.file else one.name


def file_of(job: Job, folders: Sequence[Path]) -> Path | None:
    """The YAML file of the experiment, else of the user's own backbone, task or architecture."""
    chosen = dict(override.split("=", 1) for override in job.overrides if "=" in override)
    for group in ("experiment", "backbone", "task", "architecture"):
        for folder in (*folders, *([conf_folder()] if group == "experiment" else [])):
            for name in options(group, folder):
                if chosen.get(group) in (name, quoted(name)):
                    return folder / group / f"{name}.yaml"
    return None


def save(path: Path, text: str, option: str) -> None:
    """Write a file that was asked for, or say why not."""
    if not path.is_absolute():
        refuse_links(path.parent.absolute(), option)
    try:
        write_whole(path, text)
    except OSError as error:
        why = error.strerror or str(error)
        what = f"{option} {path} cannot be written"
        raise Refusal([Problem(what, why, option, "a file in a folder of yours")]) from None
    print(f"  {said(path)}")
