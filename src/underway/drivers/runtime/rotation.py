"""The logs of all instances, kept small: one timer looks at their sizes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection

from underway.drivers import process_log
from underway.drivers.runtime import record
from underway.drivers.runtime.life import Life
from underway.ports.clock import Clock
from underway.terms.home import Home

_EVERY_S = 5.0


class Rotation:
    """Belongs to a runtime; `lives` gives its instances. A log over `limit_bytes` is rotated; `parts` older parts of it
    are kept."""

    def __init__(
        self, home: Home, clock: Clock, lives: Callable[[], Collection[Life]], limit_bytes: int, parts: int
    ) -> None:
        self._home = home
        self._clock = clock
        self._lives = lives
        self._limit_bytes = limit_bytes
        self._parts = parts
        self._task: asyncio.Task[None] | None = None

    async def end_interrupted(self) -> None:
        """End the rotations in which a former agent was killed, also those of logs that nobody writes to any more."""
        await asyncio.to_thread(self._end_interrupted)

    def begin(self) -> None:
        """Look at the sizes from now on. Beginning twice is fine."""
        if self._task is None:
            self._task = asyncio.create_task(self._go())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _end_interrupted(self) -> None:
        for log in self._home.root.glob("apps/*/logs/*.log"):
            with contextlib.suppress(OSError):
                process_log.end_rotation(log, self._parts)

    async def _go(self) -> None:
        while True:
            await self._clock.sleep(_EVERY_S)
            for life in tuple(self._lives()):
                if process_log.size(life.log) > self._limit_bytes:
                    with contextlib.suppress(OSError):
                        cut = await asyncio.to_thread(process_log.rotate, life.log, self._limit_bytes, self._parts)
                        for other in tuple(self._lives()):
                            if other.log == life.log:
                                other.record.log_from -= cut
                                record.write(other.folder, other.record)  # at once: a stop may remove it at any await
