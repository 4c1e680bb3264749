"""Requests counted per release, from the proxy's access log."""

from __future__ import annotations

from collections.abc import Iterable

from ddsketch import LogCollapsingLowestDenseDDSketch

from underway.ports.request_log import RequestLog
from underway.terms.route import LogOffset, Request
from underway.terms.verdict import Traffic

_ACCURACY = 0.01
"""Quantiles are within 1 % (DDSketch, Masson, Rim and Lee, VLDB 2019)."""
_BINS = 1024
"""Enough for 1 µs to 10 min at this accuracy; the lowest ones collapse first."""
CLIENT_WENT_AWAY = (0, 499)


class ReleaseTally:
    """Requests of one release."""

    def __init__(self) -> None:
        self.served = 0
        self.failed = 0
        self._took_ms = LogCollapsingLowestDenseDDSketch(_ACCURACY, _BINS)

    def add(self, request: Request) -> None:
        """Count one request. A 5xx answer is a failure; a client that went away is neither."""
        if request.status in CLIENT_WENT_AWAY:
            return
        if request.status >= 500:
            self.failed += 1
        else:
            self.served += 1
        self._took_ms.add(request.took_ms)

    def traffic(self) -> Traffic:
        p50, p95, p99 = (self._took_ms.get_quantile_value(q) or 0.0 for q in (0.5, 0.95, 0.99))
        return Traffic(
            served=self.served, failed=self.failed, p50_ms=round(p50, 2), p95_ms=round(p95, 2), p99_ms=round(p99, 2)
        )


class Tally:
    """Requests of one app since a place in the log, by release. Our own probes are left out."""

    def __init__(self, app: str, since: LogOffset) -> None:
        self._app = app
        self._offset = since
        self._releases: dict[str, ReleaseTally] = {}

    def catch_up(self, log: RequestLog) -> None:
        """Read what the log has by now. Stops at its end; a busy log is read in slices."""
        while True:
            requests, offset = log.read(self._offset)
            self.add(requests)
            if offset == self._offset or not requests:
                self._offset = offset
                return
            self._offset = offset

    def add(self, requests: Iterable[Request]) -> None:
        for request in requests:
            if request.app == self._app and not request.is_monitor:
                self._releases.setdefault(request.release, ReleaseTally()).add(request)

    @property
    def served(self) -> int:
        return sum(tally.served for tally in self._releases.values())

    @property
    def failed(self) -> int:
        return sum(tally.failed for tally in self._releases.values())

    def by_release(self) -> dict[str, Traffic]:
        return {release: tally.traffic() for release, tally in self._releases.items()}


class TrafficBook:
    """Requests of every app since a place in the log, by app and release."""

    def __init__(self, since: LogOffset) -> None:
        self._offset = since
        self._apps: dict[str, dict[str, ReleaseTally]] = {}

    def catch_up(self, log: RequestLog, slices: int = 10) -> None:
        """Read what the log has by now, at most `slices` slices of it."""
        for _ in range(slices):
            requests, offset = log.read(self._offset)
            for request in requests:
                if not request.is_monitor:
                    releases = self._apps.setdefault(request.app, {})
                    releases.setdefault(request.release, ReleaseTally()).add(request)
            if not requests:
                self._offset = offset
                return
            self._offset = offset

    def of(self, app: str) -> dict[str, Traffic]:
        return {release: tally.traffic() for release, tally in self._apps.get(app, {}).items()}
