"""A run is composed and judged once, and what ends it otherwise than a verdict has its exit code and its report."""

import ast
import json
import sys
import typing
from pathlib import Path

import pytest

from aistudio import forecast
from aistudio.assembly import model, parts, prepare, problems
from aistudio.cli.main import main
from aistudio.config import compose, rules
from aistudio.config.trust import fault_code
from aistudio.errors import BUG, FAILED

SMALL = ["backbone=mobilenet_v3_small", "sanity=quick", "sanity.image_size=64", "task.image_size=64"]
SMALL += ["runtime.threads=1", "runtime.device=cpu", "hydra.run.dir=out"]
PACKAGE = Path(compose.__file__).parent.parent


@pytest.fixture
def counted(monkeypatch):
    """Counts the calls of a function, wherever it was imported to."""
    counts = {}

    def count(name, *places):
        counts[name] = 0
        for place in places:
            original = getattr(place, name)

            def counting(*given, original=original):
                counts[name] += 1
                return original(*given)

            monkeypatch.setattr(place, name, counting)

    count("hydra_composed", compose)
    count("judge", rules)
    count("build_task", parts, problems)
    count("build_source", prepare)
    return counts


def test_a_run_is_composed_and_judged_once_and_its_task_built_once(counted, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(SMALL) == 0
    assert counted == {"hydra_composed": 1, "judge": 1, "build_task": 1, "build_source": 1}


def test_so_is_what_another_program_asks_for(counted):
    from aistudio import assemble

    config = compose.compose("backbone=mobilenet_v3_small")
    counted.update(dict.fromkeys(counted, 0))
    assemble(config)
    assert counted == {"hydra_composed": 0, "judge": 1, "build_task": 1, "build_source": 0}


def test_builders_take_what_was_judged_and_nothing_else():
    builders = [parts.build_task, parts.build_source, parts.build_optimizer, parts.build_checks, model.build_model]
    for build in (*builders, model.built, prepare.make_subject, problems.task_or_problems, forecast.workload):
        assert typing.get_type_hints(build)["judged"] is compose.Judged, build
        with pytest.raises((AttributeError, TypeError)):
            build(*[compose.compose()] * (build.__code__.co_argcount - len(build.__defaults__ or ())))
    assert not issubclass(compose.Settled, compose.Judged), "resolved is not judged"


def test_only_judging_makes_what_was_judged():
    makers = {}
    for path in PACKAGE.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for node in ast.walk(function) if isinstance(function, ast.FunctionDef) else ():
                if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Judged":
                    makers.setdefault(path.name, set()).add(function.name)
    assert makers == {"compose.py": {"judge", "settle"}, "part.py": {"model_settings"}}


def test_what_was_judged_cannot_be_changed_in_passing():
    judged = compose.settle(compose.compose())
    with pytest.raises(Exception, match="read-only"):
        judged.cfg.runtime.seed = 7
    with pytest.raises(Exception, match="cannot assign"):
        judged.values = {}


# ---- what nobody expected ----


def broken(*_, **__):
    raise KeyError("ours")


def test_a_bug_is_exit_code_3_with_its_traceback_on_stderr_and_in_the_report(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aistudio.jobs.job.import_examine", lambda: broken)
    assert main(SMALL) == BUG == 3
    printed = capsys.readouterr().err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["verdict"], report["reason"]) == ("broke", "KeyError: 'ours'")
    for text in (printed, report["traceback"]):
        assert "Traceback" in text and "in broken" in text and "KeyError: 'ours'" in text


@pytest.mark.parametrize("command", [["catalog"], ["rules"], ["summarize", "."]])
def test_so_it_is_in_every_command(command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aistudio.report.terminal.Terminal.print", broken)
    (tmp_path / "report.json").write_text("{}")
    assert main(command) == BUG and "in broken" in capsys.readouterr().err


def test_in_a_sweep_it_is_the_jobs_and_takes_nothing_from_the_others(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aistudio.jobs.job.import_examine", lambda: broken)
    assert main(["-m", *SMALL[:-1], "runtime.seed=0,1", "hydra.sweep.dir=out"]) == FAILED
    for seed in (0, 1):
        report = json.loads((tmp_path / "out" / f"runtime.seed={seed}" / "report.json").read_text())
        assert report["verdict"] == "broke" and "in broken" in report["traceback"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("trust", "code"), [("", BUG), ("torch_like", BUG), ("hydra,aistudio", BUG), ("theirs", FAILED)]
)
def test_what_trusted_code_raises_is_no_bug_of_ours(trust, code, monkeypatch, tmp_path):
    monkeypatch.setenv("AISTUDIO_TRUST", trust)
    (tmp_path / "theirs.py").write_text("def broken(*_, **__):\n    raise KeyError('theirs')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    import theirs

    monkeypatch.setattr("aistudio.jobs.job.import_examine", lambda: theirs.broken)
    assert main(SMALL) == code
    del sys.modules["theirs"]


def test_who_raises_from_trusted_code_is_not_at_fault(monkeypatch):
    monkeypatch.setenv("AISTUDIO_TRUST", __name__.split(".")[0])
    try:
        try:
            broken()
        except KeyError as cause:
            raise RuntimeError("a library's") from cause
    except RuntimeError as error:
        assert fault_code(error) == FAILED and fault_code(error.__cause__) == FAILED
    assert fault_code(RuntimeError()) == BUG and fault_code(SystemExit(0)) == FAILED


@pytest.mark.sampled(2)
@pytest.mark.parametrize("said", [0, None, 7, "words"])
def test_a_library_that_ends_the_process_has_not_passed(said, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aistudio.jobs.job.import_examine", lambda: lambda *_, **__: sys.exit(said))
    assert main(SMALL) == FAILED
    assert "SystemExit" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "report.json").read_text())["verdict"] == "broke"
