"""What every release of every app answered, for as long as the home lives, kept with its place in the log.

The counts and how far the log was read into them are one value that is written down whole, so an agent that is killed
at any moment goes on from what it had written: nothing is lost and nothing counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from underway.observe.counting import Counting, Kind
from underway.observe.touched import Touched
from underway.ports.request_log import RequestLog
from underway.terms.route import LogOffset, Request
from underway.terms.sketch import Sketch
from underway.terms.verdict import Traffic

Tell = Callable[[Request, Kind, float], None]
"""Told of each request with what it counts as, and what time it is."""
RELEASES_KEPT = 30
"""Of one app; those that served last."""
MINUTES_KEPT, HOURS_KEPT = 180, 24 * 14
_AHEAD_S = 60.0
"""A line from further in the future than this (the clock was set back) counts as now."""


class ReleaseLedger(msgspec.Struct):
    """Requests of one release. `gone` were given up by the client, `left_out` come from monitors or excluded routes."""

    served: int = 0
    failed: int = 0
    gone: int = 0
    left_out: int = 0
    took: Sketch = msgspec.field(default_factory=Sketch)
    touched: Touched = msgspec.field(default_factory=Touched)
    last_at: float = 0.0

    def add(self, request: Request, kind: Kind) -> None:
        if kind is Kind.GOOD:
            self.served += 1
            self.took.add(request.took_ms)
        elif kind is Kind.FAILED:
            self.failed += 1
            self.took.add(request.took_ms)
            self.touched.add(request)
        elif kind is Kind.STREAM:
            self.served += 1
        elif kind is Kind.GONE:
            self.gone += 1
        else:
            self.left_out += 1

    def traffic(self) -> Traffic:
        p50, p95, p99 = (self.took.quantile_ms(q) for q in (0.5, 0.95, 0.99))
        return Traffic(
            served=self.served,
            failed=self.failed,
            p50_ms=round(p50, 2),
            p95_ms=round(p95, 2),
            p99_ms=round(p99, 2),
            users_touched=self.touched.count,
        )


class AppLedger(msgspec.Struct):
    """One app: its releases, and how many requests (of users, of all releases) came in each minute and hour."""

    releases: dict[str, ReleaseLedger] = msgspec.field(default_factory=dict)
    minutes: dict[int, int] = msgspec.field(default_factory=dict)
    hours: dict[int, int] = msgspec.field(default_factory=dict)

    def add(self, request: Request, kind: Kind, now: float) -> None:
        release = self.releases.get(request.release)
        if release is None:
            release = self.releases[request.release] = ReleaseLedger()
            if len(self.releases) > RELEASES_KEPT:
                del self.releases[min(self.releases, key=lambda name: self.releases[name].last_at or now)]
        at = min(request.at, now + _AHEAD_S)
        release.last_at = max(release.last_at, at)
        release.add(request, kind)
        if kind is Kind.LEFT_OUT:
            return
        minute, hour = int(at // 60), int(at // 3600)
        self.minutes[minute] = self.minutes.get(minute, 0) + 1
        self.hours[hour] = self.hours.get(hour, 0) + 1
        if len(self.minutes) > MINUTES_KEPT:
            del self.minutes[min(self.minutes)]
        if len(self.hours) > HOURS_KEPT:
            del self.hours[min(self.hours)]

    def per_s(self, now: float, over_s: float = 600.0) -> float:
        """Requests of users per second over the last `over_s`, to whole minutes (beyond three hours to whole hours)."""
        kept, unit = (self.minutes, 60) if over_s <= 60 * MINUTES_KEPT else (self.hours, 3600)
        # the unit that has just begun would make any app look quieter than it is: count its seconds, not its whole
        first = int((now - over_s) // unit) + 1
        return sum(count for number, count in kept.items() if number >= first) / max(now - first * unit, 1.0)

    def traffic(self) -> dict[str, Traffic]:
        return {release: it.traffic() for release, it in self.releases.items()}


class Ledger(msgspec.Struct):
    """All apps of a home, and the place in the log up to which they are counted."""

    offset: LogOffset
    apps: dict[str, AppLedger] = msgspec.field(default_factory=dict)

    def catch_up(
        self,
        log: RequestLog,
        counting: Callable[[str], Counting],
        now: float,
        slices: int = 10,
        tell: Tell | None = None,
        until: LogOffset | None = None,
        limit: int = 10_000,
    ) -> bool:
        """Count what the log has by now (or up to `until`), at most `slices` slices of `limit` lines, and `tell` of
        each request. Return whether there was anything."""
        began = self.offset
        for _ in range(slices):
            requests, self.offset = log.read(self.offset, limit, until)
            if not requests:
                break
            self.add(requests, counting, now, tell)
        return self.offset != began

    def add(
        self, requests: Iterable[Request], counting: Callable[[str], Counting], now: float, tell: Tell | None = None
    ) -> None:
        rules: dict[str, Counting] = {}
        for request in requests:
            if not request.app:  # it named a host that no app has
                if tell is not None:
                    tell(request, Kind.LEFT_OUT, now)
                continue
            app = self.apps.get(request.app)
            if app is None:
                app = self.apps[request.app] = AppLedger()
            rule = rules.get(request.app)
            if rule is None:
                rule = rules[request.app] = counting(request.app)
            kind = rule.kind(request)
            app.add(request, kind, now)
            if tell is not None:
                tell(request, kind, now)

    def of(self, app: str) -> AppLedger:
        return self.apps.get(app) or AppLedger()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Ledger)


def write_ledger(ledger: Ledger) -> bytes:
    return _encoder.encode(ledger)


def read_ledger(text: bytes) -> Ledger:
    """Raises `msgspec.ValidationError` for what `write_ledger` did not write."""
    return _decoder.decode(text)
