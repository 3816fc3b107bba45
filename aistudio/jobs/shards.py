"""The end of a sweep over the shards of a data set: one list of findings, with duplicates across shards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aistudio.audit import as_csv, fails, merge, read_shard
from aistudio.files import shown, write_whole
from aistudio.jobs.data_audit import FINDINGS, SHARD, print_findings
from aistudio.report.terminal import Terminal, words


def conclude_shards(folders: Iterable[Path], into: Path, terminal: Terminal) -> bool:
    """Merge what audited shards have left in their jobs' folders; whether all are there and nothing spoils training.

    ``findings.csv`` is written into the folder ``into``, with a number where there are several sets. Nothing happens
    where nothing was audited in shards.
    """
    files = [folder / SHARD for folder in folders if (folder / SHARD).is_file()]
    read = {file: read_shard(file, file.parent / FINDINGS) for file in files}
    for file in (file for file, one in read.items() if one is None):
        terminal.print(words(f"{shown(file)} is no shard that can be merged", "bold red"), wrap=False)
    sound = not any(one is None for one in read.values())
    for number, merged in enumerate(merge([one for one in read.values() if one is not None])):
        print_findings(terminal, str(merged), merged.findings)
        path = into / (f"findings_{number}.csv" if number else FINDINGS)
        write_whole(path, as_csv(merged.findings))
        terminal.print(words(f"  {shown(path)}", "dim"), wrap=False)
        sound = sound and not fails(merged.findings) and not merged.missing
    return sound
