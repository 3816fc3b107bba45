"""What all tests share: golden files that can be rewritten, one CPU thread, a process without torch, the command."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser):
    parser.addoption("--overwrite", action="store_true", help="write golden files anew instead of comparing with them")
    parser.addoption("--fuzz", type=int, default=250, metavar="N", help="inputs that each of the fuzz tests tries")


def pytest_configure(config):
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)  # pytest-xdist has a worker for every core already


@pytest.hookimpl(tryfirst=True)  # before -m takes its choice
def pytest_collection_modifyitems(items):
    """Of each family that is marked ``sampled`` keep some cases, evenly spread, and let the others be slow."""
    families = {}
    for item in items:
        if mark := item.get_closest_marker("sampled"):
            families.setdefault((item.path, item.originalname, mark.args[0]), []).append(item)
    for (*_, count), family in families.items():
        kept = {index * len(family) // count for index in range(count)}
        for index, item in enumerate(family):
            if index not in kept:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def nothing_asked():
    """What one test asked of the environment is not to be taken out of what another one prints."""
    from aistudio.safety.environment import ASKED

    ASKED.clear()


@pytest.fixture
def any_published_file(monkeypatch):
    """Let a file pass for the published weights that it is named after, though no test can make one with their hash."""
    monkeypatch.setattr("aistudio.assembly.pretrained.file_digest", lambda path: path.stem.rpartition("-")[2])


@pytest.fixture
def golden(request):
    """Compare text with ``tests/golden/NAME``; ``pytest --overwrite`` rewrites the file, and git shows the change."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--overwrite"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name} changed; if that is meant: pytest --overwrite"

    return compare


@pytest.fixture
def no_torch(monkeypatch):
    """Make ``import torch`` and ``import torchvision`` fail for the duration of a test."""
    for name in ("torch", "torchvision"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def cli(monkeypatch, tmp_path, capsys):
    """Call the command line in this process, from an empty folder; the exit code and what was printed to stderr."""
    from aistudio.cli.main import main

    def call(*arguments: str) -> tuple[int, str]:
        folder = tmp_path / "empty"
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["aistudio", *arguments])
        try:
            code = main()
        except SystemExit as stop:  # argparse, for flags that do not exist
            code = stop.code
        return code, capsys.readouterr().err

    return call


@pytest.fixture(scope="session")
def pip():
    """The command that runs this environment's pip; without one, what needs it is skipped."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    if subprocess.run([*command, "--version"], capture_output=True).returncode:
        pytest.skip("this environment has no pip")
    return command


@pytest.fixture(scope="session")
def wheel(pip, tmp_path_factory):
    """The project as a wheel, made from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    for name in ("aistudio", "conf", "pyproject.toml", "README.md"):  # the working tree, not the last commit
        subprocess.run(["cp", "-r", str(ROOT / name), str(source)], check=True)
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(source)], check=True)
    return next(folder.glob("*.whl"))
