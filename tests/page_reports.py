"""Reports and rows for the tests of pages: ordinary, hostile, huge, and with anything missing."""

import copy
import json
from dataclasses import fields, replace
from pathlib import Path

from aistudio.report.summary import Row

ROOT = Path(__file__).parent.parent
RELEASED = ROOT / "tests" / "released" / "0.1.0" / "report.json"
HOSTILE = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "' onmouseover='window.pwned=1",
    "</style><script>window.pwned=1</script>",
    "</title><script>window.pwned=1</script>",
    "<!-- --><iframe src=javascript:window.pwned=1>",
    "javascript:window.pwned=1",
    "{{ 7 * 7 }}{% for x in y %}",
    "a\x00b\x08c\x1b[31md\x7f\x85",
    "right\u202eexe.gnp\u2066\u2069\u200f",
    "half a pair \ud800 and \udfff",
    "line\u2028para\u2029zero\u200bwidth\ufeff",
    "données 画像 עברית العربية 🦉",
    "n" * 300,
    "https://example.org/a.png url(https://example.org/b.png) @import 'https://example.org/c.css'",
)
ALL = "\n".join(HOSTILE)


def report() -> dict:
    """A whole report, failed checks, curve, histogram, origins and sections of their own included."""
    found = json.loads(RELEASED.read_text(encoding="utf-8"))
    found["verdict"] = "failed"
    found["checks"] += [
        {
            "name": "learns_more",
            "why": "A model that cannot fit one batch cannot fit a data set.",
            "status": "failed",
            "seen": "2.3 -> 2.29 in 10 steps",
            "expected": "at most 0.1 of the first loss",
            "cause": "the learning rate is too small for this batch",
            "seconds": 1.5,
            "losses": [2.3, 2.29, 2.31, 2.28, 2.3, 2.29],
        }
    ]
    found["warnings"] = ["what the backbone receives has a standard deviation of 0.03"]
    found["arrival"] = {"low": -2.1, "high": 2.6, "counts": [1, 4, 9, 30, 22, 15, 9, 3, 2, 0]}
    found["origins"] = {"backbone.name": "conf/backbone/resnet18.yaml", "runtime.seed": "the command line"}
    found["findings"] = [{"file": "a.png", "line": 3, "what": "a box outside of its image", "severity": "error"}]
    found["weights_ledger"] = {
        "file": "w.pth",
        "tensors": [{"name": "conv1", "fate": "loaded", "shape": [64, 3, 7, 7]}],
    }
    return found


def poisoned(value, poison=ALL):
    """The same with ``poison`` in every text, as value and as key."""
    if isinstance(value, dict):
        kept = ("status", "verdict", "unit", "outcome")
        return {
            **{key: one if key in kept else poisoned(one, poison) for key, one in value.items()},
            poison: poison,
        }
    if isinstance(value, list):
        return [poisoned(one, poison) for one in value]
    return poison if isinstance(value, str) or value is None else value


def mutilated(whole: dict):
    """The report again and again, each time with one thing gone or of another type, at any depth."""
    whole = {**whole, "config": {group: whole["config"][group] for group in ("task", "backbone", "runtime")}}
    for path in paths(whole):
        for other in (
            DELETED,
            None,
            "text",
            3,
            -1.5,
            float("nan"),
            float("inf"),
            10**400,
            True,
            [],
            {},
            [None],
            {"a": []},
        ):
            broken = copy.deepcopy(whole)
            place = broken
            for step in path[:-1]:
                place = place[step]
            if other is DELETED:
                del place[path[-1]]
            else:
                place[path[-1]] = other
            yield path, broken


DELETED = object()


def paths(value, path=()):
    """The ways to everything in a report; of a list the first alone, of a configuration the first level alone."""
    entries = (
        value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    )
    for key, one in entries:
        yield (*path, key)
        if path[:1] != ("config",):
            yield from paths(one, (*path, key))


def rows(count: int, **changes) -> list[Row]:
    """Rows of a sweep: three tasks, some that did not pass."""
    return [replace(row(index), **changes) for index in range(count)]


def row(index: int) -> Row:
    """One row, other than its neighbours; every seventh did not pass."""
    speed = 20.0 + 700 * (index * 37 % 101) / 101
    numbers = {
        "parameters": 1e6 * (1 + index % 9),
        "multiply_adds": 1e8 * (1 + index % 7),
        "forward": 1 / speed,
        "forward_low": 0.9 / speed,
        "forward_high": 1.2 / speed,
        "images_per_second": speed,
        "images_per_second_low": 0.8 * speed,
        "images_per_second_high": 1.1 * speed,
        "training_step": 3 / speed,
        "training_step_low": 2.9 / speed,
        "training_step_high": 3.3 / speed,
        "peak_memory": 2.0**20 * (200 + index * 53 % 400),
        "seconds": 4.0,
    }
    outcome, reason = ("failed", "overfits_one_batch: 2.3 -> 2.29 in 10 steps") if index % 7 == 3 else ("passed", "")
    if index % 7 == 5:
        outcome, reason, numbers = (
            "broke",
            f"RuntimeError: backbone_{index:05} is out of memory",
            dict.fromkeys(numbers),
        )
    given = {
        "job": f"job-{index}",
        "task": ("classification", "regression", "segmentation")[index % 3],
        "architecture": "backbone_head",
        "backbone": f"backbone_{index:05}",
        "level": "quick",
        "seed": 0,
        "image_size": 224,
        "batch_size": 8,
        "device": "cpu (x86_64)" if outcome != "broke" else "",
        "top1": 60.0 + index * 17 % 23,
        "outcome": outcome,
        "reason": reason,
        "folder": f"sweep/job-{index}",
        **numbers,
    }
    return Row(**{field.name: given.get(field.name) for field in fields(Row)})
