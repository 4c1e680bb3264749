"""Requests counted per release since a place in the proxy's access log."""

from __future__ import annotations

from collections.abc import Iterable

from underway.observe.counting import Counting
from underway.observe.ledger import ReleaseLedger
from underway.ports.request_log import RequestLog
from underway.terms.route import LogOffset, Request
from underway.terms.verdict import Traffic


class Tally:
    """Requests of one app since a place in the log, by release."""

    def __init__(self, app: str, since: LogOffset) -> None:
        self._app = app
        self._offset = since
        self._releases: dict[str, ReleaseLedger] = {}

    def catch_up(self, log: RequestLog, counting: Counting) -> None:
        """Read what the log has by now. Stops at its end; a busy log is read in slices."""
        while True:
            requests, offset = log.read(self._offset)
            self.add(requests, counting)
            if offset == self._offset or not requests:
                self._offset = offset
                return
            self._offset = offset

    def add(self, requests: Iterable[Request], counting: Counting) -> None:
        for request in requests:
            if request.app == self._app:
                release = self._releases.setdefault(request.release, ReleaseLedger())
                release.add(request, counting.kind(request))
                release.last_at = max(release.last_at, request.at)

    def of(self, release: str) -> ReleaseLedger:
        return self._releases.get(release) or ReleaseLedger()

    @property
    def served(self) -> int:
        return sum(it.served for it in self._releases.values())

    @property
    def failed(self) -> int:
        return sum(it.failed for it in self._releases.values())

    def by_release(self) -> dict[str, Traffic]:
        """Of the releases that answered somebody."""
        return {release: it.traffic() for release, it in self._releases.items() if it.served + it.failed}
