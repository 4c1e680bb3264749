from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from underway.terms.route import LogOffset, Request


class RequestLog(Protocol):
    """The proxy's access log, read from a file so that a slow reader can never block traffic."""

    def read(
        self, since: LogOffset, limit: int = 10_000, until: LogOffset | None = None
    ) -> tuple[Sequence[Request], LogOffset]:
        """Return whole lines after `since` (and before `until`) and the offset after them. Survives rotation: what was
        left in the rotated file comes first. Requests that named
        no app's host have no app; lines that are not JSON are passed over. Never blocks."""
        ...

    def end(self) -> LogOffset:
        """The offset of the end of the log now."""
        ...

    def holds(self, offset: LogOffset) -> bool:
        """True while the part of the log that `offset` is in was not dropped."""
        ...
