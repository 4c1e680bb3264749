"""Who tries to get in: what the access log and Underway's own log-ins tell, kept as events."""

from __future__ import annotations

import logging
from collections.abc import Callable

from underway.ports.drivers import Drivers
from underway.security.watch import OVER_AFTER_S, Watch
from underway.terms.route import Request

_log = logging.getLogger(__name__)
WRITE_EVERY_S = 2.0


class Lookout:
    """One per agent."""

    def __init__(self, on: Drivers, is_leaving: Callable[[], bool]) -> None:
        self._on, self._is_leaving = on, is_leaving
        self._watch = Watch()
        self._watch.resume(list(on.security_log.events(since=on.clock.now() - OVER_AFTER_S)))

    def heard(self, request: Request) -> None:
        """A request of anybody, from the access log."""
        self._watch.heard(request)

    def refused(self, what: str, client: str) -> None:
        """Underway refused a log-in, a code or a token."""
        self._watch.refused(what, client, self._on.clock.now())

    def write(self) -> None:
        """Put down what is new."""
        if changed := self._watch.changed():
            self._on.security_log.put(changed, self._on.clock.now())

    async def go(self) -> None:
        """Without end."""
        while not self._is_leaving():
            try:
                self.write()
            except Exception:
                _log.exception("security events could not be kept")
            await self._on.clock.sleep(WRITE_EVERY_S)
