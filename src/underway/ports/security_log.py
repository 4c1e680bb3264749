from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from underway.terms.security import SecurityEvent


class SecurityLog(Protocol):
    """Security events of a home, the last thirty days of them, at most so many; bounded on the disk."""

    def put(self, events: Sequence[SecurityEvent], now: float) -> bool:
        """Write each down, over what was known of it. False when the disk did not take it."""
        ...

    def events(self, app: str | None = None, since: float = 0.0, most: int = 200) -> Sequence[SecurityEvent]:
        """Those that went on after `since` (of one app, "" for what is no app's), the latest first."""
        ...
