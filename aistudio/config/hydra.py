"""Hydra's composition over the shipped ``conf/`` and the folders that a user adds to it; the one adapter to Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.defaults_list import create_defaults_list
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.version import VersionBase, setbase
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from aistudio.config.overrides import STUMBLES, Uncomposable, key_of, search_path, stumble
from aistudio.config.plain import as_dict
from aistudio.safety.conf_folder import conf_folder

VERSION_BASE = "1.3"
# All that composing raises for what a user wrote: ValueError for `task=null`, YAMLError for a broken file.
HYDRA_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)


class _Repository(ConfigRepository):
    """Hydra's files, of which those that ship and Hydra's own are read once in a process.

    Reading them is a third of a composition; a refusal composes twice, a sweep as often as it has jobs.
    """

    _read: dict[tuple[str, str, float], ConfigResult | None] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """What a file says, in a copy: Hydra takes the list of defaults out of it."""
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        path = source.path if source and source.scheme() in ("file", "pkg") else ""
        if path == str(conf_folder().resolve()):
            changed = (Path(path) / f"{config_path.removesuffix('.yaml')}.yaml").stat().st_mtime
        elif path == "hydra.conf":
            changed = 0.0
        else:
            return super().load_config(config_path)
        file = (path, config_path, changed)
        if file not in self._read:
            self._read[file] = super().load_config(config_path)
        return deepcopy(self._read[file])


def hydra_composed(overrides: Sequence[str], folders: Sequence[Path]) -> DictConfig:
    """What Hydra makes of the overrides, with its own section; user folders rank below the shipped one."""
    search = search_path(folders)
    kept = [override for override in overrides if key_of(override) != "hydra.searchpath"]
    try:
        with _another_hydra_put_back(), initialize_config_dir(str(conf_folder().resolve()), version_base=VERSION_BASE):
            loader = cast(ConfigLoaderImpl, GlobalHydra.instance().config_loader())
            loader.repository = _Repository(loader.get_search_path())
            return hydra_compose("config", overrides=[*kept, *search], return_hydra_config=True)
    except HydraException:  # a missing file is an OSError, too
        raise
    except STUMBLES as error:
        raise Uncomposable(stumble(error, overrides, folders)) from None


def files_in_order(
    overrides: Sequence[str], folders: Sequence[Path]
) -> Iterator[tuple[Path, str, str, dict[str, Any]]]:
    """The files that a composition is made of, the last word last: folder, name, section, and what each says itself."""
    loader = ConfigLoaderImpl(create_config_search_path(str(conf_folder().resolve())))
    loader.repository = _Repository(loader.get_search_path())
    kept = [override for override in overrides if key_of(override) != "hydra.searchpath"]
    with _another_hydra_put_back():
        parsed, repository = loader._parse_overrides_and_create_caching_repo("config", [*kept, *search_path(folders)])
        files = create_defaults_list(repository, "config", parsed, prepend_hydra=True, skip_missing=False)
    for one in files.defaults:
        path = str(one.config_path)
        if not path.startswith("hydra") and (loaded := repository.load_config(path)):
            folder = Path(loaded.path.removeprefix("file://"))
            yield folder, path, one.package or "", as_dict(loaded.config)


@contextmanager
def _another_hydra_put_back() -> Iterator[None]:
    """Compose where Hydra runs already, in anybody's ``@hydra.main`` or notebook, and leave it as it was.

    Hydra keeps itself, the name of the job and its ``version_base`` in singletons, and sets all three anew.
    """
    kinds: tuple[type, ...] = (GlobalHydra, JobRuntime, VersionBase)
    held = {kind: Singleton._instances.pop(kind) for kind in kinds if kind in Singleton._instances}
    setbase(VERSION_BASE)
    try:
        yield
    finally:
        for kind in kinds:
            Singleton._instances.pop(kind, None)
        Singleton._instances.update(held)


def without_hydra(composed: DictConfig) -> DictConfig:
    """The configuration alone, closed to keys it does not have."""
    config = OmegaConf.masked_copy(composed, cast(list[str], [key for key in composed if key != "hydra"]))
    OmegaConf.set_struct(config, True)
    return config


def hydras_own(overrides: Sequence[str], choices: Mapping[str, str]) -> DictConfig:
    """Hydra's section as the command line alone would have it, with the launcher that was chosen if it is known."""
    values = tuple(override for override in overrides if key_of(override).startswith("hydra."))
    return composed_without_files(values, choices.get("hydra/launcher", "basic"))


@cache
def composed_without_files(values: tuple[str, ...], launcher: str) -> DictConfig:
    """Hydra's section of the shipped configuration; with a user's own launcher, that of the default one."""
    try:
        return hydra_composed([f"hydra/launcher={launcher}", *values], ()).hydra
    except HYDRA_ERRORS:
        bare = [value for value in values if not value.startswith("hydra.launcher.")]
        return hydra_composed(bare, ()).hydra
