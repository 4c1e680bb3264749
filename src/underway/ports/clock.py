from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time, as an argument. Tests bring their own."""

    def now(self) -> float:
        """Seconds since the epoch. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def entropy(self) -> int:
        """A fresh random number of 32 bits, for ids."""
        ...
