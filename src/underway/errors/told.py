"""Why a process ended, in one line, from what it wrote last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from underway.errors.mask import hide, mask
from underway.errors.read import TraceReader

_SERVERS_OWN = frozenset({"HaltServer", "SystemExit", "KeyboardInterrupt"})
"""What a server says of itself when the app could not be loaded: the cause stands before it."""
_HEAD = re.compile(r"(?:[\w.]*[A-Z]\w*(?:Error|Exception|Refused|Missing\w*|NotFound\w*)): \S.*")
_LONGEST = 300


def told_in(lines: Sequence[str], secrets: Iterable[str] = ()) -> str:
    """`FileNotFoundError: .secrets does not exist (config.py:12)`; empty when no error is among the lines.

    The first traceback that is the app's own; else, where its beginning is cut off, the last line that names an error.
    Numbers and addresses are as the process wrote them; `secrets` and what is named as one are hidden.
    """
    secrets = tuple(secrets)
    reader = TraceReader(secrets)
    found = [error for line in lines for error in reader.feed(line)] + reader.flush()
    own = next((error for error in found if error.kind.rpartition(".")[2] not in _SERVERS_OWN), None)
    if own is None:
        named = next((line.strip() for line in reversed(lines) if _HEAD.fullmatch(line.strip())), "")
        return hide(named, secrets)[:_LONGEST]
    head = re.compile(rf"(?:Uncaught )?(?:[\w.]+\.)?{re.escape(own.kind)}: (.*)")
    heads = [said[1] for line in lines if (said := head.fullmatch(line.strip()))]
    written = next((one for one in (hide(text, secrets) for text in heads) if mask(one, secrets) == own.message), "")
    return (msgspec.structs.replace(own, message=written[:_LONGEST]) if written else own).says()[:_LONGEST]
