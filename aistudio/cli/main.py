"""The entrance of the command line: what comes first names a command, and without one it is a run or a sweep.

Signals, encodings, the search path, refusals and exit codes (see ``errors.py``) are handled here, for all of them.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from difflib import get_close_matches

import aistudio
from aistudio.config.advice import command_elsewhere
from aistudio.config.groups import GROUPS, options
from aistudio.config.trust import fault_code, trusted
from aistudio.errors import FAILED, PASSED, REFUSED, Problem, Refusal, refuse
from aistudio.jobs.imports import import_for_good
from aistudio.report.refusals import tell
from aistudio.safety.encoding import plain_where_needed
from aistudio.safety.outlet import guard
from aistudio.safety.search_path import SafeChildren, reach
from aistudio.safety.signals import code_of, ending_with_a_report, reason_of

COMMANDS = {  # a word: the module whose ``main(arguments)`` answers it, imported once it is asked for
    "rules": "aistudio.cli.rules",
    "replay": "aistudio.cli.replay",
    "summarize": "aistudio.cli.summarize",
    "page": "aistudio.cli.page",
    "catalog": "aistudio.cli.catalog",
    "doctor": "aistudio.cli.doctor",
    "fetch": "aistudio.cli.fetch",
}
RUN = "aistudio.cli.run"
_WHY_FIRST = "what comes first is a command, or GROUP=NAME"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer a command line, by default that of the process; the exit code."""
    guard()
    reach(trusted())
    with SafeChildren(), ending_with_a_report(), plain_where_needed():
        return answer([*(sys.argv[1:] if arguments is None else arguments)])


def answer(arguments: Sequence[str]) -> int:
    """Do what was asked for, and say in a few lines what keeps it from being done."""
    try:
        if "--version" in arguments or [*arguments] in (["-V"], ["version"]):
            print(f"aistudio {aistudio.__version__}")
            return PASSED
        command, rest = _command_in(arguments)
        return command(rest)
    except Refusal as refusal:
        tell(refusal.problems)
        return REFUSED
    except KeyboardInterrupt as end:
        print(reason_of(end), file=sys.stderr)
        return code_of(end)
    except BrokenPipeError:  # whoever read this, `head` for example, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if not isinstance(error, OSError) or error.errno not in _NO_ROOM:
            traceback.print_exc()
            return fault_code(error)
        what = f"the files of this run cannot be written: {error.filename or 'the report'}"
        problem = Problem(what, str(error.strerror), "hydra.run.dir", "hydra.run.dir=FOLDER with room in it")
        tell([problem], headline=False)
        return FAILED


def _command_in(arguments: Sequence[str]) -> tuple[Callable[[Sequence[str]], int], Sequence[str]]:
    """The command that a line asks for, and what it is told."""
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        return import_for_good(COMMANDS[first]).main, arguments[1:]
    if first in ("help", "-h", "--help"):
        asked = [one for one in arguments[1:] if one in COMMANDS]
        return import_for_good(COMMANDS[asked[0]] if asked else RUN).main, ["--help"]
    if first and first[0].isalpha() and "=" not in first:
        instead = _command_meant(first)
        refuse([Problem(f"{first} is no command", _WHY_FIRST, "the command line", instead)] if instead else [])
    return import_for_good(RUN).main, arguments


def _command_meant(word: str) -> str:
    """What to type for a first word that is no command; empty where it may be meant as something else."""
    if any(word in (group, *options(group)) for group in GROUPS):
        return ""
    near = get_close_matches(word, COMMANDS, n=1)
    return f"aistudio {near[0]} …" if near else command_elsewhere(word)
