"""Jinja's environment, where everything that a stranger wrote becomes text, and the policy that nothing is fetched.

Every value that a template prints goes through ``printed`` and is then escaped; a policy in the page allows its one
style and its one script by their digests and nothing else, so that markup that got through would do nothing either.
"""

from __future__ import annotations

import hashlib
import os
import sys
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistudio.safety.outlet import said

if TYPE_CHECKING:
    from jinja2 import Environment, FileSystemBytecodeCache

FOLDER = Path(__file__).parent
LONGEST = 8000  # characters of one text; the rest is in the files


def printed(value: Any) -> Any:
    """What a template prints for a value."""
    if value is None:
        return ""
    if not isinstance(value, str) or hasattr(value, "__html__"):  # markup of our own
        return value
    cut = value if len(value) <= LONGEST else f"{value[:LONGEST]} … and {len(value) - LONGEST:,} more characters"
    return said(cut.replace("\r\n", "\n"), lines=True)


@cache
def environment() -> Environment:
    """The templates of this folder: escaping always, and a name that is not there is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printed,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled(),
    )


def _compiled() -> FileSystemBytecodeCache | None:
    """Where compiled templates are kept: with the compiled modules, where Python may keep those."""
    from jinja2 import FileSystemBytecodeCache

    folder = FOLDER / "__pycache__"
    kept = os.access(folder, os.W_OK) and not sys.dont_write_bytecode
    return FileSystemBytecodeCache(os.fspath(folder), "%s.html") if kept else None


def page(template: str, **values: Any) -> str:
    """A whole page: a template with the style, the script and the policy."""
    from markupsafe import Markup

    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    own = {
        "style": Markup(style),  # ours, from the package
        "script": Markup(script),
        "style_digest": digest(style),
        "script_digest": digest(script),
    }
    return environment().get_template(template).render(**own, **values)


def fragment(template: str, **values: Any) -> str:
    """A piece of a page, for a notebook that has a style of its own."""
    return environment().get_template(template).render(**values)


def digest(text: str) -> str:
    """How a content security policy names a style or a script."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
