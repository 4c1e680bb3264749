from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log: its number, its time, and the encoded event."""

    seq: int
    at: float
    app: str
    act: str
    text: bytes


class EventLog(Protocol):
    """An append-only log. What `append` returned is on disk and survives the loss of power."""

    def append(self, entries: Sequence[tuple[str, str, bytes]]) -> Sequence[Line]:
        """Append (app, act, text) entries: all of them or none, in one transaction."""
        ...

    def read(self, after: int = 0, app: str = "", act: str = "", limit: int = 0) -> Sequence[Line]:
        """Lines with a number above `after`, of one app or act where given; the last `limit` ones where positive."""
        ...

    def follow(self, after: int, app: str = "", act: str = "") -> AsyncIterator[Line]:
        """The same, and then each new line as it is appended, without end."""
        ...
