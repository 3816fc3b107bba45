"""What people type in the place of GROUP=NAME is answered with what to type here, without torch."""

import pytest

LINE = [  # what is typed, and what to type
    ("--task regression", "task=regression"),
    ("--backbone=resnet18", "backbone=resnet18"),
    ("--backbone resnet18 --task=regression", "task=regression"),
    ("--num-classes 5", "task.num_classes=5"),
    ("--lr=0.1", "architecture.learning.optimizer.lr=0.1"),
    ("--hep", "--help"),
    ("--config mine.yaml", "--config-dir"),
    ("--dry-run", "aistudio rules GROUP=NAME"),
    ("--list", "aistudio catalog"),
    ("--cfg", "--cfg job or --cfg hydra"),
    ("--multi-run backbone=resnet18", "--multirun"),
    ("-v", "aistudio --version"),
    ("-x backbone=resnet18", "aistudio --help"),
    ("task regression", "task=regression"),
    ("resnet18", "backbone=resnet18"),
    ("backbone=resnet18 regression", "task=regression"),
    ("train backbone=resnet18", "aistudio backbone=resnet18 task=classification"),
    ("list", "aistudio catalog"),
    ("catalg", "aistudio catalog …"),
    ("--cfg foo", "--cfg job or --cfg hydra"),
    ("--cfg job backbone=resnet19", "resnet18 (nearest)"),
    ("--info defaults task=segmentaton", "segmentation (nearest)"),
    ("-sc install=powershell", "install=bash or install=fish"),
    ("rules --foo", "aistudio rules --help"),
    ("summarize", "aistudio summarize --help"),
    ("catalog --flter resnet", "aistudio catalog --help"),
    ("hydra.run.dir=/proc/x", "hydra.run.dir=ANOTHER"),
]


@pytest.mark.sampled(9)
@pytest.mark.parametrize(("line", "instead"), LINE, ids=[row[0] for row in LINE])
def test_it_is_answered_with_what_to_type(line, instead, cli, no_torch):
    code, answer = cli(*line.split())
    assert code == 2 and instead in answer.partition("instead")[2], answer
    assert "Traceback" not in answer and "usage:" not in answer


@pytest.mark.sampled(3)
@pytest.mark.parametrize("line", ["--help", "help", "-h", "help rules", "-h catalog", "rules --help", "catalog -h"])
def test_help_is_asked_for_in_many_ways(line, cli, no_torch, capsys):
    code, answer = cli(*line.split())
    assert code == 0 and not answer


@pytest.mark.parametrize("line", ["--version", "-V", "version", "backbone=resnet18 --version"])
def test_the_version_is_ours_wherever_it_stands(line, capsys):
    from aistudio import __version__
    from aistudio.cli.main import main

    assert main(line.split()) == 0 and capsys.readouterr().out == f"aistudio {__version__}\n"
