"""Why a process ended, in one line, from what it wrote last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from underway.errors.read import TraceReader

_SERVERS_OWN = frozenset({"HaltServer", "SystemExit", "KeyboardInterrupt"})
"""What a server says of itself when the app could not be loaded: the cause stands before it."""
_HEAD = re.compile(r"(?:[\w.]*[A-Z]\w*(?:Error|Exception|Refused|Missing\w*|NotFound\w*)): \S.*")
_LONGEST = 300


def told_in(lines: Sequence[str], secrets: Iterable[str] = ()) -> str:
    """`FileNotFoundError: .secrets does not exist (config.py:12)`; empty when no error is among the lines.

    The first traceback that is the app's own; else, where its beginning is cut off, the last line that names an error.
    """
    reader = TraceReader(secrets)
    found = [error for line in lines for error in reader.feed(line)] + reader.flush()
    own = next((error for error in found if error.kind.rpartition(".")[2] not in _SERVERS_OWN), None)
    if own is not None:
        return own.says()[:_LONGEST]
    named = next((line.strip() for line in reversed(lines) if _HEAD.fullmatch(line.strip())), "")
    return named[:_LONGEST]
