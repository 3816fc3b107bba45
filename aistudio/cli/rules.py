"""``sanity=rules``: judge every combination, an experiment repository's for example, and run none; torch stays out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.text import Text

from aistudio.config.overrides import key_of, user_folders
from aistudio.errors import Problem, Refusal, refusal_text
from aistudio.files import refuse_links, shown, write_whole
from aistudio.jobs.combinations import Job, judged
from aistudio.report.ci import Judgement, as_junit, as_sarif
from aistudio.report.terminal import MARKS, Terminal, words
from aistudio.safety.conf_folder import conf_folder
from aistudio.safety.outlet import said

FITS, REFUSED = 0, 2
FORMATS: dict[str, Callable[[Sequence[Judgement]], str]] = {
    "sanity.junit": as_junit,
    "sanity.sarif": lambda judgements: as_sarif(judgements, version("aistudio")),
}


def verify(overrides: Sequence[str], config_dir: str | None) -> int:
    """Judge all that ``overrides`` span and print it; the exit code: 0 if everything fits, 2 if something does not."""
    jobs, folders = [*judged(overrides, config_dir)], user_folders(overrides, config_dir)
    names = [job.name if len(jobs) > 1 else described(job) for job in jobs]
    judgements = [
        Judgement(name, file_of(job, folders), [*job.problems, *asked_by_a_file(job, overrides)])
        for name, job in zip(names, jobs, strict=True)
    ]
    tell(judgements, jobs)
    for key, form in FORMATS.items():
        for override in overrides:
            if key_of(override) == key:
                save(Path(override.partition("=")[2].strip("'\"")), form(judgements), key)
    return REFUSED if any(one.problems for one in judgements) else FITS


def described(job: Job) -> str:
    """A combination in the names of its files."""
    names = [job.config.get(group, {}).get("name") for group in ("task", "architecture", "backbone")]
    said = (override for override in job.overrides if not override.startswith("sanity"))
    return " · ".join(filter(None, names)) or " ".join(said)


def tell(judgements: Sequence[Judgement], jobs: Sequence[Job]) -> None:
    """Print a line for every combination, and the problems of the refused ones."""
    terminal = Terminal()
    width = max(len(one.name) for one in judgements)
    for one, job in zip(judgements, jobs, strict=True):
        mark = MARKS["failed" if one.problems else "passed"]
        what = "" if len(jobs) == 1 or one.problems else described(job)
        terminal.print(Text.assemble(mark, words(f"  {one.name:<{width}}  "), words(what, "dim")), wrap=False)
    alike: dict[tuple[Problem, ...], list[Judgement]] = {}
    for one in judgements:
        alike.setdefault(tuple(one.problems), []).append(one)
    for problems, refused_alike in alike.items():
        if problems:
            titles = ", ".join(said(title(one)) for one in refused_alike)
            print(f"\n{titles}\n{refusal_text(problems)}", file=sys.stderr)
    refused = sum(bool(one.problems) for one in judgements)
    counts = ", ".join(filter(None, [f"{len(jobs) - refused} fit", f"{refused} refused" if refused else ""]))
    terminal.print(words(counts, "bold red" if refused else "bold green"))


def title(one: Judgement) -> str:
    """A combination's name, and its file where it has one."""
    return f"{one.name}  {shown(one.file)}" if one.file else one.name


def file_of(job: Job, folders: Sequence[Path]) -> Path | None:
    """The YAML file of the experiment, else of the user's own backbone, task or architecture."""
    chosen = dict(override.split("=", 1) for override in job.overrides if "=" in override)
    for group in ("experiment", "backbone", "task", "architecture"):
        for folder in (*folders, conf_folder()):
            path = folder / group / f"{chosen.get(group)}.yaml"
            if group in chosen and path.is_file() and (folder != conf_folder() or group == "experiment"):
                return path
    return None


def asked_by_a_file(job: Job, overrides: Sequence[str]) -> Iterator[Problem]:
    """A file may not say what is written where."""
    said = {key_of(override) for override in overrides}
    for key in FORMATS:
        value = job.config.get("sanity", {}).get(key.partition(".")[2])
        if value is not None and key not in said:
            why = "a file may not say what is written where"
            yield Problem(f"{key}={value} is set by a file", why, key, f"{key}=… on the command line")


def save(path: Path, text: str, key: str) -> None:
    """Write a file that was asked for, or say why not."""
    if not path.is_absolute():
        refuse_links(path.parent.absolute(), key)
    try:
        write_whole(path, text)
    except OSError as error:
        why = error.strerror or str(error)
        raise Refusal([Problem(f"{key}={path} cannot be written", why, key, "a file in a folder of yours")]) from None
    print(f"  {said(path)}")
