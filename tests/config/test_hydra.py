"""The adapter to Hydra: files that ship are read once, and nobody sees what another composition did to them."""

import os
import shutil

import yaml
from omegaconf import OmegaConf

from aistudio.config import hydra
from aistudio.safety.conf_folder import conf_folder


def test_what_ships_is_read_once(monkeypatch):
    first = hydra.hydra_composed(["task=regression"], ())
    read = []
    load = yaml.load
    monkeypatch.setattr(yaml, "load", lambda stream, Loader: read.append(stream) or load(stream, Loader))
    again = hydra.hydra_composed(["task=regression"], ())
    assert OmegaConf.to_container(again) == OmegaConf.to_container(first)
    assert not [one for one in read if not isinstance(one, str)], "files; overrides are text"


def test_it_is_what_hydras_own_repository_gives(monkeypatch):
    lines = [], ["task=segmentation"], ["task=regression", "backbone=resnet18"], [], ["task=segmentation"]
    hydra._Repository._read.clear()
    remembered = [OmegaConf.to_container(hydra.hydra_composed(line, ())) for line in lines]
    monkeypatch.setattr(hydra, "_Repository", hydra.ConfigRepository)
    assert remembered == [OmegaConf.to_container(hydra.hydra_composed(line, ())) for line in lines]


def test_what_is_done_to_one_composition_is_not_seen_in_the_next():
    spoiled = hydra.hydra_composed(["task=regression"], ())
    expected = OmegaConf.to_container(spoiled)
    OmegaConf.set_struct(spoiled, False)
    spoiled.task.clear()
    assert OmegaConf.to_container(hydra.hydra_composed(["task=regression"], ())) == expected


def test_a_file_that_has_changed_is_read_again(monkeypatch, tmp_path):
    shutil.copytree(conf_folder(), tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(hydra, "conf_folder", lambda: tmp_path)
    task = tmp_path / "task" / "regression.yaml"
    assert hydra.hydra_composed(["task=regression"], ()).task.num_outputs != 77
    text = task.read_text()
    start = text.index("num_outputs:")
    task.write_text(text[:start] + "num_outputs: 77" + text[text.index("\n", start) :])
    os.utime(task, (1, 1))
    assert hydra.hydra_composed(["task=regression"], ()).task.num_outputs == 77


def test_a_file_of_ones_own_is_read_each_time(tmp_path):
    file = tmp_path / "task" / "mine.yaml"
    file.parent.mkdir()
    for size in (96, 128):
        file.write_text(f"defaults: [regression]\nimage_size: {size}\n")
        assert hydra.hydra_composed(["task=mine"], [tmp_path]).task.image_size == size
