"""What a configuration asked of the environment, kept in mind so that it can be taken out of all that leaves.

Whatever asks goes through OmegaConf's resolver ``oc.env``, which `aistudio.config.trust` replaces with one that tells
`remember`. Standard library only.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from aistudio.safety.conf_folder import words
from aistudio.safety.text import visible

_SHORTEST = 4  # characters of a value that is looked for; a shorter one is in half of all words
_SHORTEST_PART = 8  # characters of a part of a value, the host in an address for example
KEYS = str | bool | int | None  # keys that JSON can hold
_NUMBER = re.compile(r"[\d.,+-]+")
ASKED: dict[str, str] = {}  # names of environment variables that were asked for, and their values then


def remember(*names: str) -> None:
    """Keep in mind that these variables were asked for."""
    ASKED.update((name, os.environ[name]) for name in names if name in os.environ)


def scrub(text: str) -> str:
    """The text with ``${oc.env:NAME}`` in the place of every value that was asked for, in whatever form it stands."""
    if not ASKED:
        return text
    pattern, names = _sought(frozenset(ASKED.items()))
    return pattern.sub(lambda found: _as_asked(names[found.lastindex - 1]) if found.lastindex else found[0], text)


def scrubbed(node: Any) -> Any:
    """Plain containers with every text in them scrubbed, and everything that JSON has no word for as text."""
    if isinstance(node, Mapping):
        return {key if isinstance(key, KEYS) else str(key): scrubbed(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [scrubbed(value) for value in node]
    return node if isinstance(node, bool | int | float | None) else scrub(str(node))


def _as_asked(name: str) -> str:
    """How a variable is asked for."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"${{oc.env:{name}}}" if re.fullmatch(r"\w+", name) else f"${{oc.env:'{escaped}'}}"


@cache
def _sought(asked: Iterable[tuple[str, str]]) -> tuple[re.Pattern[str], list[str]]:
    """A pattern with a group for every variable, the longest value first, and the names of the groups.

    What already stands in the place of a value is passed over, so that scrubbing twice is scrubbing once.
    """
    names, groups = [], []
    for name, value in sorted(asked, key=lambda pair: (-len(pair[1]), pair)):
        found = sorted({form for part in parts(value) for form in forms(part)}, key=len, reverse=True)
        if found:
            names.append(name)
            groups.append(f"({'|'.join(map(_as_pattern, found))})")
    done = "|".join(re.escape(_as_asked(name)) for name in names) or r"(?!)"
    return re.compile("|".join([f"(?:{done})", *groups]), re.IGNORECASE), names


def _as_pattern(form: str) -> str:
    """What finds a form: a number only where it stands alone, any other text everywhere."""
    written = re.sub(r"(?:\\?\s)+", r"\\s+", re.escape(form))  # a line may be broken at any blank
    return rf"(?<![\w.]){written}(?![\w.])" if _NUMBER.fullmatch(form) else written


def parts(value: str) -> Iterator[str]:
    """A value and what of it may be shown alone: its lines, the end of a path, the words of an address or a list.

    Of a list of folders, such as PATH, only the whole is looked for: its parts are in every traceback.
    """
    entries = value.split(os.pathsep)
    if len(entries) > 1 and all(entry.startswith(("/", "~", ".")) for entry in entries if entry):
        found = [value]
    elif value.startswith(("/", "~", ".")):
        found = [value, value.rstrip("/"), *long(value.rstrip("/").split("/")[-1:])]
    else:
        found = [value, value.strip(), *value.splitlines(), *long(re.split(r"[\s/\\:;,@=&?#|'\"<>()\[\]{}]+", value))]
    yield from (one for one in found if len(one.strip()) >= _SHORTEST and one.strip().lower() not in words())


def long(texts: Iterable[str]) -> list[str]:
    """Those that are long enough to be looked for alone."""
    return [text for text in texts if len(text) >= _SHORTEST_PART]


def forms(value: str) -> set[str]:
    """The ways in which a value may be written: quoted, escaped, folded, as a name."""
    written = {value, value.replace("'", "''"), repr(value)[1:-1], html.escape(value), quote(value, errors="replace")}
    written |= {quote(value, safe="", errors="replace"), json.dumps(value)[1:-1]}
    written |= {json.dumps(value, ensure_ascii=False)[1:-1], visible(value), visible(value, lines=True)}
    written |= {" ".join(value.split()), value.replace("_", " "), re.sub(r"[^A-Za-z0-9._=+-]+", "_", value)}
    written |= {value.encode("unicode_escape").decode(), value.replace("\\", "\\\\").replace("'", "\\'")}
    written |= {value.encode("unicode_escape").decode().replace(r"\x1b", r"\e").replace(r"\x07", r"\a")}  # YAML's
    return {one for one in written if len(one) >= _SHORTEST}
