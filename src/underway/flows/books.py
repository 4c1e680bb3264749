"""The home's ledger of requests, read on from where the agent before this one had written it down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import msgspec

from underway.flows.counting import counting_of, promises_of, route_class, routes_of
from underway.journal.journal import Journal
from underway.observe.counting import Counting, Kind
from underway.observe.ledger import AppLedger, Ledger, read_ledger, write_ledger
from underway.observe.meter import Meter
from underway.observe.recorder import Recorder
from underway.ports.drivers import Drivers
from underway.terms.route import Request

_NAME = "traffic"
WRITE_EVERY_S = 10.0
"""An agent that is killed reads so much again: cheap, and it spares the disk."""


class Books:
    """One per agent. Counts are as of the last `catch_up`."""

    def __init__(self, on: Drivers, journal: Journal) -> None:
        self._on = on
        self._journal = journal
        self.recorder = Recorder(on.metrics, lambda app: routes_of(journal.state(app)))
        self.meter = Meter(route_class, lambda app: promises_of(journal.state(app)))
        self.also: Callable[[Request], None] | None = None
        """Who hears of every request besides, once."""
        kept = self._kept()
        self._ledger = kept or Ledger(offset=on.request_log.end())
        place = on.metrics.place()
        self._figures_at = place if kept and place != self._ledger.offset else None
        """Up to where only the figures over time were counted: they are written first."""
        self._heard_of = 0
        """So many requests were counted by this agent."""
        self._written_at = on.clock.monotonic()
        self._is_new = kept is None
        if kept is None:  # an agent that is killed before its first writing has begun here, not at the next one's start
            self.write()

    def catch_up(self, most: int = 0) -> bool:
        """Count what the proxy has logged by now (a busy log in parts), and write it down now and then. With `most` at
        most so many lines; True when there are more."""
        now, log = self._on.clock.now(), self._on.request_log
        if self._figures_at is not None:
            while self._ledger.catch_up(log, self._counting, now, until=self._figures_at):
                self._is_new = True
            self._figures_at = None
        heard = self._heard_of
        if most:
            grew = self._ledger.catch_up(log, self._counting, now, 1, self._heard, limit=most)
        else:
            grew = self._ledger.catch_up(log, self._counting, now, tell=self._heard)
        self._is_new = self._is_new or grew
        if self._on.clock.monotonic() - self._written_at >= WRITE_EVERY_S:
            self.write()
        return 0 < most <= self._heard_of - heard

    def _heard(self, request: Request, kind: Kind, now: float) -> None:
        self._heard_of += 1
        self.recorder.heard(request, kind, now)
        self.meter.heard(request, kind)
        if self.also is not None:
            self.also(request)

    def write(self) -> None:
        """Figures over time, then counts, each with its place in the log. An agent that is killed between the two
        finds the figures ahead, and counts up to there without them. A disk that is full is told of by the journal."""
        self.recorder.hand_over()
        self.meter.begin_again()
        is_down = self._on.metrics.write(self._ledger.offset)
        if is_down and self._is_new:
            with contextlib.suppress(OSError):
                self._on.snapshots.save("", _NAME, write_ledger(self._ledger))
                self._is_new = False
        self._written_at = self._on.clock.monotonic()

    def of(self, app: str) -> AppLedger:
        return self._ledger.of(app)

    def per_s(self, app: str, over_s: float = 600.0) -> float:
        """Requests of the app's users per second lately."""
        return self.of(app).per_s(self._on.clock.now(), over_s)

    def _counting(self, app: str) -> Counting:
        return counting_of(self._journal.state(app))

    def _kept(self) -> Ledger | None:
        text = self._on.snapshots.load("", _NAME)
        try:
            return read_ledger(text) if text is not None else None
        except msgspec.DecodeError:  # of a make that counted otherwise: begin anew
            return None
