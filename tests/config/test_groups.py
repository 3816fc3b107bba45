"""Files read as plain data: what ships by a parser in C, with the same values as OmegaConf reads."""

import pytest
from omegaconf import OmegaConf

from aistudio.config import groups
from aistudio.config.plain import as_dict
from aistudio.safety.conf_folder import conf_folder


def test_what_ships_reads_as_omegaconf_reads_it():
    files = sorted(conf_folder().rglob("*.yaml"))
    assert len(files) > 80
    for path in files:
        assert repr(groups._read(path)) == repr(as_dict(OmegaConf.load(path))), path


@pytest.mark.parametrize(
    "text", ["a: 1e-3", "a: 2024-01-02", "a: 1_000", "a: .5", "a: 0x1F", "a: ~", "a: yes", "a: 1:30"]
)
def test_values_are_omegaconfs(text, monkeypatch, tmp_path):
    (tmp_path / "x.yaml").write_text(text)
    monkeypatch.setattr(groups, "conf_folder", lambda: tmp_path)
    assert repr(groups._read(tmp_path / "x.yaml")) == repr(as_dict(OmegaConf.load(tmp_path / "x.yaml")))


def test_a_key_that_stands_twice_in_a_file_of_ones_own_is_an_error(tmp_path):
    (tmp_path / "x.yaml").write_text("a: 1\na: 2\n")
    with pytest.raises(Exception, match="duplicate key"):
        groups._read(tmp_path / "x.yaml")
