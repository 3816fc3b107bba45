"""Every file of conf/ composes, is a page for its reader, and holds only keys that are promised."""

import io
import re
import shlex
from contextlib import nullcontext
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from aistudio.config import groups, shipped
from aistudio.config.compose import compose
from aistudio.errors import Refusal
from aistudio.jobs.combinations import judged
from aistudio.safety import conf_folder

ROOT = Path(__file__).parent.parent
FILES = sorted(path for path in conf_folder.conf_folder().glob("*/*.yaml"))
DOCUMENTS = [ROOT / "README.md", *sorted(conf_folder.conf_folder().rglob("*.yaml"))]
COMMAND = re.compile(r"(?:python -m aistudio|^aistudio)[ \t]+((?:'?[+~]?[\w.@/]+=\S+[ \t]*|-m[ \t]+)+)", re.MULTILINE)


def documented_commands():
    """Every ``python -m aistudio …`` of the README and conf/, with the file it stands in."""
    for path in DOCUMENTS:
        for match in COMMAND.finditer(path.read_text(encoding="utf-8")):
            refused = "\n  why " in path.read_text(encoding="utf-8")[match.end() : match.end() + 150]
            yield pytest.param(
                shlex.split(match[1].split("#")[0]), refused, id=f"{path.name}: {' '.join(match[1].split())}"
            )


COMMANDS = [*documented_commands()]


def needed(group: str, option: str) -> list[str]:
    """Overrides under which a file of a group can be composed."""
    if group == "architecture":
        facts = shipped.section("architecture", option)
        task = facts["tasks"][0]
        return [f"architecture={option}", f"task={task}", f"backbone={shipped.fitting_backbones(task, option)[0]}"]
    if (group, option) == ("data", "own"):
        return ["data=own", "data.root=.", "data.reader._target_=torch.nn.Identity"]  # a name that anybody may say
    return [f"{group}={option}", *(["data.root=."] if group == "data" and option != "synthetic" else [])]


def test_the_lists_that_tests_run_over_are_not_empty():
    assert len(groups.options("backbone")) >= 11
    assert len(groups.options("task")) >= 7
    assert len(groups.options("architecture")) >= 25
    assert len(COMMANDS) >= 60
    assert all(groups.options(group) for group in groups.GROUPS)


@pytest.mark.sampled(28)
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_composes(path, no_torch):
    group, option = path.parent.name, path.stem
    config = compose(*needed(group, option))
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_says_what_it_is_what_it_costs_and_how_to_run_it(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    lines = [line for line in lines if "@package" not in line]
    assert len(lines[0]) > 20 and lines[0].endswith((".", ")."))
    assert lines[1].startswith(("# Costs ", "# Learns "))
    assert f"{path.parent.name}={path.stem}" in lines[2]


@pytest.fixture(scope="module")
def weights():
    """A file of weights, which is made before torch is taken away."""
    import torch

    file = io.BytesIO()
    torch.save({"fc.bias": torch.zeros(1)}, file)
    return file.getvalue()


@pytest.mark.sampled(20)
@pytest.mark.parametrize(("arguments", "refused"), COMMANDS)
def test_every_documented_command_does_what_is_shown(arguments, refused, weights, tmp_path, monkeypatch, no_torch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AISTUDIO_TRUST", "my_formats")
    for folder in ("photos", "conf", "runs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "runs" / "last.ckpt").write_bytes(weights)
    jobs = [*judged([argument for argument in arguments if argument != "-m"])]
    for job in jobs if refused else jobs[:1] + jobs[1:][-1:]:  # all are judged; the first and the last composed as well
        with pytest.raises(Refusal) if refused else nullcontext():
            compose(*job.overrides)


def keys(node, path=""):
    """Dotted names of all keys below a node."""
    for key, value in node.items():
        name = f"{path}.{key}" if path else str(key)
        yield name
        if isinstance(value, dict):
            yield from keys(value, name)


def test_config_keys_are_promises(golden):
    """Keys that an experiment repo may have written down: removing one breaks somebody."""
    promised = set(keys({"sweep": groups.tree("", "config")["sweep"]}))
    for group in groups.GROUPS:
        if group == "experiment":
            continue
        for option in groups.options(group):
            section = {group: shipped.section(group, option)}
            promised.update(
                name for name in keys(section) if not name.startswith(("backbone.taps.", "backbone.published."))
            )
    golden("config_keys.txt", "\n".join(sorted(promised)) + "\n")


def test_a_file_that_builds_on_another_holds_what_that_one_says():
    quick, full = (shipped.section("sanity", level)["checks"] for level in ("quick", "full"))
    assert set(quick) < set(full)
