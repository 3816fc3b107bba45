"""Reports that were changed at random: a summary and a replay, or a refusal, and nothing else."""

import copy
import json
import random
from pathlib import Path

import hypothesis
import pytest

from aistudio.cli import replay
from aistudio.cli.main import main
from aistudio.report import files
from aistudio.report.records import SanityReport

RELEASED = Path(__file__).parent.parent / "released" / "0.1.0" / "report.json"
WHOLE = json.loads(RELEASED.read_text())
VALUES = (
    *(
        None,
        True,
        0,
        -1,
        10**30,
        1.5,
        1e999,
        float("nan"),
        "",
        "5",
        "\ud800",
        "${x}",
        "${oc.env:HOME}",
        "???",
        "\x1b[2J",
    ),
    *(
        "passed",
        "[red]",
        "9" * 5000,
        [],
        [[]],
        {},
        {"_target_": "os.system"},
        {"a": {"b": [1, {}]}},
        ["passed"],
        "é" * 999,
    ),
)


def places(node, path=()):
    """The paths to everything in a report."""
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


PLACES = [*places(WHOLE)][1:]


def mutated(seed):
    """The real report with one to four things changed, removed, renamed or wrapped; now and then half of its text."""
    chance, report = random.Random(seed), copy.deepcopy(WHOLE)
    del report["receipt"]["config_sha256"]  # or every other configuration would be refused at once
    for _ in range(chance.randint(1, 4)):
        *path, last = chance.choice(PLACES)
        node = report
        try:
            for key in path:
                node = node[key]
            value = chance.choice(VALUES)
            change = chance.choice(["set", "set", "remove", "rename", "wrap"])
            if change == "set":
                node[last] = copy.deepcopy(value)
            elif change == "wrap":
                node[last] = [node[last]]
            else:
                taken = node.pop(last)
                if change == "rename" and isinstance(node, dict):
                    node[str(value)[:50]] = taken
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    text = json.dumps(report)
    return text[: chance.randrange(len(text))] if chance.random() < 0.05 else text


@pytest.mark.slow
@hypothesis.settings(max_examples=2000, deadline=None, derandomize=True, database=None)
@hypothesis.given(seed=hypothesis.strategies.integers(0, 2**32))
def test_any_report_is_summarised_and_replayed_or_refused(seed, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    path = folder / "report.json"
    path.write_text(mutated(seed))

    def run(judged, *_):
        before = files.read(RELEASED)
        return SanityReport({}, {}, tuple(before.checks), tuple(before.measurements), before.versions, 1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "import_examine", lambda: run)
        patch.setattr("aistudio.report.plots.draw", lambda *_: [])
        assert main(["summarize", str(folder)]) in (0, 1)
        assert main(["replay", str(path)]) in (0, 1, 2)
