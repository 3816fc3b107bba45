"""Which check catches which planted bug, and what each check costs: bugs x checks, and healthy models beside.

python benchmarks/kill_matrix.py                          # every bug of benchmarks/bugs at sanity=full, tiny models
python benchmarks/kill_matrix.py --base resnet18          # planted in models built on torchvision's ResNet-18
python benchmarks/kill_matrix.py --family optimisation    # families whose names hold a word; --only: bugs
python benchmarks/kill_matrix.py --peer                   # the same bugs in front of Lightning's smoke tests
python benchmarks/kill_matrix.py --markdown table.md      # the tables of docs/checks.md
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

sys.path += [str(Path(__file__).parent.parent / "tests"), str(Path(__file__).parent)]
from bugs import BASE, FAMILIES, HEALTHY, Bug
from bugs.peer import complaint
from hydra.utils import instantiate

from aistudio.checks.raised import finding
from aistudio.config.compose import compose

PATIENCE = ("architecture.learning.steps=60", "architecture.learning.ratio=0.5")  # the models are tiny


@dataclass
class Seen:
    """What one subject brought: failed checks with their words, and the seconds of every check."""

    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def battery(level: str) -> dict:
    if level == "none":  # the peer alone
        return {}
    cfg = compose(f"sanity={level}", "backbone=resnet18", *PATIENCE)
    chosen = {
        name: node for name, node in cfg.sanity.checks.items() if name != "generalizes"
    }  # which trains for seconds
    return {name: instantiate(node, _convert_="all") for name, node in chosen.items()}


def examined(subject: object, checks: Mapping) -> Seen:
    """Every check on one subject, as a sanity run does it."""
    seen = Seen()
    for name, check in checks.items():
        torch.manual_seed(subject.seed)
        started = time.perf_counter()
        try:
            outcome = check(subject)
        except Exception as error:
            outcome = finding(error)
        seen.seconds[name] = time.perf_counter() - started
        if outcome.status == "failed":
            seen.failed[name] = f"{outcome.seen} ({outcome.cause})"
    return seen


def restored() -> None:
    """What a bug may have left behind in this process."""
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    torch.autograd.set_detect_anomaly(False)
    torch.set_num_threads(1)


def built(bug: Bug, checks: Mapping) -> Seen:
    try:
        return examined(bug.subject(), {**checks, **bug.own})
    except Exception as error:  # the bug keeps the model or its batch from being made at all
        return Seen({"assemble": str(error)})


def matrix(families: Mapping[str, list[Bug]], checks: Mapping, verbose: bool) -> dict[str, dict[Bug, Seen]]:
    found: dict[str, dict[Bug, Seen]] = defaultdict(dict)
    for family, bugs in families.items():
        for bug in bugs:
            restored()
            seen = found[family][bug] = built(bug, checks)
            mark = "caught " if caught(bug, seen) else "noticed" if seen.failed else "unseen "
            by = "; ".join(f"{name}: {words}" for name, words in seen.failed.items()) if verbose else list(seen.failed)
            print(f"{mark} {family:30} {bug.name:45} {by}", flush=True)
    restored()
    return found


def caught(bug: Bug, seen: Seen) -> bool:
    """Whether a check failed that names the cause."""
    return bool({*bug.checks.split(), "assemble"} & seen.failed.keys())


def alarms(checks: Mapping, seeds: int) -> dict[str, Seen]:
    """What the checks say of healthy models."""
    names = [(name, seed) for name in HEALTHY for seed in range(seeds)]
    found = {}
    for name, seed in names:
        subject = HEALTHY[name]()
        subject.seed, subject.built = seed, subject.rebuild(seed)
        found[f"{name} {seed}"] = examined(subject, checks)
    return found


def tables(found: Mapping[str, dict[Bug, Seen]], healthy: Mapping[str, Seen], peer: Mapping[Bug, str]) -> str:
    """Shares by family; checks with what they catch and cost; bugs that pass. Markdown."""
    beside = " | Lightning" if peer else ""
    lines = [
        f"| family | bugs | caught by a check that names the cause | noticed by any check{beside} |",
        "| --- " * (5 if peer else 4) + "|",
    ]
    total: Counter[str] = Counter()
    for family, bugs in found.items():
        visible = [bug for bug in bugs if not bug.unseen]
        row = Counter(
            bugs=len(visible),
            caught=sum(caught(bug, bugs[bug]) for bug in visible),
            noticed=sum(bool(bugs[bug].failed) for bug in visible),
            peer=sum(bool(peer.get(bug)) for bug in visible),
        )
        total.update(row)
        lines.append(shares(family, row, bool(peer)))
    lines += [shares("all", total, bool(peer)), ""]
    return "\n".join([*lines, *by_check(found, healthy), "", *passing(found)]) + "\n"


def shares(family: str, row: Counter[str], peer: bool) -> str:
    cells = [row["caught"], row["noticed"]] + [row["peer"]] * peer
    return f"| {family} | {row['bugs']} | " + " | ".join(f"{n} ({100 * n / row['bugs']:.0f} %)" for n in cells) + " |"


def by_check(found: Mapping[str, dict[Bug, Seen]], healthy: Mapping[str, Seen]) -> list[str]:
    seen = [one for bugs in found.values() for one in bugs.values()]
    lines = [
        "| check | bugs that fail it | bugs that only it fails | share of the time on healthy models | alarms |",
        "| --- | --- | --- | --- | --- |",
    ]
    whole = sum(sum(one.seconds.values()) for one in healthy.values()) or 1
    for name in next(iter(healthy.values())).seconds if healthy else ():
        fails = sum(name in one.failed for one in seen)
        alone = sum([name] == list(one.failed) for one in seen)
        cost = sum(one.seconds[name] for one in healthy.values()) / whole
        wrong = sum(name in one.failed for one in healthy.values())
        lines.append(f"| `{name}` | {fails} | {alone} | {100 * cost:.1f} % | {wrong} of {len(healthy)} |")
    return lines


def passing(found: Mapping[str, dict[Bug, Seen]]) -> list[str]:
    """The bugs that no check named."""
    lines = ["| passes, or fails another check only | why |", "| --- | --- |"]
    for bugs in found.values():
        for bug, seen in bugs.items():
            if not caught(bug, seen):
                by = ", ".join(f"`{name}`" for name in seen.failed)
                lines.append(f"| {bug.name} | {bug.unseen or (f'fails {by}' if by else 'not seen')} |")
    return lines


def chosen_families(words: list[str], only: list[str]) -> dict[str, list[Bug]]:
    """The families whose names hold one of the words, with the bugs whose names do."""
    families = {name: bugs for name, bugs in FAMILIES.items() if not words or any(word in name for word in words)}
    picked = {name: [bug for bug in bugs if not only or any(word in bug.name for word in only)]
              for name, bugs in families.items()}  # fmt: skip
    return {name: bugs for name, bugs in picked.items() if bugs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", default="full", choices=["none", "quick", "standard", "full"])
    parser.add_argument("--base", default="tiny")
    parser.add_argument("--family", nargs="*", default=[])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=3, help="of the healthy models")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--markdown", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    BASE["name"] = chosen.base
    checks, families = battery(chosen.level), chosen_families(chosen.family, chosen.only)
    found = matrix(families, checks, chosen.verbose)
    healthy = alarms(checks, chosen.seeds)
    for name, seen in healthy.items():
        if seen.failed:
            print(f"ALARM  {name}: {seen.failed}")
    peer = peered(families) if chosen.peer else {}
    for bug, words in peer.items():
        print(f"{'complains' if words else 'silent'} {bug.name}: {words[:100]}")
    text = tables(found, healthy, peer)
    print(text)
    if chosen.markdown:
        chosen.markdown.write_text(text, encoding="utf-8")


def peered(families: Mapping[str, list[Bug]]) -> dict[Bug, str]:
    """What Lightning says of each bug, and of the healthy models."""
    logging.getLogger("lightning").setLevel(logging.ERROR)
    found = {}
    for bug in (bug for bugs in families.values() for bug in bugs):
        restored()
        with contextlib.redirect_stdout(io.StringIO()):
            found[bug] = complaint(bug.subject)
    restored()
    said = {name: complaint(make) for name, make in HEALTHY.items()}
    print("Lightning on healthy models:", {name: words for name, words in said.items() if words} or "nothing")
    return found


if __name__ == "__main__":
    main()
