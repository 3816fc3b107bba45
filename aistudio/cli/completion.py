"""Tab completion: Hydra completes what follows a command's word as it does without one; the words are ours to offer."""

from __future__ import annotations

import os
from collections.abc import Iterable

LINE, POINT = "COMP_LINE", "COMP_POINT"  # what shells tell in the environment: the line, and where the cursor is


def complete(commands: Iterable[str]) -> None:
    """Print the commands that the first word may become; behind one, take it out of what Hydra looks at."""
    program, _, typed = os.environ.get(LINE, "").partition(" ")
    first, more, rest = typed.partition(" ")
    if more and first in commands:
        os.environ[LINE] = f"{program} {rest}"
        os.environ[POINT] = str(max(int(os.environ.get(POINT, "0")) - len(first) - 1, 0))
    elif program and not more:
        print(*(word for word in commands if word.startswith(first)))
