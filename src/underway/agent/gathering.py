"""What apps' processes write, brought into the store of lines and errors; and who met an error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from underway.flows.books import Books
from underway.journal.journal import Journal
from underway.ports.drivers import Drivers
from underway.terms.output import Hit, Taken, Writer

_log = logging.getLogger(__name__)
EVERY_S = 0.5
REST_TIMES = 3.0
"""While more comes than one turn takes, it rests so many times as long as it worked: at most a quarter of a core goes
to a flood, and what the logs' rotation drops meanwhile is told in its place."""
MATCH_AFTER_S = 3.0
"""The access log is counted by then."""
BEFORE_S, AFTER_S = 1.5, 1.0
"""Whose request failed so close to an error met it."""
_MOST_PENDING = 2_000


class Gathering:
    """One per agent."""

    def __init__(self, on: Drivers, journal: Journal, books: Books, is_leaving: Callable[[], bool]) -> None:
        self._on, self._journal, self._books = on, journal, books
        self._is_leaving = is_leaving
        self._pending: list[Hit] = []
        """Errors that came just now: who met them is not known yet."""
        self._turn = asyncio.Lock()

    async def go(self) -> None:
        """Without end."""
        while not self._is_leaving():
            began = self._on.clock.monotonic()
            is_more = False
            for app in list(self._journal.states()):
                if app:
                    is_more |= (await self.take(app)).is_more
            await self._match()
            worked_s = self._on.clock.monotonic() - began
            await self._on.clock.sleep(REST_TIMES * worked_s if is_more else EVERY_S)

    async def take(self, app: str) -> Taken:
        """One turn for an app: what it wrote since the last one, in a thread of its own."""
        async with self._turn:
            now = self._on.clock.now()
            try:
                taken = await asyncio.to_thread(self._on.output.take, app, self._writers(app), now)
            except Exception:
                _log.exception("output of %s could not be read", app)
                return Taken()
        self._pending = [*self._pending, *taken.hits][-_MOST_PENDING:]
        return taken

    def _writers(self, app: str) -> list[Writer]:
        return [
            Writer(
                app=app,
                process=spec.process,
                number=spec.number,
                release=spec.release,
                file=self._on.home.process_log(app, spec.process, spec.number, spec.slot.value).name,
                begins=self._on.runtime.log_begins(spec.id),
            )
            for spec in (instance.spec for instance in self._on.runtime.instances(app))
        ]

    async def _match(self) -> None:
        """Tell the store whose requests failed when errors came."""
        now = self._on.clock.now()
        due = [hit for hit in self._pending if now - hit.at >= MATCH_AFTER_S]
        if not due:
            return
        self._pending = [hit for hit in self._pending if now - hit.at < MATCH_AFTER_S]
        met: dict[tuple[str, str], set[int]] = {}
        for hit in due:
            people = self._books.recorder.failing(hit.app, hit.release, hit.at - BEFORE_S, hit.at + AFTER_S)
            met.setdefault((hit.app, hit.fingerprint), set()).update(people)
        for (app, fingerprint), people in met.items():
            if people:
                await asyncio.to_thread(self._on.output.touched, app, fingerprint, people)
