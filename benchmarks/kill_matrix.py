"""Which check catches which planted bug, and what each check costs: bugs x checks, healthy models beside, and a peer.

python benchmarks/kill_matrix.py                        # every bug at sanity=full; about an hour of one core
python benchmarks/kill_matrix.py --rows rows.jsonl      # keeps what was tried, a line each, and tries it no more
python benchmarks/kill_matrix.py --family apart         # families whose names hold a word; --only: bugs
python benchmarks/kill_matrix.py --named --peer         # the checks that name the cause, and Lightning
python benchmarks/kill_matrix.py --page docs/kill_matrix.md  # the page of what was tried
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path += [str(Path(__file__).parent.parent / "tests"), str(Path(__file__).parent)]
from bugs import BASE, FAMILIES, HEALTHY, Bug
from bugs.peer import complaint
from bugs.tables import HEALTHY_FAMILY, SHIPPED_FAMILY, Row, caught, page
from hydra.utils import instantiate

from aistudio.assembly.prepare import make_subject
from aistudio.assembly.problems import task_or_problems
from aistudio.checks.raised import finding
from aistudio.checks.subject import Subject
from aistudio.config.compose import compose, settle

PATIENCE = ("architecture.learning.steps=60", "architecture.learning.ratio=0.5")  # the models are tiny


def battery(level: str) -> dict[str, Any]:
    """The checks of a level by name, but for `generalizes`, which trains for seconds: its bugs bring their own."""
    if level == "none":
        return {}
    cfg = compose(f"sanity={level}", "backbone=resnet18", *PATIENCE)
    chosen = {name: node for name, node in cfg.sanity.checks.items() if name != "generalizes"}
    return {name: instantiate(node, _convert_="all") for name, node in chosen.items()}


def examined(make: Callable[[], Subject], checks: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, float]]:
    """Every check on one subject, as a sanity run does it: what failed, and the CPU seconds of each."""
    failed: dict[str, str] = {}
    seconds: dict[str, float] = {}
    try:
        subject = make()
    except Exception as error:  # the bug keeps the model or its batch from being made at all
        return {"assemble": str(error)}, {}
    for name, check in checks.items():
        torch.manual_seed(subject.seed)
        started = time.process_time()
        try:
            outcome = check(subject)
        except Exception as error:
            outcome = finding(error)
        seconds[name] = round(time.process_time() - started, 4)
        if outcome.status == "failed":
            failed[name] = f"{outcome.seen} ({outcome.cause})"
    return failed, seconds


def restored() -> None:
    """What a bug may have left behind in this process."""
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    torch.autograd.set_detect_anomaly(False)
    torch.set_num_threads(1)


def asked_peer(make: Callable[[], Subject]) -> str:
    """What Lightning's smoke tests complain about; "" where they are content."""
    restored()
    with contextlib.redirect_stdout(io.StringIO()):
        return complaint(make)


def shipped(name: str, task: str) -> Subject:
    """A backbone that ships, as `sanity=quick` takes it."""
    restored()
    judged = settle(compose(f"backbone={name}", f"task={task}", "sanity=quick"))
    return make_subject(judged, task_or_problems(judged)[0])


def tried(chosen: argparse.Namespace, known: set[tuple[str, str]]) -> Iterator[Row]:
    """A row for every bug and every healthy model that is asked for and not known yet."""
    checks = battery(chosen.level)
    for family, bugs in FAMILIES.items():
        for bug in bugs if wanted(family, chosen.family) else ():
            if (family, bug.name) not in known and wanted(bug.name, chosen.only):
                yield of_bug(family, bug, checks, chosen)
    healthy = {} if chosen.only else HEALTHY
    for name, make in healthy.items():
        for seed in range(chosen.seeds if (HEALTHY_FAMILY, f"{name} 0") not in known else 0):
            restored()
            failed, seconds = examined(partial(seeded, make, seed), checks)
            yield Row(
                HEALTHY_FAMILY, f"{name} {seed}", "", "", failed, seconds, asked_peer(make) if chosen.peer else None
            )
    for name in chosen.shipped:
        if (SHIPPED_FAMILY, name) not in known:
            yield Row(SHIPPED_FAMILY, name, peer=asked_peer(partial(shipped, name, "classification")))


def of_bug(family: str, bug: Bug, checks: Mapping[str, Any], chosen: argparse.Namespace) -> Row:
    """What the checks, or those alone that are there for it, and the peer say of a bug."""
    restored()
    given = {**checks, **bug.own}
    if chosen.named:
        given = {name: check for name, check in given.items() if name in bug.checks.split()}
    failed, seconds = examined(bug.subject, given)
    peer = asked_peer(bug.subject) if chosen.peer else None
    return Row(family, bug.name, bug.checks, bug.unseen, failed, seconds, peer)


def seeded(make: Callable[[], Subject], seed: int) -> Subject:
    """A healthy subject, from other random numbers."""
    subject = make()
    subject.seed, subject.built = seed, subject.rebuild(seed)
    return subject


def wanted(name: str, words: list[str]) -> bool:
    """Whether a name holds one of the words, or none is asked for."""
    return not words or any(word in name for word in words)


def in_words(row: Row) -> str:
    """A row as a line of the terminal."""
    mark = "caught" if caught(row) else "noticed" if row.failed else "passes"
    peer = "" if row.peer is None else f"; the peer: {row.peer[:60] or 'silent'}"
    return f"{mark:7} {row.family}: {row.name} {', '.join(row.failed)}{peer}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", default="full", choices=["none", "quick", "standard", "full"])
    parser.add_argument("--base", default="tiny", help="the backbone that bugs are planted on: tiny, resnet18, …")
    parser.add_argument("--family", nargs="*", default=[])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--named", action="store_true", help="only the checks that a bug says name its cause")
    parser.add_argument("--seeds", type=int, default=3, help="of the healthy models")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--shipped", nargs="*", default=[], help="backbones to put in front of the peer")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--page", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning").setLevel(logging.ERROR)
    BASE["name"] = chosen.base
    kept = chosen.rows.read_text(encoding="utf-8").splitlines() if chosen.rows and chosen.rows.is_file() else []
    rows = [Row(**json.loads(line)) for line in kept]
    for row in tried(chosen, {(row.family, row.name) for row in rows}):
        rows.append(row)
        print(in_words(row), flush=True)
        if chosen.rows:
            with chosen.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(vars(row)) + "\n")
    if chosen.page:
        chosen.page.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
