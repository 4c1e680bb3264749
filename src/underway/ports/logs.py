from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line that a process wrote. `source` names its file: `web.0.a` (process, number, slot), `migrate-06k3…`."""

    source: str
    line: str


class Logs(Protocol):
    """What an app's processes, builds and migrations wrote."""

    def lines(self, app: str, process: str, tail: int, is_following: bool) -> AsyncIterator[LogLine]:
        """The last `tail` lines (per source) of `process` (empty: of all running processes), and with
        `is_following` what is written from now on, without end. Control characters are left out of the lines."""
        ...
