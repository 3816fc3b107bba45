"""``aistudio fetch backbone=… …``: bring the weights of a configuration, or of a whole sweep, onto this machine.

Overrides are those of a run; ``a,b`` and ``glob(*)`` mean several, as in a sweep. With ``weights_dir=FOLDER`` the files
go into a mirror, laid out as torch's cache. Exit codes: 0 all are there, 1 one could not be had, 2 refused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import DownloadColumn, Progress

from aistudio.cli.line import Parser
from aistudio.config.typed import as_typed
from aistudio.config.weights import choices
from aistudio.errors import FAILED, PASSED, Refusal
from aistudio.files import file_digest
from aistudio.jobs.combinations import judged
from aistudio.weights.download import Failed, download
from aistudio.weights.places import find, folders
from aistudio.weights.published import Published


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, or only list; the exit code."""
    parser = Parser("aistudio fetch", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "overrides", nargs="*", help="as for a run or a sweep: backbone=resnet50 backbone.weights=DEFAULT"
    )
    parser.add_argument("--config-dir", help="a folder with groups of your own")
    parser.add_argument("--list", action="store_true", help="say which files are needed and where they are; fetch none")
    parser.add_argument("--from", dest="source", help="the address of a mirror that serves the files by name")
    given = parser.parse_intermixed_args(arguments)
    needed = wanted(given.overrides, given.config_dir)
    if not needed:
        print("no pretrained weights are asked for (backbone.weights=DEFAULT asks for some)")
        return PASSED
    return max(bring(weights, mirror, given.list, given.source) for weights, mirror in needed)


def wanted(overrides: Sequence[str], config_dir: str | None) -> list[tuple[Published, str | None]]:
    """The published weights that these overrides ask for, each once, with the mirror that they name.

    Raises `Refusal` for what the rules refuse in any of the combinations; that a file is absent is no such thing here.
    """
    found: dict[tuple[str, str | None], tuple[Published, str | None]] = {}
    for job in judged([*as_typed(overrides, config_dir, several=True), "offline=false"], config_dir):
        if job.problems:
            raise Refusal(job.problems)
        for choice in choices(job.config):
            if choice.published:
                mirror = job.config.get("weights_dir")
                found[choice.published.file, mirror] = (choice.published, mirror)
    return [*found.values()]


def bring(weights: Published, mirror: str | None, only_list: bool, source: str | None) -> int:
    """Fetch one file, or say where it is; the exit code."""
    there = find(weights, mirror)
    if there or only_list:
        fault = wrong(there, weights) if there else ""
        state = f"{there}{fault and f': {fault}'}" if there else "not on this machine"
        print(f"{'✗' if fault else '✓' if there else '–'} {weights.file}  {weights.megabytes:.1f} MB  {state}")
        return FAILED if fault else PASSED
    url = f"{source.rstrip('/')}/{weights.file}" if source else weights.url
    target = next(folders(mirror)) / weights.file
    try:
        with _Bar(weights.file) as bar:
            download(url, target, weights.hash, progress=bar)
    except Failed as failed:
        print(f"✗ {weights.file}  {failed}", file=sys.stderr)
        return FAILED
    print(f"✓ {weights.file}  {weights.megabytes:.1f} MB  {target}")
    return PASSED


def wrong(path: Path, weights: Published) -> str:
    """What is wrong with a file that is there, or ""."""
    found = file_digest(path)
    return (
        "" if found.startswith(weights.hash) else f"its SHA-256 begins with {found[:8]}, not {weights.hash}; delete it"
    )


class _Bar:
    """A bar for one file, on a terminal; called with the bytes that are there and how many there will be."""

    def __init__(self, name: str):
        self.progress = Progress(*Progress.get_default_columns(), DownloadColumn(), disable=not sys.stderr.isatty())
        self.task = self.progress.add_task(name, total=None)

    def __enter__(self) -> _Bar:
        self.progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.progress.stop()

    def __call__(self, done: int, total: int | None) -> None:
        """Move the bar."""
        self.progress.update(self.task, completed=done, total=total)
