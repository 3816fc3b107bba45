"""A configuration as plain containers: resolved, and with environment variables as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf
from omegaconf.resolvers import oc

from aistudio.safety.environment import remember


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of plain containers; lists, and mappings without keys, are values."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, node


def as_dict(config: Any, resolve: bool = False) -> dict[str, Any]:
    """A configuration as plain containers; with interpolations as they are written, unless they are to be resolved."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=resolve))


def plain(config: DictConfig, missing: bool = False) -> dict[str, Any]:
    """A configuration as plain containers, resolved but for environment variables: they stand there as written.

    So a secret gets into no report, whichever way a configuration reaches for it. ``missing`` lets ``???`` pass.
    """
    with environment_left_out():
        found = OmegaConf.to_container(config, resolve=True, throw_on_missing=not missing)
    return cast(dict[str, Any], found)


@contextmanager
def environment_left_out() -> Iterator[None]:
    """Let ``${oc.env:NAME}`` resolve to itself."""
    OmegaConf.register_new_resolver("oc.env", as_written, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", from_environment, replace=True)


def from_environment(*arguments: Any) -> Any:
    """An environment variable as OmegaConf gives it, kept in mind: whatever it is, it leaves this process by no way."""
    remember(str(arguments[0]))
    return oc.env(*arguments)


def as_written(*arguments: Any) -> str:
    """The interpolation that asks for an environment variable, with its default where it has one."""
    remember(str(arguments[0]))
    return f"${{oc.env:{','.join(map(_in_quotes, arguments))}}}"


def _in_quotes(value: Any) -> str:
    """A value in OmegaConf's grammar."""
    if value is None or re.fullmatch(r"\w+", str(value)):
        return "null" if value is None else str(value)
    return QuotedString(str(value), Quote.single).with_quotes()


OmegaConf.register_new_resolver("oc.env", from_environment, replace=True)
