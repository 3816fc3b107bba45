"""The wheel carries conf/, and works from an empty folder without the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from aistudio.safety import conf_folder

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_carries_every_file_of_conf_and_every_module(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    conf = conf_folder.conf_folder()
    assert {f"aistudio/conf/{path.relative_to(conf)}" for path in conf.rglob("*.yaml")} <= inside
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "aistudio").rglob("*.py")} <= inside
    assert "aistudio/py.typed" in inside  # type checkers read the annotations of packages that say they have them
    assert not [name for name in inside if name.startswith(("tests", "conf/"))]


@pytest.mark.slow
def test_the_installed_wheel_refuses_and_composes_without_the_checkout(wheel, pip, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    code = (
        "import sys, aistudio, aistudio.cli.main;"
        f"assert aistudio.__file__.startswith({str(site)!r}), aistudio.__file__;"
        "assert aistudio.compose('experiment=segmentation_mobile').architecture.name == 'lraspp_mobilenet_v3_large';"
        "sys.argv = ['aistudio', 'backbone=resnet18', 'task=segmentation']; sys.exit(aistudio.cli.main.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=empty,
        env={"PYTHONPATH": str(site), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "does not fit" in done.stderr, done.stderr
    assert not [*empty.iterdir()]
