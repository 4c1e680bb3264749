"""The machine's own clock and randomness."""

from __future__ import annotations

import asyncio
import secrets
import time


class SystemClock:
    """`Clock` on this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def entropy(self) -> int:
        return secrets.randbits(32)
