"""What processes write, line by line."""

from __future__ import annotations

from typing import NamedTuple

LEVELS = ("", "debug", "info", "warning", "error", "critical")
"""What a line can say of itself, the least first; empty where it says nothing."""


class Written(NamedTuple):
    """One line as it was understood. `at` is when it was written (seconds since 1970), by its own word if it has one.
    `fields` is what a line of JSON says besides, as JSON, nested texts and all; `trace` names the request it is about.
    """

    at: float
    level: str
    text: str
    fields: str = ""
    trace: str = ""


class Writer(NamedTuple):
    """Who writes to a log now. `begins` is where in the file its own output begins; negative once that was rotated
    out."""

    app: str
    process: str
    number: int
    release: str
    file: str
    begins: int


class LineAsk(NamedTuple):
    """Which lines are wanted: the newest `most`, newest first; with `after` (a line's id, 0: any) the first ones after
    that line, oldest first. `level` is the least one, empty: all."""

    query: str = ""
    process: str = ""
    release: str = ""
    level: str = ""
    since: float = 0.0
    until: float = 0.0
    after: int | None = None
    most: int = 200


class Hit(NamedTuple):
    """An error came: which, of what release, and when it was read."""

    app: str
    fingerprint: str
    release: str
    at: float


class Taken(NamedTuple):
    """What one turn brought. `is_more`: there may be more to read at once."""

    lines: int = 0
    hits: tuple[Hit, ...] = ()
    is_more: bool = False
