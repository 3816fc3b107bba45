"""The repositories in examples/, from the wheel, in an environment of their own, outside the checkout."""

import os
import re
import shlex
import shutil
import site
import subprocess
import venv
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir())
TASKS = sorted(path.stem for path in (EXAMPLES.parent / "conf" / "task").glob("*.yaml"))


def commands(name):
    """The command lines of an example's README."""
    blocks = re.findall(r"```sh\n(.*?)```", (EXAMPLES / name / "README.md").read_text(), re.S)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("pip install")]


@pytest.fixture(scope="module")
def environment(wheel, pip, tmp_path_factory):
    """The programs of an environment that has the wheel, and everything else from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    own = next(folder.glob("lib/python*/site-packages"))
    (own / "others.pth").write_text("\n".join(path for path in site.getsitepackages()))
    line = ["--python", str(folder / "bin" / "python"), "install", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*pip, *line, str(wheel)], check=True)
    return folder / "bin"


def run(line, folder, environment):
    """Run a command line in a folder as a stranger would."""
    paths = {"PATH": f"{environment}:{os.environ['PATH']}", "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.run(shlex.split(line), cwd=folder, env=paths, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_its_readme_works(name, environment, tmp_path):
    shutil.copytree(EXAMPLES / name, tmp_path / name)
    found = run("python -c 'import aistudio; print(aistudio.__file__)'", tmp_path, environment)
    assert found.stdout.startswith(str(environment.parent)), found.stdout + found.stderr
    assert len(commands(name)) >= 4
    for line in commands(name):
        done = run(line, tmp_path / name, environment)
        assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-2000:])


@pytest.mark.slow
def test_both_trainers_learn_and_refuse(environment, tmp_path):
    shutil.copytree(EXAMPLES / "training", tmp_path / "training")
    for program in ("train.py", "train_lightning.py"):
        line = f"python {program} backbone=resnet18 task.num_classes=4 epochs=2"
        done = run(line, tmp_path / "training", environment)
        assert float(re.findall(r"loss ([0-9.]+)", done.stdout)[-1]) < 0.7, done.stdout + done.stderr
        done = run(f"python {program} task=segmentation backbone=resnet18", tmp_path / "training", environment)
        assert done.returncode == 1 and "instead  resnet50" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_the_training_takes_every_task(task, environment, tmp_path):
    shutil.copytree(EXAMPLES / "training", tmp_path / "training")
    line = f"python train.py backbone=resnet50 task={task} images=4 data.batch_size=2 epochs=1"
    done = run(line, tmp_path / "training", environment)
    assert done.returncode == 0 and re.search(r"epoch 0  loss \d", done.stdout), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("training", "train.py -m backbone=resnet18,mobilenet_v3_small task=segmentation,classification epochs=1"),
        ("lightning", "train.py -m task@net=segmentation,classification debug=fast_run"),
    ],
)
def test_a_refused_job_of_a_sweep_ends_alone(name, line, environment, tmp_path):
    shutil.copytree(EXAMPLES / name, tmp_path / name)
    done = run(f"python {line} hydra.sweep.dir=out", tmp_path / name, environment)
    assert done.returncode == 1 and "instead  resnet50" in done.stderr and "Traceback" not in done.stderr, done.stderr
    ended = "epoch 0" if name == "training" else "test_loss"
    assert done.stdout.count(ended) >= 1, done.stdout + done.stderr


def test_every_experiment_of_the_example_fits(cli, no_torch):
    conf = str(EXAMPLES / "no_code" / "conf")
    code, answer = cli("rules", "--config-dir", conf)
    assert code == 0, answer
    code, answer = cli("rules", "--config-dir", conf, "+experiment=parking")
    assert code == 0, "as Hydra's users are used to write it"
    code, answer = cli("rules", "--config-dir", conf, "experiment=parkin")
    assert code == 2 and "parking (nearest)" in answer and answer.count("  why ") == 1
    code, answer = cli("--config-dir", conf, "task=steering", "backbone=resnet50")
    assert code == 2 and "the car's computer runs nothing slower in time" in answer
    assert "conf/task/steering.yaml" in answer
