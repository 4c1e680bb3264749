"""Probes beside the users, while a release is on its way."""

from __future__ import annotations

import asyncio
import contextlib

from underway.ports.drivers import Drivers
from underway.steps.probe_release import Probing, make_probes
from underway.terms.smoke import Walked

PROBE_EVERY_S = 10.0


class Probes:
    """Makes every smoke and journey now and then, in the background: a slow one holds nothing up."""

    def __init__(self, app: str, probing: Probing | None, on: Drivers) -> None:
        self._app, self._probing, self._on = app, probing, on
        self._task: asyncio.Task[tuple[Walked, ...]] | None = None
        self._began = -PROBE_EVERY_S
        self.failing = ""
        """What was wrong in the last round, empty when all passed."""
        self.rounds = 0

    def look(self, is_wanted: bool) -> tuple[Walked, ...]:
        """What came since the last look; begins a new round when one is wanted and due."""
        made: tuple[Walked, ...] = ()
        if self._task is not None and self._task.done():
            made = self._result(self._task)
            self._task = None
        now = self._on.clock.monotonic()
        if is_wanted and self._probing and self._task is None and now - self._began >= PROBE_EVERY_S:
            self._began = now
            self._task = asyncio.create_task(make_probes(self._probing, self._app, self._on))
        return made

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._task

    def _result(self, task: asyncio.Task[tuple[Walked, ...]]) -> tuple[Walked, ...]:
        if task.cancelled() or task.exception() is not None:  # a variable has no value any more: nothing was asked
            return ()
        made = task.result()
        self.rounds += 1
        self.failing = next((each.says() for each in made if not each.passed), "")
        return made
