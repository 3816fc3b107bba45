"""What lies in a stranger's folder starts nothing: no module of its, by whichever way Python is started there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aistudio.safety import search_path

SCRIPT = [str(Path(sys.executable).parent / "aistudio")]
MODULE = [sys.executable, "-m", "aistudio"]
TRAP = """import os
with open({here!r}, "a") as file:
    file.write({name!r} + " ")
"""
NAMES = """
selectors yaml torch torchvision numpy PIL/__init__ _strptime multiprocessing/__init__ inspect dataclasses dis
sitecustomize usercustomize ast importlib/__init__ collections/__init__ joblib/__init__ loky cloudpickle
submitit/__init__
hydra_plugins/evil/__init__ hydra_plugins/evil/plugin hydra/__init__ omegaconf rich antlr4 runpy typing pkgutil random
socket struct tempfile subprocess json signal queue pickle copyreg re csv io codecs matplotlib/__init__ timm triton
pandas sympy psutil lz4 viztracer IPython google
""".split()  # noqa: SIM905
QUICK = ["backbone=mobilenet_v3_small", "sanity=quick", "sanity.image_size=64", "task.image_size=64"]
QUICK += ["runtime.threads=1"]


@pytest.fixture
def trapped(tmp_path):
    """A folder in which each of these modules, once imported, leaves its name in a file."""
    for name in NAMES:
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TRAP.format(here=str(tmp_path / "ran"), name=name))
    return tmp_path


def run(line, folder, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONSAFEPATH", "AISTUDIO_TRUST")}
    return subprocess.run(line, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=300)


def ran(folder):
    return (folder / "ran").read_text() if (folder / "ran").exists() else ""


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "line",
    [
        [*MODULE, "rules"],
        [sys.executable, "-maistudio", "rules"],
        [sys.executable, "-Bmaistudio", "rules"],
        [*MODULE, "catalog"],
        [*MODULE, "replay", "-h"],
        [*MODULE, "summarize", "-h"],
        [*MODULE, "summarize", "."],
        [*MODULE, "--version"],
        [*MODULE, "--help"],
        [*MODULE, "--cfg", "job"],
        [*MODULE, "rules", "runtime.seed=0,1"],
        [*MODULE, "task=segmentation", "backbone=resnet18"],
        [*SCRIPT, "rules"],
    ],
    ids=lambda line: " ".join(Path(part).name for part in line),
)
def test_nothing_of_the_current_folder_is_imported(line, trapped):
    done = run(line, trapped)
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr and not ran(trapped), (
        ran(trapped),
        done.stderr,
    )


def test_the_traps_work(trapped):
    run([sys.executable, "-c", "import selectors, joblib"], trapped)
    assert ran(trapped) == "selectors joblib/__init__ "


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="PYTHONSAFEPATH is Python 3.11's")
@pytest.mark.parametrize(
    ("program", "way"),
    [
        (SCRIPT, "sweep.timeout=200"),
        (MODULE, "sweep.isolate=true"),
        (SCRIPT, "hydra/launcher=side_by_side"),
        (SCRIPT, "sweep.isolate=true"),
        (MODULE, "sweep.timeout=200"),
        (MODULE, "hydra/launcher=side_by_side"),
    ],
)
def test_nor_by_the_processes_of_a_sweep(program, way, trapped):
    if "launcher" in way:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    done = run([*program, "-m", *QUICK, "runtime.seed=0,1", way, "hydra.sweep.dir=out"], trapped)
    assert done.returncode == 0 and not ran(trapped), (ran(trapped), done.stdout[-2000:], done.stderr[-2000:])


def test_the_environment_is_as_before_for_who_calls_us(monkeypatch):
    for before in (None, "", "0"):
        monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
        if before is not None:
            monkeypatch.setenv("PYTHONSAFEPATH", before)
        with search_path.SafeChildren():
            assert os.environ["PYTHONSAFEPATH"] == "1"
        assert os.environ.get("PYTHONSAFEPATH") == before


def test_another_program_keeps_its_folder(tmp_path):
    """``python -m theirs`` imports aistudio, and theirs is where they work."""
    for name in ("theirs", "aistudios"):
        (tmp_path / f"{name}.py").write_text("import aistudio, beside\nprint(beside.__name__)\n")
    (tmp_path / "beside.py").touch()
    for line in (
        ["-m", "theirs"],
        ["-m", "aistudios"],
        ["theirs.py"],
        ["-c", "import aistudio, beside; print('beside')"],
    ):
        assert run([sys.executable, *line], tmp_path).stdout == "beside\n", line


REACH = [  # what is trusted, and whether the current folder is then on the path: where it lies there and nowhere else
    ("mine", True),
    ("timm, mine", True),
    ("a_package", True),
    ("", False),
    ("hydra", False),
    ("yaml", False),
    ("torch,numpy", False),
    ("not_there", False),
    ("min", False),
    ("../mine", False),
    ("mine.py", False),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("names", "reached"), REACH)
def test_the_current_folder_is_looked_in_last_and_only_for_what_is_trusted(names, reached, tmp_path):
    for name in ("mine.py", "yaml.py", "torch.py", "numpy.py", "hydra.py", "a_package/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("open('ran', 'w')\n")
    code = "import os, sys; sys.path.remove(''); from aistudio.safety.search_path import reach\n"
    code += "from aistudio.config.trust import trusted\n"
    code += "before = [*sys.path]; reach(trusted()); reach(trusted())\n"
    code += "print(sys.path == before + [os.getcwd()], sys.path == before)"
    done = run([sys.executable, "-c", code], tmp_path, AISTUDIO_TRUST=names)
    assert done.stdout == f"{reached} {not reached}\n" and not ran(tmp_path), done.stderr


@pytest.mark.slow
def test_a_trusted_file_in_the_current_folder_is_found_by_the_script_too(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\nimport helper\n\n\nclass Loss(torch.nn.CrossEntropyLoss):\n    pass\n"
    )
    (tmp_path / "helper.py").touch()
    for name in ("selectors.py", "random.py"):
        (tmp_path / name).write_text("open('ran', 'w')\n")
    for flags in (["hydra.run.dir=out"], ["-m", "sweep.isolate=true", "hydra.sweep.dir=outs"]):
        line = [*SCRIPT, *flags, *QUICK, "task.loss._target_=mine.Loss"]
        done = run(line, tmp_path, AISTUDIO_TRUST="mine")
        assert done.returncode == 0 and not ran(tmp_path), done.stdout + done.stderr
