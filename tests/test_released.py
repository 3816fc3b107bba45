"""What users wrote down at every release goes on to work: their experiments, their keys, their reports."""

import subprocess
import sys
from pathlib import Path

import pytest

from aistudio.cli.replay import configuration, read
from aistudio.config import groups, key_problems, trust
from aistudio.config.compose import compose
from aistudio.errors import Refusal
from aistudio.report.summary import row

RELEASES = sorted((Path(__file__).parent / "released").iterdir())
EXPERIMENTS = [(release, name) for release in RELEASES for name in groups.options("experiment", release / "conf")]
IDS = [f"{release.name} {name}" for release, name in EXPERIMENTS]


def test_there_is_something_to_keep():
    assert RELEASES and len(EXPERIMENTS) >= 6


@pytest.mark.parametrize(("release", "experiment"), EXPERIMENTS, ids=IDS)
def test_experiments_of_a_release_still_fit(release, experiment, no_torch):
    compose(f"experiment={experiment}", config_dir=release / "conf")


@pytest.mark.slow
@pytest.mark.parametrize(("release", "experiment"), EXPERIMENTS, ids=IDS)
def test_experiments_of_a_release_still_pass(release, experiment, tmp_path):
    line = [sys.executable, "-m", "aistudio", "--config-dir", str(release / "conf"), f"experiment={experiment}"]
    done = subprocess.run([*line, "sanity=quick", "runtime.threads=1"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_every_key_of_a_release_is_there_or_has_a_new_name(release):
    now = set((Path(__file__).parent / "golden" / "config_keys.txt").read_text().split())
    gone = set((release / "config_keys.txt").read_text().split()) - now
    answered = {*key_problems.RENAMED, *key_problems.GONE}
    assert gone <= answered, "a key that users may have written down: say its new name in RENAMED"
    assert set(key_problems.RENAMED.values()) <= now


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_reports_of_a_release_can_be_replayed_and_summarised(release):
    assert configuration(read(release / "report.json")).cfg.backbone.name == "mobilenet_v3_small"
    found = row(release / "report.json")
    assert (found.outcome, found.backbone) == ("passed", "mobilenet_v3_small") and found.forward and found.peak_memory


def test_a_renamed_key_is_answered_with_its_name_now(monkeypatch, tmp_path, no_torch):
    monkeypatch.setitem(key_problems.RENAMED, "runtime.random_state", "runtime.seed")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "old.yaml").write_text("# @package _global_\nruntime: {random_state: 1}\n")
    for overrides, folder in ((["runtime.random_state=1"], None), (["experiment=old"], tmp_path)):
        with pytest.raises(Refusal, match="instead  runtime.seed, its name now"):
            compose(*overrides, config_dir=folder)


OLD_KEYS = {
    "sanity.economy.score_thresh=0.1": "sanity.check_mode",
    "sanity.checks.learns.steps=5": "sanity.checks.overfits_one_batch",
    "sanity.checks.neighbours_do_not_matter.relative=1": "sanity.checks.batch_independence",
}


@pytest.mark.parametrize("override", OLD_KEYS)
def test_a_key_of_a_first_user_is_answered_with_its_name_now(override, no_torch):
    with pytest.raises(Refusal, match=f"instead  {OLD_KEYS[override]}, its name now"):
        compose(override, "sanity=standard")


@pytest.mark.parametrize("old", trust.RENAMED)
def test_a_class_that_was_renamed_is_answered_with_its_name_now(old, no_torch):
    for target in (f"aistudio.checks.{old}", f"aistudio.checks.learning.{old}"):
        with pytest.raises(Refusal, match=rf"instead  aistudio\.checks\.{trust.RENAMED[old]}, its name now"):
            compose(f"+sanity.checks.mine={{_target_: {target}, why: It must.}}")


def test_every_new_name_is_there():
    assert {f"aistudio.checks.{name}" for name in trust.RENAMED.values()} <= trust.own_names()
    assert not {f"aistudio.checks.{name}" for name in trust.RENAMED} & trust.own_names()
